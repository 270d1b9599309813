"""What the service must show, each as a command that prints figures and ends with 1 on a FAIL.

    python -m tests.proofs.budgets       Content-Length <= N for every N, all formats
    python -m tests.proofs.throughput    cached reads beside a bare route; memory over 100,000
    python -m tests.proofs.batching      uploads a second with and without batches, span by span
    python -m tests.proofs.overload      ten times more than it can do
    python -m tests.proofs.rude          bodies that do not come, clients that leave
    python -m tests.proofs.border        forms that are dear to parse, pipelines that nobody reads
    python -m tests.proofs.photos_serving  photos and thumbnails at one worker, three stores
    python -m tests.proofs.photos_length   photo streams beside their ideal code length
    python -m tests.proofs.photos_hostile  damaged photo streams, promised pixels, odd sizes
    python -m tests.proofs.photos_readers  long streams that nobody reads to their end
    python -m tests.proofs.chaos         Redis killed, paused, restarted under load
    python -m tests.proofs.failover      a replica promoted behind an address that stays
    python -m tests.proofs.drain         SIGTERM under load
    python -m tests.proofs.fuzz          damaged uploads and streams
    python -m tests.proofs.pictures      files that once opened wrongly, beside what they hold
    python -m tests.proofs.contract      schemathesis against /openapi.json, at length
    python -m tests.proofs.bundlers      Rollup and Parcel build a page that paints
    python -m tests.proofs.gpu           a CUDA device beside the CPU, if there is one
    python -m tests.proofs.image         the Dockerfile's commands in a bare virtual environment

All of them stay on the loopback, and in bounds that their options name. ``test_proofs.py`` runs
short versions of those that are sure in a short time.
"""
