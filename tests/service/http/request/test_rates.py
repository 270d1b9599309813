"""With PREFIXEL_RATE_LIMIT one client, and one token, may ask only so often."""

from __future__ import annotations

import httpx
import pytest

from service.http.request.rates import REMEMBERED, Schedule
from tests.support.server import running_service


def test_a_burst_then_a_rate_and_each_one_for_itself():
    now = [100.0]
    schedule = Schedule(2.0, 3, lambda: now[0])
    assert [schedule.take("a") for _ in range(3)] == [0, 0, 0]
    assert schedule.take("a") == pytest.approx(0.5)
    assert schedule.take("b") == 0
    now[0] += 0.25
    assert schedule.take("a") == pytest.approx(0.25)  # those that were refused cost nothing
    now[0] += 0.25
    assert schedule.take("a") == 0
    now[0] += 60
    assert [schedule.take("a") for _ in range(4)] == [0, 0, 0, pytest.approx(0.5)]


def test_it_remembers_a_bounded_number_of_clients():
    schedule = Schedule(1.0, 1, lambda: 0.0)
    for n in range(REMEMBERED + 10):
        schedule.take(str(n))
    assert len(schedule._due) == REMEMBERED


@pytest.fixture(scope="module")
def limited():
    with running_service(
        PREFIXEL_RATE_LIMIT=0.1,
        PREFIXEL_RATE_BURST=3,
        PREFIXEL_TRUSTED_PROXIES="127.0.0.1",
        PREFIXEL_UPLOAD_TOKENS="one, two",
    ) as server:
        yield server


def ask(server, client: str, token: str = "") -> httpx.Response:
    headers = {"X-Forwarded-For": client}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.get(server.url + "/v1/codecs", headers=headers)


def test_past_it_a_client_hears_429_with_retry_after_and_others_hear_nothing_of_it(limited):
    assert [ask(limited, "8.8.8.8").status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = ask(limited, "8.8.8.8")
    assert refused.json()["type"] == "urn:prefixel:problem:rate-limit"
    assert refused.headers["retry-after"] in ("9", "10")
    assert refused.headers["access-control-allow-origin"] == "*"
    assert ask(limited, "8.8.4.4").status_code == 200
    assert 'reason="rate-limit"} 2.0' in httpx.get(limited.url + "/metrics").text


def test_a_token_has_a_rate_of_its_own_wherever_its_holders_are(limited):
    asked = [ask(limited, f"9.9.9.{n}", "one").status_code for n in range(4)]
    assert asked == [200, 200, 200, 429]
    assert ask(limited, "9.9.9.9", "two").status_code == 200
    assert ask(limited, "9.9.9.1").status_code == 200


def test_a_token_that_does_not_hold_counts_for_its_client(limited):
    asked = [ask(limited, "9.9.8.8", f"guess-{n}").status_code for n in range(4)]
    assert asked == [200, 200, 200, 429]


def test_whoever_watches_the_service_is_not_counted(limited):
    headers = {"X-Forwarded-For": "7.7.7.7"}
    for path in ("/livez", "/readyz", "/metrics"):
        answers = {httpx.get(limited.url + path, headers=headers).status_code for _ in range(5)}
        assert answers == {200}


def test_without_the_setting_nobody_is_counted():
    with running_service(PREFIXEL_TRUSTED_PROXIES="none", PREFIXEL_RATE_BURST=1) as server:
        assert {ask(server, "8.8.8.8").status_code for _ in range(5)} == {200}
