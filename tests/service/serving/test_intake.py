"""Bodies in work have places, bytes, and a share for one client; all of it is given back."""

from __future__ import annotations

import pytest

from service.errors import ClientShareError, QueueFullError
from service.serving.intake import Intake


def test_one_client_gets_its_share_others_the_rest():
    intake = Intake(8, 1000, 0.25)
    first, second = intake.enter("a"), intake.enter("a")
    with pytest.raises(ClientShareError):
        intake.enter("a")
    others = [intake.enter(name) for name in "bbccdd"]
    with pytest.raises(QueueFullError):
        intake.enter("e")
    first.leave()
    intake.enter("a").leave()
    for place in (second, *others):
        place.leave()
    assert intake.bodies == 0
    assert not intake._by_client


def test_a_client_that_is_not_known_has_no_share_and_a_share_is_one_place_at_least():
    intake = Intake(3, 1000, 0.01)
    assert [intake.enter(None), intake.enter(None), intake.enter("a")]
    assert intake.bodies == 3


def test_bytes_are_bounded_and_given_back():
    intake = Intake(3, 1000)
    place = intake.enter()
    place.hold(900)
    with pytest.raises(QueueFullError):
        place.hold(101)
    place.hold(100)
    with pytest.raises(QueueFullError):
        intake.enter()
    place.leave()
    assert (intake.bodies, intake.held_bytes) == (0, 0)
