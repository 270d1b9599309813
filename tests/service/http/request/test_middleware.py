"""What every answer carries, whatever made it."""

from __future__ import annotations

from datetime import UTC, datetime

import httpx
import pytest

from tests.support.server import eventually, running_service


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


@pytest.mark.parametrize("given", ["abc-1.2_3", "A" * 64])
def test_a_sane_request_id_is_kept_in_the_answer_the_problem_and_the_log(server, given):
    answer = httpx.get(server.url + "/nothing", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] == given
    assert answer.json()["request_id"] == given
    eventually(lambda: any(line["request_id"] == given for line in server.events("request")))


@pytest.mark.parametrize("given", ["", "a b", 'x"y', "A" * 65, "a\tb"])
def test_any_other_request_id_is_replaced(server, given):
    answer = httpx.get(server.url + "/livez", headers={"X-Request-ID": given})
    assert answer.headers["x-request-id"] not in ("", given)


def test_two_requests_have_two_ids(server):
    ids = {httpx.get(server.url + "/livez").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


def test_an_unknown_exception_is_a_problem_that_tells_nothing_and_a_log_that_tells_all(server):
    answer = httpx.get(server.url + "/test/fail", headers={"X-Request-ID": "failing"})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    eventually(lambda: bool(server.events("unhandled")))
    line = server.first("unhandled")
    assert line["request_id"] == "failing"
    assert "a secret of the house" in line["stack"]


def test_metrics_are_labelled_with_templates_and_never_with_what_clients_invent(server):
    httpx.get(server.url + "/v1/images/" + "a" * 26)
    httpx.get(server.url + "/invented/path")
    httpx.patch(server.url + "/livez")
    text = httpx.get(server.url + "/metrics").text
    assert 'method="GET",route="/v1/images/{id}",status="404"' in text
    assert 'method="GET",route="other",status="404"' in text
    assert 'method="other",route="/livez",status="405"' in text
    assert "aaaaaaaa" not in text


def test_each_request_is_one_line_of_the_log(server):
    httpx.get(server.url + "/v1/codecs?x=1", headers={"X-Request-ID": "logged"})
    eventually(lambda: any(line["request_id"] == "logged" for line in server.events("request")))
    (line,) = [line for line in server.events("request") if line["request_id"] == "logged"]
    assert (line["method"], line["route"], line["path"]) == ("GET", "/v1/codecs", "/v1/codecs")
    assert line["status"] == 400
    assert line["error"] == "parameter"
    assert 0 < line["seconds"] < 10


def line_of(server, given):
    def found():
        return [line for line in server.events("request") if line["request_id"] == given]

    eventually(lambda: bool(found()))
    return found()[0]


def test_the_time_of_a_line_is_when_it_is_written(server):
    began = datetime.now(UTC)
    httpx.get(server.url + "/test/sleep?seconds=0.5", headers={"X-Request-ID": "slept"})
    at = datetime.fromisoformat(line_of(server, "slept")["time"])
    assert 0.5 <= (at - began).total_seconds() < 30


def test_a_line_names_the_peer_and_nothing_that_anyone_may_write(server):
    headers = {"X-Request-ID": "peer", "X-Forwarded-For": "8.8.8.8"}
    httpx.get(server.url + "/v1/codecs", headers=headers)
    assert line_of(server, "peer")["client"] == "127.0.0.1"


def test_behind_a_proxy_that_is_trusted_a_line_names_whom_it_forwards_and_debug_has_probes():
    settings = {"PREFIXEL_TRUSTED_PROXIES": "127.0.0.0/8", "PREFIXEL_LOG_LEVEL": "debug"}
    with running_service(**settings) as behind:
        headers = {"X-Request-ID": "forwarded", "X-Forwarded-For": "x, 8.8.8.8"}
        httpx.get(behind.url + "/readyz", headers=headers)
        line = line_of(behind, "forwarded")
        assert (line["client"], line["level"]) == ("8.8.8.8", "debug")


def test_probes_and_metrics_are_no_news(server):
    for path in ("/livez", "/readyz", "/metrics"):
        httpx.get(server.url + path, headers={"X-Request-ID": "quiet"}).raise_for_status()
    httpx.get(server.url + "/v1/codecs", headers={"X-Request-ID": "after"})
    line_of(server, "after")
    assert not [line for line in server.events("request") if line["request_id"] == "quiet"]


def test_a_path_cannot_break_the_log(server):
    httpx.get(server.url + "/%22%0A%7B%E2%98%83")
    eventually(lambda: any(line.get("path") == '/"\n{☃' for line in server.events("request")))


def test_server_timing_is_told_to_the_same_origins_but_not_on_immutable_answers(server):
    answer = httpx.get(server.url + "/test/sleep?seconds=0")
    assert answer.headers["server-timing"].startswith("cache;dur=")
    assert answer.headers["timing-allow-origin"] == "*"
    immutable = httpx.get(server.url + "/test/immutable")
    assert "server-timing" not in immutable.headers


def test_with_every_origin_allowed_answers_do_not_vary(server):
    answer = httpx.get(server.url + "/livez", headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["access-control-expose-headers"] == "*"
    assert "vary" not in answer.headers


def test_a_list_of_origins_allows_them_alone_and_makes_answers_vary():
    with running_service(PREFIXEL_CORS_ORIGINS="https://a.example, https://b.example") as server:
        allowed = httpx.get(server.url + "/livez", headers={"Origin": "https://b.example"})
        assert allowed.headers["access-control-allow-origin"] == "https://b.example"
        assert allowed.headers["vary"] == "Origin"
        for other in ({"Origin": "https://c.example"}, {}):
            refused = httpx.get(server.url + "/test/sleep?seconds=0", headers=other)
            assert "access-control-allow-origin" not in refused.headers
            assert "timing-allow-origin" not in refused.headers
            assert refused.headers["vary"] == "Origin"


def test_a_preflight_is_answered_without_the_token_it_cannot_have(server):
    headers = {
        "Origin": "https://any.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = httpx.options(server.url + "/v1/images", headers=headers)
    assert answer.status_code == 204
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert answer.headers["access-control-allow-origin"] == "*"
