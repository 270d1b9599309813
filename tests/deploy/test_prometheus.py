"""Prometheus' own tool reads its configuration, and alerts fire when they should."""

from __future__ import annotations

from tests.deploy.support import DEPLOY, ROOT, check, load, tool

PROMETHEUS = DEPLOY / "prometheus"


def test_promtool_takes_the_configuration_and_the_rules() -> None:
    check(tool("promtool"), "check", "config", PROMETHEUS / "prometheus.yml")


def test_alerts_fire_when_they_should_and_only_then() -> None:
    check(tool("promtool"), "test", "rules", ROOT / "tests" / "deploy" / "alerts.yml")


def test_every_alert_has_a_test_that_makes_it_fire() -> None:
    rules = load(PROMETHEUS / "alerts.yml")["groups"][0]["rules"]
    cases = load(ROOT / "tests" / "deploy" / "alerts.yml")["tests"]
    fired = {
        case["alertname"]
        for test in cases
        for case in test["alert_rule_test"]
        if case.get("exp_alerts")
    }
    assert fired == {rule["alert"] for rule in rules}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in load(PROMETHEUS / "alerts.yml")["groups"][0]["rules"]:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert set(rule["annotations"]) == {"summary", "action"}
