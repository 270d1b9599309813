"""The Kubernetes files: of their schemas, agreeing with each other and with the settings."""

from __future__ import annotations

from typing import Any

import pytest

from service.settings import Settings
from tests.deploy.support import DEPLOY, load, need_module

FOLDER = DEPLOY / "kubernetes"
FILES = load(FOLDER / "kustomization.yaml")["resources"]


def one(name: str) -> Any:
    return load(FOLDER / f"{name}.yaml")


def container() -> dict[str, Any]:
    (found,) = one("deployment")["spec"]["template"]["spec"]["containers"]
    return dict(found)


@pytest.mark.parametrize("name", [name for name in FILES if name != "scaledobject.yaml"])
def test_a_file_is_of_its_schema(name: str) -> None:
    """KEDA's own kind has no schema in the package."""
    need_module("kubernetes_validate")
    import kubernetes_validate

    kubernetes_validate.validate(load(FOLDER / name), kubernetes_validate.latest_version(), True)


def test_the_kustomization_names_every_file() -> None:
    there = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(FILES) == there


def test_selectors_find_the_pods() -> None:
    labels = one("deployment")["spec"]["template"]["metadata"]["labels"]
    for selector in (
        one("deployment")["spec"]["selector"]["matchLabels"],
        one("service")["spec"]["selector"],
        one("poddisruptionbudget")["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert one("scaledobject")["spec"]["scaleTargetRef"]["name"] == "prefixel"


def test_the_pod_may_take_as_long_to_stop_as_the_settings_say() -> None:
    given = one("configmap")["data"]
    settings = Settings(
        drain_grace_seconds=given["PREFIXEL_DRAIN_GRACE_SECONDS"],
        drain_seconds=given["PREFIXEL_DRAIN_SECONDS"],
    )
    spec = one("deployment")["spec"]["template"]["spec"]
    needed = settings.drain_grace_seconds + settings.drain_seconds
    assert spec["terminationGracePeriodSeconds"] >= needed + 5
    probe = container()["readinessProbe"]
    told = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert settings.drain_grace_seconds > told, "balancers hear of it within the grace"


def test_probes_ask_what_they_should() -> None:
    found = container()
    assert found["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert found["startupProbe"]["httpGet"]["path"] == "/livez"
    assert found["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_container_can_do_little() -> None:
    security = container()["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"]["drop"] == ["ALL"]
    assert one("deployment")["spec"]["template"]["spec"]["securityContext"]["runAsNonRoot"]


def test_metrics_are_scraped_where_they_are_served() -> None:
    port = one("configmap")["data"]["PREFIXEL_METRICS_PORT"]
    annotations = one("deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == port
    assert {"name": "metrics", "containerPort": int(port)} in container()["ports"]
