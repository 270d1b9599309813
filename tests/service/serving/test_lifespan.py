"""Settings that contradict the codecs or each other are refused before anything is served."""

from __future__ import annotations

import pytest

from service.errors import ConfigurationError
from service.serving.lifespan import picture_memory
from service.settings import Settings
from tests.support.app import running_app
from tests.support.codec import GreyCodec, RawPhotoCodec

PHOTO_BYTES = 9 * 1024**2
"""Of the largest photo below: opened (6 bytes a pixel), and what encoding it takes (3)."""


def memory(codecs, total_bytes):
    settings = Settings(photo_side=1024, decode_memory_bytes=total_bytes)
    return picture_memory(settings, {codec.name: codec for codec in codecs})


def test_what_encoding_a_photo_takes_is_set_aside_once():
    both = GreyCodec(), RawPhotoCodec()
    assert memory(both, PHOTO_BYTES) == PHOTO_BYTES - 3 * 1024**2
    assert memory(both[:1], PHOTO_BYTES) == PHOTO_BYTES


def test_settings_that_never_encode_the_largest_photo_name_both():
    with pytest.raises(ConfigurationError) as wrong:
        memory([RawPhotoCodec()], PHOTO_BYTES - 1)
    text = str(wrong.value)
    assert "PREFIXEL_PHOTO_SIDE is 1024" in text
    assert f"takes {PHOTO_BYTES} bytes; PREFIXEL_DECODE_MEMORY_BYTES is {PHOTO_BYTES - 1}" in text
    assert memory([GreyCodec()], PHOTO_BYTES - 1)


def test_a_service_does_not_start_with_them():
    with (
        pytest.raises(ConfigurationError, match="PREFIXEL_DECODE_MEMORY_BYTES"),
        running_app((GreyCodec(), RawPhotoCodec()), decode_memory_bytes=2**20),
    ):
        pass


def test_the_default_codec_must_be_there():
    with pytest.raises(ConfigurationError, match="raw-photo"), running_app((RawPhotoCodec(),)):
        pass
