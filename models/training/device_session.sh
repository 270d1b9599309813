#!/usr/bin/env bash
# What a machine with a CUDA device is used for, in one go: the proof, then trainings that wait.
#
#   OUT=results bash models/training/device_session.sh DATA [MINUTES of the trainings (8)]
#       [MINUTES of the ablation of photos' networks (0: not)]
#
# Either may be 0. The ablation has the device to itself, after the rest; what it leaves in
# OUT/photo-ablation goes on with the next call.
#
# All trainings of the recurrent codecs share the minutes (models/training/session) and end as one
# archive in pieces: cat "$OUT"/session.tar.* | tar x. Those of photos and of conv-lstm run beside.
set -euo pipefail
data=$1 minutes=${2:-8} ablation=${3:-0} out=${OUT:-results}
device=$(python -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')
mkdir -p "$out"

if [ "$device" = cuda ]; then
    python -m tests.proofs.gpu --out "$out" 2>&1 | tee "$out/gpu.txt" || true
else
    python -m tests.proofs.gpu | tee "$out/gpu.txt"
fi
if [ "$minutes" != 0 ]; then
    # a share of the memory: one training that takes it all ends the others
    python -m models.training.session --data "$data" --out "$out" --minutes "$minutes" \
        --device "$device" --memory 0.6 > "$out/session.txt" 2>&1 &
    session=$!
    # its bits and states are compiled loops, so this one takes the machine's cores
    python -m models.photo train --data "$data" --out "$out/photo-networks" --samples 2000000 --timed \
        --batch 32 --warmup 6400 --rate 0.001 --perceived 0.3 --start-from models/artifacts/photo \
        --max-minutes "$minutes" 2>&1 | tail -3 &
    photo=$!
    python -m models.training conv-lstm --data "$data" --out "$out/conv-lstm" --samples 40000 \
        --loss structural --relative --signs --rate 6e-4 --no-bf16 --device "$device" \
        --start-from models/artifacts/conv-lstm --max-minutes "$minutes" 2>&1 | tail -3 &
    lstm=$!
    wait $session || echo "the session of recurrent codecs failed: $out/session.txt"
    tail -40 "$out/session.txt"
    wait $photo && python -m models.training.kept "$out/photo-networks" "$out/photo-networks.npz"
    wait $lstm
fi
if [ "$ablation" != 0 ]; then
    python -m models.photo ablate --data "$data" --out "$out/photo-ablation" --minutes "$ablation" \
        --at-once 4 --threads 3 --device "$device" 2>&1 | tail -20
    cat "$out/photo-ablation/ablation.md" || echo "no variant is done yet"
fi
