"""Every error is a problem document of its own type, and says no more than it should."""

from __future__ import annotations

import json

import httpx
import pytest

from service import errors
from service.http.protocol.problems import URN, problem_answer
from service.http.request.context import Context
from tests.support.server import running_service


def kinds(base: type[errors.PrefixelError] = errors.PrefixelError):
    """Every error that HTTP can meet; one that code alone tells apart has its base's slug."""
    if "slug" in vars(base):
        yield base
    for kind in base.__subclasses__():
        yield from kinds(kind)


SPECIAL = {errors.ParameterError: ("name", "wrong", "1 to 2"), errors.RangeError: (9,)}


@pytest.mark.parametrize("kind", list(kinds()), ids=lambda kind: kind.__name__)
def test_an_error_is_a_whole_problem_document_that_no_cache_keeps(kind):
    error = kind(*SPECIAL.get(kind, ("what happened",)))
    context = Context("id-1")
    response = problem_answer(error, context)
    content = json.loads(bytes(response.body))
    assert response.status_code == content["status"] == kind.status
    assert content["type"] == URN + kind.slug
    assert content["title"] == kind.title
    assert content["detail"]
    assert content["request_id"] == "id-1"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert ("retry-after" in response.headers) == (kind.status in (429, 503))
    assert context.error == kind.slug


def test_each_type_has_a_slug_of_its_own():
    slugs = [kind.slug for kind in kinds()]
    assert len(set(slugs)) == len(slugs)


def test_an_unsatisfiable_range_says_the_length():
    assert (
        problem_answer(errors.RangeError(258), Context("")).headers["content-range"]
        == "bytes */258"
    )


def test_a_member_cannot_overwrite_what_the_document_says():
    error = errors.PrefixelError("detail", status=200, limit=3)
    content = json.loads(bytes(problem_answer(error, Context("")).body))
    assert (content["status"], content["limit"]) == (500, 3)


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


def test_a_path_that_is_not_served_is_404(server):
    answer = httpx.get(server.url + "/nothing/here")
    assert (answer.status_code, answer.json()["type"]) == (404, URN + "no-route")


def test_a_method_that_a_path_does_not_take_is_405_and_names_those_it_takes(server):
    answer = httpx.delete(server.url + "/livez")
    assert (answer.status_code, answer.json()["type"]) == (405, URN + "method")
    assert set(answer.headers["allow"].split(", ")) == {"GET", "HEAD"}


@pytest.mark.parametrize("value", ["-1", "61", "x", ""])
def test_what_fastapi_refuses_is_400_with_the_parameter_and_its_range(server, value):
    answer = httpx.get(server.url + "/test/sleep", params={"seconds": value})
    content = answer.json()
    assert answer.status_code == 400
    assert content["type"] == URN + "parameter"
    assert content["parameter"] == "seconds"
    assert content["allowed"] == "from 0 up to 60"


def test_bytes_that_are_not_http_are_400_and_the_service_lives_on(server):
    from tests.support.raw import connection, read_answer

    with connection(server) as sock:
        sock.sendall(b"\x16\x03\x01 what\r\n\r\n")
        assert read_answer(sock)[0] == 400
    assert httpx.get(server.url + "/livez").is_success
