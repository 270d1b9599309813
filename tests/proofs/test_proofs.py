"""Short, sure versions of the proofs; the commands themselves take longer and print figures."""

from __future__ import annotations

import asyncio

import pytest

from tests.proofs import budgets, chaos, drain, fuzz, overload, rude, versions
from tests.proofs.claims import Claims
from tests.support.codec import DEFAULT, RawPhotoCodec
from tests.support.redis_server import RedisServer, redis_binary

pytestmark = pytest.mark.timeout(300)


def test_no_answer_is_longer_than_its_budget():
    assert budgets.prove(pictures=8).failed == []


def test_damaged_uploads_and_streams_end_with_2xx_or_4xx():
    assert fuzz.prove(uploads=250, streams=250, seed=20150101).failed == []


def test_slow_bodies_hold_nothing():
    claims = Claims()
    asyncio.run(rude.slow_bodies(claims, clients=16, rounds=2, seconds=1.2))
    assert claims.failed == []


def test_no_picture_of_a_client_that_left_is_encoded():
    claims = Claims()
    rude.leavers(claims, clients=60, hold_seconds=3)
    assert claims.failed == []


def test_redis_may_die_and_hang_and_come_back():
    redis_binary()
    assert asyncio.run(chaos.prove(seconds=1.5)).failed == []


def test_sigterm_under_load_loses_nothing():
    assert asyncio.run(drain.prove(connections=16, times=1)).failed == []


def test_what_is_accepted_in_an_overload_keeps_its_deadline():
    """Times of the 503s are for the command: here the machine may be busy with other tests."""
    failed = asyncio.run(overload.prove(seconds=3, times=6, able_seconds=2)).failed
    assert [claim for claim in failed if not claim.startswith(("503 comes", "6 times"))] == []


def test_two_versions_share_a_cache_while_the_later_one_is_rolled_out():
    with RedisServer() as redis, versions.small_servers(redis.url) as (old, new):
        codecs = (DEFAULT, RawPhotoCodec().name)
        assert versions.prove(old, new, redis, codecs, photos=8).failed == []
