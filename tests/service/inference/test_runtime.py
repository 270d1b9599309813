"""Sessions: exact names and shapes, honest devices, errors that say what to change."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.errors import ArtifactError, ConfigurationError, InferenceError
from service.inference import Runtime, Tensor
from service.inference.runtime import CUDA, PROBE, _quota, usable_cores
from tests.service.inference.graphs import WEIGHTS, affine, lookup, pair

X = np.arange(8, dtype=np.float32).reshape(2, 4)


@pytest.fixture(scope="module")
def runtime() -> Runtime:
    return Runtime("cpu", threads=1)


def test_a_session_says_what_it_takes_and_gives(runtime: Runtime) -> None:
    session = runtime.session(affine())
    assert session.inputs == (Tensor("x", np.dtype(np.float32), ("N", 4)),)
    assert session.outputs == (Tensor("y", np.dtype(np.float32), ("N", 3)),)


@pytest.mark.parametrize("rows", [0, 1, 2, 64])
def test_a_session_computes_the_graph(runtime: Runtime, rows: int) -> None:
    x = np.arange(4 * rows, dtype=np.float32).reshape(rows, 4)
    outputs = runtime.session(affine()).run({"x": x})
    assert outputs.keys() == {"y"}
    np.testing.assert_array_equal(outputs["y"], x @ WEIGHTS + 1)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("rows", [0, 1, 2, 9, 65])
def test_a_batch_that_is_split_comes_back_whole_and_in_order(rows: int, threads: int) -> None:
    split = Runtime("cpu", threads)
    x = np.arange(4 * rows, dtype=np.float32).reshape(rows, 4)
    outputs = split.session(affine(), "pictures").run({"x": x})
    np.testing.assert_array_equal(outputs["y"], x @ WEIGHTS + 1)
    a, b = x[:, :2].copy(), x[:, 2:].copy()
    outputs = split.session(pair(), "pictures").run({"b": b, "a": a})
    np.testing.assert_array_equal(outputs["total"], a + b)
    np.testing.assert_array_equal(outputs["square"], (a + b) ** 2)


def test_a_batch_that_is_split_must_fit_as_any_other() -> None:
    session = Runtime("cpu", 2).session(pair(), "pictures")
    with pytest.raises(InferenceError) as refused:
        session.run({"a": np.ones((4, 2), "f"), "b": np.ones((6, 2), "f")})
    assert "'b'" in str(refused.value.__cause__)


def test_outputs_come_by_their_names(runtime: Runtime) -> None:
    a, b = np.full((1, 2), 2, np.float32), np.full((1, 2), 3, np.float32)
    outputs = runtime.session(pair()).run({"b": b, "a": a})
    assert outputs["total"].tolist() == [[5, 5]]
    assert outputs["square"].tolist() == [[25, 25]]


def test_a_graph_comes_from_a_file_too(runtime: Runtime, tmp_path: Path) -> None:
    path = tmp_path / "affine.onnx"
    path.write_bytes(affine())
    np.testing.assert_array_equal(runtime.session(path).run({"x": X})["y"], X @ WEIGHTS + 1)


def test_a_session_does_not_keep_the_bytes_it_came_from(runtime: Runtime) -> None:
    graph = affine()
    held = sys.getrefcount(graph)
    session = runtime.session(graph)
    assert sys.getrefcount(graph) == held
    np.testing.assert_array_equal(session.run({"x": X})["y"], X @ WEIGHTS + 1)


def test_views_that_are_not_contiguous_are_read_right(runtime: Runtime) -> None:
    view = np.asfortranarray(np.arange(16, dtype=np.float32).reshape(4, 4))[::2]
    outputs = runtime.session(affine()).run({"x": view})
    np.testing.assert_array_equal(outputs["y"], np.ascontiguousarray(view) @ WEIGHTS + 1)


@pytest.mark.parametrize(
    ("inputs", "told"),
    [
        ({}, "takes ['x'], not []"),
        ({"z": X}, "takes ['x'], not ['z']"),
        ({"x": X, "z": X}, "takes ['x'], not ['x', 'z']"),
        ({"x": X[:, :3]}, "'x': float32 [N, 4] was given float32 [2, 3]"),
        ({"x": X[0]}, "'x': float32 [N, 4] was given float32 [4]"),
        ({"x": X.astype(np.float64)}, "'x': float32 [N, 4] was given float64 [2, 4]"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(
    runtime: Runtime, inputs: dict[str, Any], told: str
) -> None:
    with pytest.raises(InferenceError) as refused:
        runtime.session(affine()).run(inputs)
    assert told in str(refused.value.__cause__)
    assert "x" not in refused.value.detail.split()


def test_dimensions_of_one_name_are_one_length(runtime: Runtime) -> None:
    with pytest.raises(InferenceError) as refused:
        runtime.session(pair()).run({"a": np.ones((1, 2), "f"), "b": np.ones((3, 2), "f")})
    assert "'b'" in str(refused.value.__cause__)


def test_a_graph_that_fails_while_it_runs_is_an_inference_error(runtime: Runtime) -> None:
    session = runtime.session(lookup())
    row = np.arange(3, dtype=np.float32)
    assert session.run({"row": row, "index": np.array([2])})["y"].tolist() == [2]
    with pytest.raises(InferenceError) as failed:
        session.run({"row": row, "index": np.array([7])})
    assert failed.value.__cause__ is not None
    assert failed.value.detail == "a network failed"


def test_many_threads_may_run_one_session(runtime: Runtime) -> None:
    session = runtime.session(affine())

    def work(value: int) -> bool:
        x = np.full((1 + value % 5, 4), value, np.float32)
        return bool((session.run({"x": x})["y"] == x @ WEIGHTS + 1).all())

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(200)))


def test_a_file_that_is_not_there_is_an_artifact_error(runtime: Runtime, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"gone\.onnx' is not there"):
        runtime.session(tmp_path / "gone.onnx")


@pytest.mark.parametrize("damaged", [b"", b"not a graph", affine()[:-40]])
def test_a_damaged_graph_is_an_artifact_error(runtime: Runtime, damaged: bytes) -> None:
    with pytest.raises(ArtifactError, match="does not load"):
        runtime.session(damaged)


def test_the_cpu_is_taken_when_asked_for() -> None:
    assert Runtime("cpu").device_name == "cpu"


def test_threads_default_to_the_cores_that_may_be_used() -> None:
    assert Runtime("cpu").threads == usable_cores()
    assert Runtime("cpu", threads=3).threads == 3


@pytest.mark.parametrize(
    ("text", "cores"),
    [("200000 100000", 2), ("150000 100000", 2), ("max 100000", 2**16), ("?", 2**16)],
)
def test_the_quota_of_a_control_group_counts(tmp_path: Path, text: str, cores: int) -> None:
    (tmp_path / "cpu.max").write_text(text)
    assert _quota(tmp_path / "cpu.max") == cores


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert _quota(tmp_path / "cpu.max") == 2**16


def has_cuda() -> bool:
    return Runtime("auto").device_name == "cuda"


def test_auto_takes_cuda_where_it_can_be_used_and_the_cpu_elsewhere() -> None:
    runtime = Runtime("auto")
    assert runtime.device_name in ("cpu", "cuda")
    outputs = runtime.session(affine()).run({"x": X})
    np.testing.assert_allclose(outputs["y"], X @ WEIGHTS + 1)


def test_cuda_that_is_not_there_is_never_replaced_in_silence() -> None:
    if has_cuda():
        assert Runtime("cuda").device_name == "cuda"
        return
    with pytest.raises(ConfigurationError, match="'cuda' cannot be used"):
        Runtime("cuda")


class Fake:
    """ONNX Runtime as it behaves where CUDA is built in and no device can be used."""

    def __init__(self, fault: Exception | None) -> None:
        import onnxruntime

        self._real, self._fault = onnxruntime, fault

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def get_available_providers(self) -> list[str]:
        return [CUDA, "CPUExecutionProvider"]

    def InferenceSession(self, source: Any, options: Any, **rest: Any) -> Any:
        if self._fault is not None and rest["providers"] != ["CPUExecutionProvider"]:
            raise self._fault
        return self._real.InferenceSession(source, options, providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("fault", [None, RuntimeError("CUDA failure 35: driver too old")])
def test_a_device_that_only_claims_to_be_there_is_found_out(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: Exception | None
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", Fake(fault))  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="'cuda' cannot be used"):
        Runtime("cuda")
    assert Runtime("auto").device_name == "cpu"
    assert "networks run on the CPU" in caplog.text


def test_a_graph_that_the_device_refuses_is_not_run_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Runtime, "_try_cuda", lambda _: None)
    monkeypatch.setitem(sys.modules, "onnxruntime", Fake(None))  # type: ignore[arg-type]
    runtime = Runtime("cuda")
    assert runtime.device_name == "cuda"
    with pytest.raises(ConfigurationError, match="refused by the device"):
        runtime.session(affine())


def test_without_onnxruntime_the_extras_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigurationError, match=r"prefixel\[cpu\].*prefixel\[gpu\]"):
        Runtime()


def test_the_probe_is_a_graph_that_computes_nothing(runtime: Runtime) -> None:
    x = np.array([3], np.float32)
    assert runtime.session(PROBE).run({"x": x})["y"].tolist() == [3]
