#!/usr/bin/env bash
# What a machine with a CUDA device is used for, in one go: the proof, then trainings that wait.
#
#   OUT=results bash models/training/device_session.sh DATA [MINUTES each (4)]
#
# Every training resumes from its folder in OUT and stops after its minutes; run it again to go on.
set -euo pipefail
data=$1 minutes=${2:-4} out=${OUT:-results}
device=$(python -c 'import torch; print("cuda" if torch.cuda.is_available() else "cpu")')
mkdir -p "$out"

if [ "$device" = cuda ]; then
    python -m tests.proofs.gpu --out "$out" 2>&1 | tee "$out/gpu.txt" || true
else
    python -m tests.proofs.gpu | tee "$out/gpu.txt"
fi
# its bits and states are compiled loops, so this one takes the machine's cores
python -m models.photo train --data "$data" --out "$out/photo-networks" --samples 30000 --rate 0.001 \
    --max-minutes "$minutes" 2>&1 | tail -3
python -m models.training conv-lstm --data "$data" --out "$out/conv-lstm" --samples 40000 \
    --loss structural --relative --signs --rate 6e-4 --no-bf16 --device "$device" \
    --start-from models/artifacts/conv-lstm --max-minutes "$minutes" 2>&1 | tail -3
python -m models.training gru-one-shot --config paper --pictures high-entropy --data "$data" \
    --out "$out/gru-one-shot-paper" --samples 400000 --loss absolute --no-bf16 --device "$device" \
    --max-minutes "$minutes" 2>&1 | tail -3
python -m models.training.kept "$out/photo-networks" "$out/photo-networks.npz"
