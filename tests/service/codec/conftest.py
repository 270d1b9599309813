"""The shipped codecs, loaded once."""

from __future__ import annotations

import pytest

from service.codec.prefixel.codec import EmbeddedCodec
from service.codec.recurrent.adaptive_patches import PatchCodec
from service.codec.recurrent.codec import RecurrentCodec
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts


@pytest.fixture(scope="session")
def conv_lstm() -> RecurrentCodec:
    codec = load_newest(packaged_artifacts(), ["conv-lstm"], Runtime("cpu", 1))["conv-lstm"]
    assert isinstance(codec, RecurrentCodec)
    return codec


@pytest.fixture(scope="session")
def fc_lstm() -> PatchCodec:
    codec = load_newest(packaged_artifacts(), ["fc-lstm"], Runtime("cpu", 1))["fc-lstm"]
    assert isinstance(codec, PatchCodec)
    return codec


@pytest.fixture(scope="session")
def prefixel() -> EmbeddedCodec:
    codec = load_newest(packaged_artifacts(), ["prefixel"], Runtime("cpu", 1))["prefixel"]
    assert isinstance(codec, EmbeddedCodec)
    return codec
