"""Networks as ONNX Runtime sessions on one device."""

from __future__ import annotations

import importlib
import logging
import math
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from service.errors import ArtifactError, ConfigurationError
from service.inference import cuda
from service.inference.session import OnnxSession, Session, SplitSession
from service.inference.staged import StagedSession, fits

Device = Literal["auto", "cpu", "cuda"]
Share = Literal["operations", "pictures", "nothing"]
logger = logging.getLogger(__name__)

CPU = "CPUExecutionProvider"
CUDA = "CUDAExecutionProvider"
CUDA_OPTIONS = {
    "arena_extend_strategy": "kSameAsRequested",  # no doubling: memory stays at what is needed
    "cudnn_conv_algo_search": "HEURISTIC",  # the exhaustive search costs seconds a batch size
    "use_tf32": "0",  # ten bits of mantissa would move pictures away from the CPU's
}
ERRORS_ONLY = 3  # ONNX Runtime's severity; its warnings are not JSON and would break the log

# y = Identity(x) for float[1]: running it is the one sure sign that a device is usable. ONNX
# Runtime lists CUDA wherever it was built in, and falls back to the CPU with no more than a log.
PROBE = bytes.fromhex(
    "08083a3b0a100a017812017922084964656e74697479120570726f62655a0f0a0178"
    "120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001011"
)


class Runtime:
    """Builds sessions on one device.

    The options are those that ``python -m tests.bench.runtime`` finds best: threads sleep while
    they wait (spinning is no faster, and more than doubles what one picture takes of the
    processor, which the event loop needs too); the arena stays on (without it the process is
    larger and no faster). It is bounded since batches are: it holds what the largest needs.
    """

    def __init__(self, device: Device = "auto", threads: int = 0) -> None:
        """``threads`` compute one call; 0: as many as the process may use cores.

        Raises ConfigurationError without ONNX Runtime, or when ``device`` is "cuda" and no CUDA
        device can be used.
        """
        self._ort = _onnxruntime()
        self._threads = threads or usable_cores()
        self._providers: list[str | tuple[str, dict[str, str]]] = [CPU]
        if device != "cpu":
            refusal = self._try_cuda()
            if refusal is None:
                self._providers = [(CUDA, CUDA_OPTIONS), CPU]
            elif device == "cuda":
                raise ConfigurationError(f"the device 'cuda' cannot be used: {refusal}")
            elif CUDA in self._ort.get_available_providers():
                logger.warning(
                    "networks run on the CPU, the device 'cuda' cannot be used: %s", refusal
                )

    @property
    def device_name(self) -> str:
        """Where sessions run: "cpu" or "cuda"."""
        return "cpu" if self._providers == [CPU] else "cuda"

    @cached_property
    def device(self) -> str:
        """The same with what the device is: "cuda: NVIDIA H100 80GB HBM3, 80 GiB"."""
        return "cpu" if self.device_name == "cpu" else f"cuda: {cuda.device_name()}"

    @property
    def threads(self) -> int:
        """Threads that compute one call on the CPU."""
        return self._threads

    def session(self, model: Path | bytes, share: Share = "operations") -> Session:
        """Load a graph, from a file or from its bytes.

        ``share`` is what the threads of the CPU share out when a batch is computed: its operations,
        one after the other; its pictures, a few at a time, which is quicker where operations are
        over before threads have met (the first dimension of all that the graph takes and gives must
        be the batch); or nothing, for callers with threads of their own.

        Raises ArtifactError when it is missing or damaged, ConfigurationError when the device
        refuses it.
        """
        where = "the graph" if isinstance(model, bytes) else f"the graph {str(model)!r}"
        if not isinstance(model, bytes) and not model.is_file():
            raise ArtifactError(f"{where} is not there")
        try:
            threads = self._threads if share == "operations" else 1
            native = self._native(model, self._providers, threads)
        except Exception as error:  # its errors share no base class but this
            raise ArtifactError(f"{where} does not load: {error}") from error
        if self.device_name == "cuda" and CUDA not in native.get_providers():
            raise ConfigurationError(f"{where} was refused by the device 'cuda'")
        if self.device_name == "cuda":
            if on_cpu := nodes_on(native, CPU):
                logger.warning(
                    "%d nodes of %s run on the CPU: %s", len(on_cpu), where, ", ".join(on_cpu)
                )
            session = OnnxSession(native)
            return StagedSession(native, self._page_lock) if fits(session) else session
        if share == "pictures" and self._threads > 1:
            return SplitSession(native, self._pool, self._threads)
        return OnnxSession(native)

    @cached_property
    def _page_lock(self) -> cuda.PageLock:
        return cuda.PageLock(self._ort)

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(self._threads, "prefixel-network")

    def _native(
        self,
        model: Path | bytes,
        providers: list[str | tuple[str, dict[str, str]]],
        threads: int = 1,
    ) -> Any:
        ort = self._ort
        options = ort.SessionOptions()
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.add_session_config_entry("session.inter_op.allow_spinning", "0")
        options.use_deterministic_compute = True
        # kernels that are kept as bytes become floats at load, not in every run
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.log_severity_level = ERRORS_ONLY
        if providers != [CPU]:
            options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
        source = model if isinstance(model, bytes) else str(model)
        native = ort.InferenceSession(source, options, providers=providers, enable_fallback=0)
        native._model_bytes = None  # kept for other providers, which are never asked for
        return native

    def _try_cuda(self) -> str | None:
        """Why CUDA cannot be used, or None when it can."""
        if CUDA not in self._ort.get_available_providers():
            return (
                "this onnxruntime was built without it; install the extra 'gpu' in place of 'cpu'"
            )
        if (refusal := cuda.lacking(self._ort)) is not None:
            return refusal
        try:
            probe = self._native(PROBE, [(CUDA, CUDA_OPTIONS)])
            if CUDA not in probe.get_providers():
                return "onnxruntime could not load its libraries, or found no device"
            probe.run(None, {"x": np.zeros(1, np.float32)})
        except Exception as error:  # its errors share no base class but this
            return str(error)
        return None


def nodes_on(native: Any, provider: str) -> list[str]:
    """Operators of the nodes that a session, which records it, gives to a provider."""
    return [
        node.op_type
        for part in native.get_provider_graph_assignment_info()
        if part.ep_name == provider
        for node in part.get_nodes()
    ]


def usable_cores() -> int:
    """Cores that this process may use: its affinity, and the CPU quota of its control group."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, _quota(Path("/sys/fs/cgroup/cpu.max"))))


def _quota(path: Path) -> int:
    """Cores of a cgroup v2 file ("200000 100000" is 2, rounded up); a large number for none."""
    unlimited = 2**16
    try:
        quota, period = path.read_text().split()
        return unlimited if quota == "max" else math.ceil(int(quota) / int(period))
    except (OSError, ValueError):
        return unlimited


def _onnxruntime() -> Any:
    try:
        return importlib.import_module("onnxruntime")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            "onnxruntime is not installed: pip install 'prefixel[cpu]', or 'prefixel[gpu]' for CUDA"
        ) from error
    except ImportError as error:
        raise ConfigurationError(f"onnxruntime does not load: {error}") from error
