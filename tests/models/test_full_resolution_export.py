"""Graphs of the recurrent codecs say what torch says, at sizes that they were not traced at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from models.export.full_resolution import export_graphs, round_weights
from models.zoo.toderici2016.codec import Codec, Config
from models.zoo.toderici2016.network import Widths

TINY = Widths((4, 8, 8, 8), (8, 8, 8, 8, 8))
ITERATIONS = 3


@pytest.fixture(scope="module", params=["gru", "lstm"])
def exported(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Codec, Path]:
    """Residual scaling: the reconstruction that has all graphs. An LSTM has two states a cell."""
    torch.manual_seed(4)
    model = Codec(Config(request.param, "scaling", TINY, gain_width=4)).eval()
    round_weights(model, eight_bits=True)
    folder = tmp_path_factory.mktemp("graphs")
    assert set(export_graphs(model, folder, eight_bits=True)) == {"encoder", "decoder", "gain"}
    return model, folder


def step(session: onnxruntime.InferenceSession, *values: np.ndarray) -> list[np.ndarray]:
    return session.run(None, dict(zip((i.name for i in session.get_inputs()), values, strict=True)))


@pytest.mark.parametrize(("batch", "height", "width"), [(1, 32, 32), (1, 96, 64), (3, 64, 160)])
def test_graphs_code_any_size_as_torch_does(exported, batch: int, height: int, width: int) -> None:
    model, folder = exported
    sessions = {
        role: onnxruntime.InferenceSession(folder / f"{role}.onnx")
        for role in ("encoder", "decoder", "gain")
    }
    torch.manual_seed(8)
    x = torch.rand(batch, 3, height, width) * 1.8 - 0.9
    with torch.no_grad():
        pictures, codes = model(x, ITERATIONS)
    states = [
        [s.numpy() for s in half.start(batch, height, width)]
        for half in (model.encoder, model.decoder)
    ]
    picture, gain = np.zeros_like(x.numpy()), np.float32(1)
    for bits, expected in zip(codes, pictures, strict=True):
        found, *states[0] = step(sessions["encoder"], gain * (x.numpy() - picture), *states[0])
        assert (found == bits.numpy()).mean() > 0.999
        output, *states[1] = step(sessions["decoder"], bits.numpy(), *states[1])
        picture = output / gain + picture
        (gain,) = step(sessions["gain"], picture)
        np.testing.assert_allclose(picture, expected.numpy(), atol=1e-4)


def test_kernels_are_bytes_and_nothing_says_where_they_were_made(exported) -> None:
    for graph in exported[1].glob("*.onnx"):
        model = onnx.load(graph)
        kernels = [t for t in model.graph.initializer if len(t.dims) == 4]
        assert kernels
        assert {t.data_type for t in kernels} == {onnx.TensorProto.INT8}
        assert b"/" not in b"".join(n.doc_string.encode() for n in model.graph.node)
