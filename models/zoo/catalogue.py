"""Every system that can be trained, by name: how it is built and at which iterations it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from models.zoo import conv_autoencoder, conv_lstm, conv_residual, fc_lstm, fc_residual
from models.zoo.progressive import Progressive

PAPER = "Toderici et al. 2015, Variable Rate Image Compression with Recurrent Neural Networks"


@dataclass(frozen=True)
class System:
    """A paper's system.

    ``budgets`` are the iterations that spend 64 and 128 bytes, ``family`` the codec that serves it.
    """

    paper: str
    section: str
    wire_id: int
    configs: Mapping[str, Any]
    build: Callable[[Any], Progressive]
    budgets: Mapping[str, int]
    family: str = "recurrent"

    def config(self, fields: Mapping[str, Any]) -> Any:
        """The configuration that an artifact's manifest spells out."""
        (kind,) = {type(config) for config in self.configs.values()}
        return kind(**fields)


SIXTEEN_BYTES_A_STEP = {"64": 4, "128": 8}

SYSTEMS = {
    "conv-lstm": System(
        PAPER, "3.6", 1, conv_lstm.CONFIGS, conv_lstm.ConvLSTMCodec, SIXTEEN_BYTES_A_STEP
    ),
    "fc-shared": System(
        PAPER,
        "3.3",
        3,
        fc_residual.SHARED,
        fc_residual.FCResidualCodec,
        SIXTEEN_BYTES_A_STEP,
        "patches",
    ),
    "fc-distinct": System(
        PAPER,
        "3.3",
        4,
        fc_residual.DISTINCT,
        fc_residual.FCResidualCodec,
        SIXTEEN_BYTES_A_STEP,
        "patches",
    ),
    "fc-lstm": System(
        PAPER, "3.4", 5, fc_lstm.CONFIGS, fc_lstm.FCLSTMCodec, SIXTEEN_BYTES_A_STEP, "patches"
    ),
    "conv-shared": System(
        PAPER, "3.5", 6, conv_residual.SHARED, conv_residual.ConvResidualCodec, SIXTEEN_BYTES_A_STEP
    ),
    "conv-distinct": System(
        PAPER,
        "3.5",
        7,
        conv_residual.DISTINCT,
        conv_residual.ConvResidualCodec,
        SIXTEEN_BYTES_A_STEP,
    ),
    "conv-ae-64": System(
        PAPER, "3.5", 8, conv_autoencoder.BYTES_64, conv_residual.ConvResidualCodec, {"64": 1}
    ),
    "conv-ae-128": System(
        PAPER, "3.5", 9, conv_autoencoder.BYTES_128, conv_residual.ConvResidualCodec, {"128": 1}
    ),
}
