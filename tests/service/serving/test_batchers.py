"""A batch of uploads and stateless encodings: each gets its own, measured where that was asked."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from service.codec.geometry import THUMB
from service.codec.interface import Codec
from service.errors import QueueFullError
from service.observability.metrics import Metrics
from service.pictures import Picture
from service.serving.batchers import decoder, encoded
from service.serving.services import ToDecode, ToEncode
from service.settings import Settings
from tests.support.codec import GreyCodec, RawPhotoCodec
from tests.support.photos import crops

SHAPES = ((40, 24), (17, 64))


def test_a_mixed_batch_comes_back_in_its_order() -> None:
    rgb = [np.asarray(crop.resize((32, 32))) for crop in crops(5, seed=2)]
    pictures = [Picture(one, 32, 32, "PNG") for one in rgb]
    asked = [True, False, False, True, False]
    jobs = [ToEncode(*pair) for pair in zip(pictures, asked, strict=True)]
    found = encoded(GreyCodec(), jobs)
    alone = [GreyCodec().encode(one[None], [1.0])[0] for one in rgb]
    assert [one.stream for one in found] == [one.stream for one in alone]
    assert [bool(one.levels) for one in found] == asked


def test_photos_of_any_size_are_encoded_in_one_batch() -> None:
    codec = RawPhotoCodec()
    rgb = [np.asarray(crop.resize(size)) for crop, size in zip(crops(2), SHAPES, strict=True)]
    jobs = [ToEncode(Picture(one, 9, 9, "png", photo=one), measured=True) for one in rgb]
    for one, made in zip(rgb, encoded(codec, jobs), strict=True):
        np.testing.assert_array_equal(codec.decode([made.stream])[0], one)
        assert made.levels[-1].bytes == len(made.stream)


@pytest.mark.parametrize("codec", [GreyCodec(), RawPhotoCodec()])
def test_work_waits_up_to_its_cost_and_batches_are_of_one_size(codec: Codec) -> None:
    """The costs of the batchers are the codec's: a limit of less than two pictures holds one."""
    picture = np.asarray(crops(1)[0].resize((32, 32)))
    [made] = codec.encode([picture], [1.0])
    seconds = 1.5e-9 * codec.cost(THUMB)

    async def main() -> None:
        settings = Settings(queue_seconds=seconds, max_batch=4)
        batcher = decoder(codec, settings, Metrics())
        batcher.start()
        deadline = asyncio.get_running_loop().time() + 60
        jobs = [ToDecode(made.stream, size, THUMB, THUMB) for size in (None, 16, None, 8)]
        shown = await batcher.submit(jobs, deadline)
        with pytest.raises(QueueFullError):
            await asyncio.gather(*(batcher.submit(jobs[:1], deadline) for _ in range(3)))
        await batcher.drain()
        for job, rgb in zip(jobs, shown, strict=True):
            np.testing.assert_array_equal(rgb, codec.decode([job.prefix], job.size)[0])

    asyncio.run(main())
