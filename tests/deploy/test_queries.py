"""Every query of the dashboard, the alerts and the autoscaler asks for a metric that there is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, get_args

import pytest

from service.observability.metrics import BY_NAME, PREFIX, STANDARD, Definition, Span
from tests.deploy.support import DEPLOY, load, need_module

VARIABLES = {"$job": "prefixel", "$__rate_interval": "5m"}
SERIES = {
    "histogram": ("_bucket", "_sum", "_count"),
    "counter": ("",),
    "gauge": ("",),
}
SCRAPED = {"job", "instance"}
DASHBOARD = DEPLOY / "grafana" / "dashboards" / "prefixel.json"


def panels() -> list[dict[str, Any]]:
    return [panel for panel in json.loads(DASHBOARD.read_text())["panels"] if "targets" in panel]


def queries() -> Iterator[tuple[str, str]]:
    """(where, PromQL) of all files."""
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            yield f"panel {panel['title']}", expression
    for group in load(DEPLOY / "prometheus" / "alerts.yml")["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    for trigger in load(DEPLOY / "kubernetes" / "components" / "keda" / "scaledobject.yaml")[
        "spec"
    ]["triggers"]:
        if trigger["type"] == "prometheus":
            yield "autoscaler", trigger["metadata"]["query"]


def series() -> dict[str, Definition]:
    """Every name that Prometheus can ask for, and the metric it belongs to."""
    ours = {
        f"{PREFIX}_{definition.name}{suffix}": definition
        for definition in BY_NAME.values()
        for suffix in SERIES[definition.kind]
    }
    return ours | {definition.name: definition for definition in STANDARD}


def labels(name: str, definition: Definition) -> set[str]:
    return {*definition.labels, *SCRAPED, *(("le",) if name.endswith("_bucket") else ())}


@pytest.mark.parametrize(("where", "expression"), [pytest.param(*q, id=q[0]) for q in queries()])
def test_a_query_names_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    need_module("promql_parser")
    import promql_parser

    known = series()
    selectors: list[Any] = []
    grouped: list[str] = []

    def visit(node: Any) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            selectors.append(node)
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
            grouped.extend(node.modifier.labels)
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    assert selectors, f"{where} asks for nothing"
    there: set[str] = set()
    for selector in selectors:
        if selector.name == "up":  # Prometheus' own
            there |= SCRAPED
            continue
        assert selector.name in known, f"{where}: no metric is called {selector.name}"
        there |= labels(selector.name, known[selector.name])
        for matcher in selector.matchers.matchers:
            assert matcher.name in there, f"{where}: {selector.name} has no {matcher.name}"
            if matcher.name == "span":
                assert matcher.value in get_args(Span), f"{where}: no span {matcher.value}"
    assert set(grouped) <= there, f"{where}: groups by {set(grouped) - there}"


def test_every_metric_is_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    missing = [name for name in BY_NAME if f"{PREFIX}_{name}" not in shown]
    assert missing == []


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_ids_of_panels_are_unique() -> None:
    ids = [panel["id"] for panel in json.loads(DASHBOARD.read_text())["panels"]]
    assert len(ids) == len(set(ids))
