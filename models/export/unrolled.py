"""``python -m models.export.unrolled``: one graph an iteration, or all iterations in one graph?

Times the decoder both ways on one artifact: a session that is called once an iteration with its
states handed back, and a session whose graph holds the iterations one after the other.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import compose

from models.artifact_io.manifests import ARTIFACTS
from service.codec import artifact
from service.inference import Runtime, Session


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m models.export.unrolled", description=__doc__)
    parser.add_argument("artifact", type=Path, nargs="?", default=ARTIFACTS / "conv-lstm")
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    return parser.parse_args()


def unroll(step: onnx.ModelProto, iterations: int) -> onnx.ModelProto:
    """Chain a step graph: the states of one feed the next, weights are shared by ONNX Runtime."""
    whole = compose.add_prefix(step, "t0_")
    states = [value.name for value in step.graph.input if value.name.startswith("state_")]
    for t in range(1, iterations):
        following = compose.add_prefix(step, f"t{t}_")
        links = [(f"t{t - 1}_{name.replace('state', 'next')}", f"t{t}_{name}") for name in states]
        whole = compose.merge_models(whole, following, io_map=links)
    return whole


def rate(session: Session, calls: int, batch: int, seconds: float) -> float:
    """Thumbnails a second, a thumbnail being ``calls`` calls."""
    inputs = {
        tensor.name: np.zeros((batch, *map(int, filter(None, tensor.shape[1:]))), np.float32)
        for tensor in session.inputs
    }
    session.run(inputs)
    done, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        for _ in range(calls):
            session.run(inputs)
        done += batch
    return done / (time.perf_counter() - began)


def main() -> None:
    """Print the table."""
    options = arguments()
    runtime = Runtime("cpu")
    step = onnx.load_from_string(artifact.read(options.artifact).network("decoder"))
    whole = unroll(step, options.iterations)
    sizes = [len(model.SerializeToString()) / 1000 for model in (step, whole)]
    sessions = [runtime.session(model.SerializeToString()) for model in (step, whole)]
    print(
        f"decoder of {options.artifact.name}, {options.iterations} iterations, "
        f"{runtime.threads} threads, thumbnails/s"
    )
    print(f"| batch | a graph an iteration ({sizes[0]:.0f} kB) | unrolled ({sizes[1]:.0f} kB) |")
    print("|---|---|---|")
    for batch in (1, 8, 64):
        stepped = rate(sessions[0], options.iterations, batch, options.seconds)
        unrolled = rate(sessions[1], 1, batch, options.seconds)
        print(f"| {batch} | {stepped:.0f} | {unrolled:.0f} |")


if __name__ == "__main__":
    main()
