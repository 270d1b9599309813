"""What the options of ``service.inference.runtime`` cost and save, on this machine.

    python -m tests.bench.runtime [--seconds 1.5] [--threads 2]

Prints, for a convolutional network of 12 layers (32 channels, 32x32 pixels, kernels kept as bytes)
and batches of 1 and 64, the median time of a call, the processor time of a call with what threads
burn between calls (2 ms apart for one picture, as requests come), and the process' largest memory.
A process a row.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper

LAYERS, CHANNELS, SIDE = 12, 32, 32


@dataclass(frozen=True)
class Options:
    """One row of the table; the defaults are the service's."""

    name: str
    spinning: bool = False
    arena: bool = True
    trimmed: bool = False
    deterministic: bool = True
    floats_at_load: bool = True


SERVED = Options("as served")
ROWS = (
    SERVED,
    replace(SERVED, name="threads spin", spinning=True),
    replace(SERVED, name="no arena", arena=False),
    replace(SERVED, name="arena trimmed", trimmed=True),
    replace(SERVED, name="not deterministic", deterministic=False),
    replace(SERVED, name="bytes in every run", floats_at_load=False),
)


def network() -> bytes:
    """y = tanh(conv(...)), float32 [N, 3, 32, 32] -> [N, 32, 32, 32]."""
    chance = np.random.default_rng(0)
    scale = numpy_helper.from_array(np.float32(0.02), "scale")
    nodes, weights, last, width = [], [scale], "x", 3
    for layer in range(LAYERS):
        values = chance.standard_normal((CHANNELS, width, 3, 3)) / np.sqrt(9 * width) / 0.02
        weights.append(numpy_helper.from_array(values.clip(-127, 127).astype(np.int8), f"b{layer}"))
        nodes.append(helper.make_node("DequantizeLinear", [f"b{layer}", "scale"], [f"w{layer}"]))
        nodes.append(helper.make_node("Conv", [last, f"w{layer}"], [f"c{layer}"], pads=[1] * 4))
        last, width = ("y" if layer == LAYERS - 1 else f"t{layer}"), CHANNELS
        nodes.append(helper.make_node("Tanh", [f"c{layer}"], [last]))
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", CHANNELS, SIDE, SIDE])
    graph = helper.make_graph(nodes, "bench", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def measure(row: Options, threads: int, seconds: float) -> str:
    """One row, in a process of its own."""
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(row.spinning)))
    options.add_session_config_entry("session.disable_quant_qdq", str(int(row.floats_at_load)))
    options.enable_cpu_mem_arena = row.arena
    options.use_deterministic_compute = row.deterministic
    session = ort.InferenceSession(network(), options, providers=["CPUExecutionProvider"])
    how = ort.RunOptions()
    if row.trimmed:
        how.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")

    def cells() -> Iterator[str]:
        for pictures in (1, 64):
            x = np.ones((pictures, 3, SIDE, SIDE), np.float32)
            session.run(None, {"x": x}, how)
            times: list[float] = []
            end, processor = time.perf_counter() + seconds, time.process_time()
            while time.perf_counter() < end:
                begin = time.perf_counter()
                session.run(None, {"x": x}, how)
                times.append(time.perf_counter() - begin)
                if pictures == 1:
                    time.sleep(0.002)
            spent = (time.process_time() - processor) / len(times)
            yield f"{statistics.median(times) * 1e3:9.2f} {spent * 1e3:9.2f}"

    line = " ".join(cells())
    memory = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:8.0f}"
    return f"{row.name:>18} {line} {memory}"


def main(threads: int, seconds: float) -> None:
    """Print the table."""
    print(f"onnxruntime {ort.__version__}, {threads} threads on {os.cpu_count()} cores,", end=" ")
    print(f"load {os.getloadavg()[0]:.1f}")
    print(f"{'':18} {'1: ms':>9} {'cpu ms':>9} {'64: ms':>9} {'cpu ms':>9} {'MiB':>8}")
    for row in ROWS:
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
            print(process.submit(measure, row, threads, seconds).result(), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the runtime's options cost and save.")
    parser.add_argument("--seconds", type=float, default=1.5, help="time for each cell")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args()
    main(given.threads, given.seconds)
