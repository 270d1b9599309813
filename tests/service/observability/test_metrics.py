"""Metrics are named in one place, summed over processes, and kept out of the global registry."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from service.observability.metrics import DEFINITIONS, PREFIX, STANDARD, Metrics
from tests.support.server import eventually


def exercise(metrics: Metrics) -> str:
    """Touch every metric once."""
    metrics.request("/v1/codecs", "GET", 200, 0.01)
    metrics.span("cache", 0.001)
    metrics.queue_depth("conv-lstm-encode", 3)
    metrics.dispatched("conv-lstm-encode", 4, "full")
    metrics.dropped("conv-lstm-encode", 1, "client")
    metrics.waited("conv-lstm-encode", 0.1)
    metrics.ran("conv-lstm-encode", 4, 0.1)
    metrics.rejected("queue-full")
    metrics.cache_event("hit")
    metrics.cache_error("timeout")
    metrics.cache_event("breaker_open")
    metrics.budget(64)
    metrics.sent(64)
    metrics.encoded("conv-lstm", 4)
    metrics.client_gone()
    metrics.decoder_died("crashed")
    metrics.workers_restarted(1)
    metrics.build("0.1.0", "cpu")
    metrics.artifact("conv-lstm", 0, "abc")
    return metrics.render().decode()


def test_exactly_the_defined_metrics_are_exposed_with_their_help_and_labels():
    text = exercise(Metrics())
    exposed = set(re.findall(r"^# HELP (\S+) ", text, re.MULTILINE))
    standard = {one.name for one in STANDARD}
    assert exposed == {f"{PREFIX}_{one.name}" for one in DEFINITIONS} | standard
    for one in STANDARD:
        assert f"# HELP {one.name} {one.help}\n" in text
    for one in DEFINITIONS:
        assert f"# HELP {PREFIX}_{one.name} {one.help}\n" in text
        for label in one.labels:
            assert re.search(rf"^{PREFIX}_{one.name}\w*{{[^}}]*{label}=", text, re.MULTILINE)


def test_two_applications_in_one_process_do_not_share_metrics():
    one, two = Metrics(), Metrics()
    one.client_gone()
    assert f"{PREFIX}_client_gone_total 0.0" in two.render().decode()
    assert not any(name.startswith(PREFIX) for name in REGISTRY._names_to_collectors)


def test_the_breaker_opens_and_closes():
    metrics = Metrics()
    for event, value in (("breaker_open", 1), ("breaker_closed", 0)):
        metrics.cache_event(event)
        assert f"{PREFIX}_cache_breaker_open {value:.1f}" in metrics.render().decode()


@pytest.mark.parametrize("place", ["service"])
def test_no_other_file_names_a_metric(place):
    """So that a name can be changed, and found, in one place."""
    names = [one.name for one in DEFINITIONS]
    for path in Path(place).rglob("*.py"):
        if path.name not in {"metrics.py", "processes.py"}:
            text = path.read_text()
            assert not [name for name in names if f'"{PREFIX}_{name}' in text], path
            assert "prometheus_client import" not in text, path


def test_several_processes_count_together(tmp_path):
    script = (
        "from tests.service.observability.test_metrics import exercise;"
        "from service.observability.metrics import Metrics; import sys, time; m = Metrics();"
        "exercise(m); m.tell_worker(int(sys.argv[1])); print(flush=True); time.sleep(60)"
    )
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(place)], env=environment, stdout=subprocess.PIPE
        )
        for place in range(2)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    eventually(lambda: len([*tmp_path.glob("worker-*")]) == 2)
    shown = subprocess.run(
        [
            sys.executable,
            "-c",
            "from service.observability.metrics import Metrics; print(Metrics().render().decode())",
        ],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for worker in workers:
        worker.kill()
        worker.communicate()
    assert f"{PREFIX}_client_gone_total 2.0" in shown
    for place in range(2):
        assert re.search(rf'^process_resident_memory_bytes{{worker="{place}"}} \d', shown, re.M)
        gc = rf'^python_gc_collections_total{{generation="0",worker="{place}"}} \d'
        assert re.search(gc, shown, re.M)
    told = {name for name in re.findall(r"^# HELP (\S+) ", shown, re.M) if PREFIX not in name}
    assert told == {one.name for one in STANDARD}
    assert f'{PREFIX}_pictures_total{{codec="conv-lstm"}} 8.0' in shown
