"""What an orchestrator is told, and when."""

from __future__ import annotations

import httpx

from tests.support.codec import DEFAULT
from tests.support.server import eventually, running_service


def test_a_dead_worker_fails_livez_and_leaves_readyz_alone():
    with running_service() as server:
        assert httpx.get(server.url + "/livez").json() == {"status": "ok"}
        httpx.post(server.url + "/test/kill-worker")
        eventually(lambda: httpx.get(server.url + "/livez").status_code == 503)
        answer = httpx.get(server.url + "/livez")
        assert answer.json()["dead"] == [f"{DEFAULT}-encode"]
        assert answer.headers["content-type"] == "application/problem+json"
        assert httpx.get(server.url + "/readyz").status_code == 200


def test_readyz_does_not_depend_on_redis():
    with running_service(PREFIXEL_REDIS_URL="redis://127.0.0.1:1/0") as server:
        answer = httpx.get(server.url + "/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ok", "device": "given"})
        assert httpx.get(server.url + "/livez").status_code == 200


def test_metrics_can_have_a_port_of_their_own_and_then_only_that():
    with running_service(PREFIXEL_METRICS_PORT=0) as server:
        port = server.first("listening")["metrics_port"]
        assert port != server.port
        found = httpx.get(f"http://127.0.0.1:{port}/metrics")
        assert "# HELP prefixel_queue_depth" in found.text
        assert found.headers["content-type"].startswith("text/plain")
        assert httpx.get(f"http://127.0.0.1:{port}/other").status_code == 404
        assert httpx.get(server.url + "/metrics").status_code == 404


def test_health_answers_head_as_well():
    with running_service() as server:
        for path in ("/livez", "/readyz", "/metrics"):
            assert httpx.head(server.url + path).status_code == 200
