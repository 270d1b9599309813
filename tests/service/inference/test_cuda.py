"""CUDA where there is none: what lacks is named; staged sessions compute what others do."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from service.errors import DeviceMemoryError, InferenceError
from service.inference import Batcher, Runtime, cuda
from service.inference.runtime import CPU, CUDA, nodes_on
from service.inference.session import OnnxSession
from service.inference.staged import StagedSession, fits
from tests.proofs import gpu
from tests.service.inference.graphs import WEIGHTS, affine, lookup, pair

DRIVER_SOURCE = """
#include <stddef.h>
#include <string.h>
int cuInit(unsigned f) { return FAILS; }
int cuDriverGetVersion(int *v) { *v = VERSION; return 0; }
int cuDeviceGet(int *d, int n) { *d = n; return 0; }
int cuDeviceGetName(char *s, int n, int d) { strncpy(s, "A Device", n); return 0; }
int cuDeviceTotalMem_v2(size_t *m, int d) { *m = (size_t)80 << 30; return 0; }
"""


def compiled(folder: Path, name: str, source: str, **words: int) -> Path:
    """A shared library; skips where there is no compiler."""
    if shutil.which("cc") is None:
        pytest.skip("no C compiler")
    path = folder / name
    defined = [f"-D{word}={value}" for word, value in words.items()]
    command = ["cc", "-shared", "-fPIC", *defined, "-o", str(path), "-x", "c", "-"]
    subprocess.run(command, input=source.encode(), check=True)
    return path


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Puts a driver in place that knows a version."""

    def put(*, version: int, fails: int = 0) -> None:
        name = f"libcuda-{version}-{fails}.so"
        path = compiled(tmp_path, name, DRIVER_SOURCE, VERSION=version, FAILS=fails)
        monkeypatch.setattr(cuda, "DRIVER", str(path))

    return put


def build(folder: Path, *, needs: str = "13.0") -> Any:
    """What is asked of ONNX Runtime built for CUDA, installed in a folder."""
    return SimpleNamespace(
        cuda_version=needs, __file__=str(folder / "__init__.py"), preload_dlls=lambda: print("lost")
    )


def test_without_a_driver_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cuda, "DRIVER", str(tmp_path / "libcuda.so.1"))
    assert "no NVIDIA driver is installed" in str(cuda.lacking(build(tmp_path)))


def test_a_driver_without_a_device_or_too_old_is_named(driver, tmp_path: Path) -> None:
    driver(version=13000, fails=100)
    assert "finds no device (cuInit says 100)" in str(cuda.lacking(build(tmp_path)))
    driver(version=12040)
    found = str(cuda.lacking(build(tmp_path)))
    assert "knows CUDA 12.4" in found
    assert "needs 13" in found


def test_a_library_that_lacks_is_named(driver, tmp_path: Path, capsys) -> None:
    driver(version=13000)
    (tmp_path / "capi").mkdir()
    shared, provider = cuda.PROVIDERS
    needed = compiled(tmp_path, "libneeded.so.13", "int needed(void) { return 1; }")
    compiled(tmp_path / "capi", shared, "int one(void) { return 1; }")
    source = "int needed(void); int two(void) { return needed(); }"
    path = tmp_path / "capi" / provider
    command = ["cc", "-shared", "-fPIC", "-o", str(path), "-x", "c", "-", "-x", "none", str(needed)]
    subprocess.run(command, input=source.encode(), check=True)
    assert cuda.lacking(build(tmp_path)) is None
    code = "import sys; from pathlib import Path; from service.inference.cuda import unloaded"
    needed.unlink()  # in a process that has not loaded it
    found = subprocess.run(
        [sys.executable, "-c", f"{code}; print(unloaded(Path({str(tmp_path / 'capi')!r})))"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert "libneeded.so.13 does not load" in found.stdout
    assert "prefixel[gpu]" in found.stdout
    assert capsys.readouterr().out == ""


def test_the_device_has_its_drivers_name(driver) -> None:
    driver(version=13000)
    assert cuda.device_name() == "A Device, 80 GiB"


def test_the_proof_says_why_it_is_skipped() -> None:
    found = gpu.engine_of("cuda", through_torch=False)
    if isinstance(found, str):
        assert "'cuda' cannot be used" in found
    else:
        assert "cuda" in found.how or "torch" in found.how


class CountingLock:
    """Remembers what is locked."""

    def __init__(self) -> None:
        self.held: list[int] = []

    def lock(self, array: np.ndarray) -> None:
        assert array.ctypes.data % 4096 == 0
        self.held.append(array.ctypes.data)

    def release(self, array: np.ndarray) -> None:
        self.held.remove(array.ctypes.data)


def native_of(graph: bytes, *, records: bool = False) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if records:
        options.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    return onnxruntime.InferenceSession(graph, options, providers=[CPU])


def test_a_staged_session_computes_what_another_does() -> None:
    lock = CountingLock()
    session = StagedSession(native_of(pair()), lock)
    assert fits(session)
    for rows in (3, 1, 8, 0, 5):
        a = np.arange(2 * rows, dtype=np.float32).reshape(rows, 2)
        found = session.run({"a": a, "b": a[:, ::-1]})
        np.testing.assert_array_equal(found["total"], a + a[:, ::-1])
        np.testing.assert_array_equal(found["square"], (a + a[:, ::-1]) ** 2)
    kept = session.run({"a": a, "b": a})["total"]
    session.run({"a": a + 1, "b": a})
    np.testing.assert_array_equal(kept, a + a)  # the next call does not write over it
    assert len(lock.held) == 4
    del session
    assert lock.held == []


def test_threads_do_not_share_staged_memory() -> None:
    session = StagedSession(native_of(affine()), CountingLock())

    def work(value: int) -> bool:
        x = np.full((1 + value % 5, 4), value, np.float32)
        return bool((session.run({"x": x})["y"] == x @ WEIGHTS + 1).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(200)))


def test_shapes_that_the_batch_does_not_give_are_not_staged() -> None:
    assert not fits(OnnxSession(native_of(lookup())))


def test_a_session_warms_up_with_batches() -> None:
    seen: list[int] = []
    session = Runtime("cpu", threads=1).session(affine())
    compute = session._computed  # type: ignore[attr-defined]

    def counting(inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        seen.append(len(inputs["x"]))
        return compute(inputs)

    session._computed = counting  # type: ignore[attr-defined]
    session.warm_up(range(1, 4))
    assert seen == [1, 2, 3]


def test_nodes_are_counted_by_where_they_run() -> None:
    native = native_of(affine(), records=True)
    assert len(nodes_on(native, CPU)) >= 1
    assert nodes_on(native, CUDA) == []


@pytest.mark.parametrize(
    "words",
    [
        "Failed to allocate memory for requested buffer of size 123",
        "CUDA failure 2: out of memory ; GPU=0",
        "CUBLAS failure 3: CUBLAS_STATUS_ALLOC_FAILED",
    ],
)
def test_a_device_without_memory_is_told_and_survived(words: str) -> None:
    class Full:
        def __init__(self) -> None:
            self.real, self.is_full = native_of(affine()), True

        def __getattr__(self, name: str) -> Any:
            return getattr(self.real, name)

        def run(self, names: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
            if self.is_full:
                raise RuntimeError(words)
            return self.real.run(names, inputs)

    native = Full()
    session = OnnxSession(native)

    async def ask(batcher: Batcher[float, float]) -> list[float]:
        return await batcher.submit([1.0], asyncio.get_running_loop().time() + 5)

    def run(values: list[float]) -> list[float]:
        x = np.array(values, np.float32)[:, None].repeat(4, 1)
        return [float(row.sum()) for row in session.run({"x": x})["y"]]

    async def main() -> None:
        batcher = Batcher("n", run, max_batch=1, max_delay_ms=0, queue_limit=8)
        batcher.start()
        with pytest.raises(DeviceMemoryError) as told:
            await ask(batcher)
        assert told.value.status == 503
        native.is_full = False
        assert len(await ask(batcher)) == 1
        await batcher.drain()

    asyncio.run(main())


def test_other_failures_are_no_lack_of_memory() -> None:
    assert not cuda.is_out_of_memory(InferenceError("a network failed"))
