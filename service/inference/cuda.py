"""CUDA: what lacks where it cannot be used, which device there is, and memory that it copies fast.

Reached through ctypes: the driver's library comes with the driver, CUDA's own with the wheels of
the extra ``gpu``, and neither asks for more.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRIVER = "libcuda.so.1"
PROVIDERS = ("libonnxruntime_providers_shared.so", "libonnxruntime_providers_cuda.so")
NAME_BYTES = 256
OUT_OF_MEMORY = (
    "out of memory",
    "failed to allocate memory",
    "alloc_failed",
    "cudaerrormemoryallocation",
)
"""Words of ONNX Runtime, CUDA, cuBLAS and cuDNN for it, in lower case."""


def lacking(ort: Any) -> str | None:
    """What keeps this build of ONNX Runtime from a CUDA device; None when nothing is found.

    Loads CUDA's libraries from the wheels on the way, which must be before the first session.
    """
    try:
        driver = ctypes.CDLL(DRIVER)
    except OSError:
        return f"no NVIDIA driver is installed ({DRIVER} does not load)"
    if code := driver.cuInit(0):
        return f"the NVIDIA driver finds no device (cuInit says {code})"
    known, wanted = _driver_version(driver), _major(getattr(ort, "cuda_version", ""))
    if known // 1000 < wanted:
        return (
            f"the NVIDIA driver knows CUDA {known // 1000}.{known % 1000 // 10}, and this"
            f" onnxruntime needs {wanted}: install a newer driver"
        )
    with contextlib.redirect_stdout(io.StringIO()):  # it prints; what lacks is found below
        ort.preload_dlls()
    return unloaded(Path(ort.__file__).parent / "capi")


def unloaded(folder: Path) -> str | None:
    """Which library the CUDA provider in ``folder`` lacks; None when it loads."""
    try:
        for name in PROVIDERS:
            ctypes.CDLL(str(folder / name), ctypes.RTLD_GLOBAL)
    except OSError as error:
        name = str(error).partition(":")[0]
        return f"{name} does not load; pip install 'prefixel[gpu]' brings what CUDA needs"
    return None


def device_name() -> str:
    """The first device, as its driver names it, and its memory. Raises OSError without a driver."""
    driver, device = ctypes.CDLL(DRIVER), ctypes.c_int()
    name, memory_bytes = ctypes.create_string_buffer(NAME_BYTES), ctypes.c_size_t()
    if (
        driver.cuInit(0)
        or driver.cuDeviceGet(ctypes.byref(device), 0)
        or driver.cuDeviceGetName(name, NAME_BYTES, device)
        or driver.cuDeviceTotalMem_v2(ctypes.byref(memory_bytes), device)
    ):
        raise OSError("the NVIDIA driver does not tell its device")
    return f"{name.value.decode(errors='replace')}, {memory_bytes.value / 2**30:.0f} GiB"


class PageLock:
    """Keeps arrays where they are in memory, so that copies to a device need no detour."""

    def __init__(self, ort: Any) -> None:
        """CUDA's libraries are loaded already. Raises OSError where there are none."""
        self._cuda = ctypes.CDLL(f"libcudart.so.{_major(ort.cuda_version)}")

    def lock(self, array: NDArray[Any]) -> None:
        """Best effort: an array that is refused is copied as any other."""
        size = ctypes.c_size_t(array.nbytes)
        self._cuda.cudaHostRegister(ctypes.c_void_p(array.ctypes.data), size, 0)

    def release(self, array: NDArray[Any]) -> None:
        """Before its memory is given back."""
        self._cuda.cudaHostUnregister(ctypes.c_void_p(array.ctypes.data))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the device had no memory left; a smaller batch, or a later one, may find some."""
    words = str(error).lower()
    return any(one in words for one in OUT_OF_MEMORY)


def page_aligned(nbytes: int) -> NDArray[np.uint8]:
    """Bytes that begin at a page: locking them locks nothing else."""
    page = 4096
    room = np.empty(nbytes + page, np.uint8)
    start = -room.ctypes.data % page
    return room[start : start + nbytes]


def _driver_version(driver: Any) -> int:
    version = ctypes.c_int()
    driver.cuDriverGetVersion(ctypes.byref(version))
    return version.value


def _major(version: str) -> int:
    return int(version.partition(".")[0] or 0)
