"""Ids depend on all that changes the picture; a document names only what is there."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.cache import Key, MemoryStore
from service.codec.interface import Encoded
from service.http.jobs import documents
from service.http.jobs.documents import DOCUMENT, document, image_id
from service.http.jobs.facts import ImageFacts, facts_of, write_facts, write_image
from service.http.jobs.stored import load_image
from service.pictures import PIPELINE_VERSION
from tests.support.codec import GreyCodec

WHITE, BLACK = (255, 255, 255), (0, 0, 0)
ID = "a" * 26
STREAM = bytes((1 << 3 | 2, 64 << 1)) + bytes(range(256))


CODEC = GreyCodec(wire_id=1, version=2, readable_versions=frozenset((2,)))
CODECS = {"a": replace(CODEC, name="a"), "b": replace(CODEC, name="b")}


def facts_v(stream):
    return hashlib.sha256(stream).hexdigest()[:8]


def test_an_id_is_the_hmac_of_version_options_and_bytes():
    text = b"prefixel %d ffffff\nphoto" % PIPELINE_VERSION
    full = hmac.new(b"key", text, hashlib.sha256).digest()
    expected = base64.b32encode(full[:16]).decode().rstrip("=").lower()
    assert image_id(b"key", WHITE, b"photo") == expected


@given(st.binary(max_size=64), st.binary(max_size=64), st.binary(), st.binary())
def test_ids_differ_by_key_background_and_bytes(key, other_key, data, other_data):
    id = image_id(key, WHITE, data)
    assert re.fullmatch("[a-z2-7]{26}", id)
    assert image_id(key, BLACK, data) != id
    assert (image_id(key, WHITE, other_data) == id) == (data == other_data)
    # HMAC fills a key with zeros up to its block, so those do not tell keys apart
    same = key.rstrip(b"\0") == other_key.rstrip(b"\0")
    assert (image_id(other_key, WHITE, data) == id) == same


def test_another_version_of_the_pipeline_gives_other_ids(monkeypatch):
    before = image_id(b"", WHITE, b"photo")
    monkeypatch.setattr(documents, "PIPELINE_VERSION", PIPELINE_VERSION + 1)
    assert image_id(b"", WHITE, b"photo") != before


def kept(store, *codecs, stream=STREAM):
    async def put():
        for codec in codecs:
            facts = facts_of(CODEC, Encoded(STREAM, ()), facts_v(STREAM))
            await store.put(Key(ID, codec), stream, write_facts(facts))
        await store.note(Key(ID, DOCUMENT), write_image(ImageFacts(3, 2, "jpeg")))

    asyncio.run(put())


def test_a_document_names_the_streams_that_are_there_and_no_others():
    store = MemoryStore(2**20)
    kept(store, "b")
    image = asyncio.run(load_image(store, CODECS, ID))
    assert list(image.streams) == ["b"]
    content = document(image, CODECS, "/photos")
    assert content["aspect"] == 1.5
    assert content["codecs"]["b"]["urls"]["pxl"] == (
        f"/photos/v1/images/{ID}/thumb.pxl?codec=b&v={facts_v(STREAM)}"
    )
    assert "stream" not in content["codecs"]["b"]


def test_facts_of_another_stream_are_not_taken_for_this_one():
    store = MemoryStore(2**20)
    kept(store, "a", stream=STREAM[:-1])
    assert asyncio.run(load_image(store, CODECS, ID)).streams == {}


def test_an_unknown_image_is_none():
    assert asyncio.run(load_image(MemoryStore(2**20), CODECS, ID)) is None


@pytest.mark.parametrize("stored", [True, False])
def test_a_document_says_whether_it_is_kept(stored):
    store = MemoryStore(2**20)
    kept(store, "a")
    image = asyncio.run(load_image(store, CODECS, ID))
    assert document(image, CODECS, "", stored=stored)["stored"] is stored
