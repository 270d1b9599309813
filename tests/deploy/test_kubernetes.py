"""The Kubernetes files, rendered: of their schemas, agreeing with each other and the settings."""

from __future__ import annotations

import json
import re
import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
import yaml

from service.settings import Settings
from tests.deploy.support import DEPLOY, load, need_module, tool
from tests.support import npm

FOLDER = DEPLOY / "kubernetes"
COMPONENTS = tuple(sorted(path.name for path in (FOLDER / "components").iterdir()))
OVERLAYS = ("base", "overlays/keda", "overlays/gpu", "everything")
FOREIGN = {"ScaledObject", "PodMonitor"}
"""Kinds of others (KEDA, Prometheus' operator)."""

Kinds = dict[str, dict[str, Any]]


@cache
def rendered(overlay: str) -> Kinds:
    """What ``kubectl kustomize`` makes, by kind; "everything" has all components."""
    folder = FOLDER / overlay
    with TemporaryDirectory(dir=FOLDER) as name:
        if overlay == "everything":
            folder = Path(name)
            whole = {
                "resources": ["../base"],
                "components": [f"../components/{one}" for one in COMPONENTS],
            }
            (folder / "kustomization.yaml").write_text(yaml.safe_dump(whole))
        done = subprocess.run(
            [tool("kubectl"), "kustomize", folder], capture_output=True, text=True
        )
    assert done.returncode == 0, done.stderr
    documents = list(yaml.safe_load_all(done.stdout))
    kinds = {one["kind"]: one for one in documents}
    assert len(kinds) == len(documents), "a kind is there once"
    return kinds


@pytest.fixture(params=OVERLAYS)
def kinds(request: pytest.FixtureRequest) -> Kinds:
    return rendered(request.param)


def pod(kinds: Kinds) -> dict[str, Any]:
    return dict(kinds["Deployment"]["spec"]["template"]["spec"])


def container(kinds: Kinds) -> dict[str, Any]:
    (found,) = pod(kinds)["containers"]
    return dict(found)


def settings(kinds: Kinds) -> Settings:
    """As a pod would have them."""
    given = kinds["ConfigMap"]["data"]
    return Settings(**{name.removeprefix("PREFIXEL_").lower(): v for name, v in given.items()})


def test_all_that_is_rendered_is_of_its_schema(kinds: Kinds) -> None:
    need_module("kubernetes_validate")
    import kubernetes_validate

    for kind, one in kinds.items():
        if kind not in FOREIGN:
            kubernetes_validate.validate(one, kubernetes_validate.latest_version(), True)


def foreign_check(documents: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """Against the schemas of their makers, which a package of npm holds."""
    script = Path(__file__).with_name("foreign_kinds.mjs")
    return subprocess.run(
        [npm.node(), script, npm.package("@kubernetes-models").parent.resolve()],
        input=json.dumps(documents),
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_kinds_of_others_are_of_their_schemas() -> None:
    kinds = rendered("everything")
    documents = [kinds[kind] for kind in sorted(FOREIGN)]
    done = foreign_check(documents)
    assert done.returncode == 0, done.stderr
    for one in documents:
        wrong = {**one, "spec": {**one["spec"], "selector": 3, "triggers": 3}}
        assert foreign_check([wrong]).returncode != 0, one["kind"]


def test_the_base_needs_no_kind_that_kubernetes_has_not() -> None:
    assert not FOREIGN & set(rendered("base"))


def test_every_file_is_rendered_somewhere() -> None:
    for path in FOLDER.rglob("*.yaml"):
        if path.name != "kustomization.yaml":
            beside = load(path.with_name("kustomization.yaml"))
            assert path.name in beside["resources"], path


def test_exactly_one_autoscaler_holds_the_replicas(kinds: Kinds) -> None:
    (scaler,) = {"HorizontalPodAutoscaler", "ScaledObject"} & set(kinds)
    spec = kinds[scaler]["spec"]
    assert spec["scaleTargetRef"]["name"] == kinds["Deployment"]["metadata"]["name"]
    least = spec["minReplicas" if scaler.startswith("H") else "minReplicaCount"]
    assert kinds["Deployment"]["spec"]["replicas"] == least
    assert least > kinds["PodDisruptionBudget"]["spec"]["maxUnavailable"]


def test_keda_takes_a_fallback_for_average_values_alone() -> None:
    """Its admission refuses others: a fallback is a number of replicas' worth of the threshold."""
    spec = rendered("overlays/keda")["ScaledObject"]["spec"]
    types = {one.get("metricType", "AverageValue") for one in spec["triggers"]}
    assert "fallback" not in spec or types == {"AverageValue"}
    # and its processor trigger cannot be the only one where it may go down to none
    assert spec["minReplicaCount"] >= 1


def test_selectors_find_the_pods(kinds: Kinds) -> None:
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    selectors = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    if "PodMonitor" in kinds:
        selectors.append(kinds["PodMonitor"]["spec"]["selector"]["matchLabels"])
    spread = pod(kinds)["topologySpreadConstraints"]
    assert {one["topologyKey"] for one in spread} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    selectors += [one["labelSelector"]["matchLabels"] for one in spread]
    for selector in selectors:
        assert selector.items() <= labels.items()


def test_a_change_of_the_settings_rolls_the_pods(kinds: Kinds) -> None:
    name = kinds["ConfigMap"]["metadata"]["name"]
    assert re.fullmatch(r"prefixel-[a-z0-9]{10}", name)
    assert {"configMapRef": {"name": name}} in container(kinds)["envFrom"]


def test_the_settings_of_the_files_are_settings(kinds: Kinds) -> None:
    known = {f"PREFIXEL_{name.upper()}" for name in Settings.model_fields}
    assert set(kinds["ConfigMap"]["data"]) <= known
    assert settings(kinds)


def test_the_pod_may_take_as_long_to_stop_as_the_settings_say(kinds: Kinds) -> None:
    given = settings(kinds)
    needed = given.drain_grace_seconds + given.drain_seconds
    assert pod(kinds)["terminationGracePeriodSeconds"] >= needed + 5
    probe = container(kinds)["readinessProbe"]
    assert probe["failureThreshold"] == 3, "one slow answer takes no pod out"
    told = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert given.drain_grace_seconds > told, "balancers hear of it within the grace"


def test_probes_ask_what_they_should(kinds: Kinds) -> None:
    found = container(kinds)
    assert found["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert found["startupProbe"]["httpGet"]["path"] == "/livez"
    assert found["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_the_container_can_do_little(kinds: Kinds) -> None:
    security = container(kinds)["securityContext"]
    assert security["readOnlyRootFilesystem"]
    assert not security["allowPrivilegeEscalation"]
    assert security["capabilities"]["drop"] == ["ALL"]
    assert pod(kinds)["securityContext"]["runAsNonRoot"]


def test_metrics_are_scraped_where_they_are_served_and_once(kinds: Kinds) -> None:
    port = kinds["ConfigMap"]["data"]["PREFIXEL_METRICS_PORT"]
    assert {"name": "metrics", "containerPort": int(port)} in container(kinds)["ports"]
    annotations = kinds["Deployment"]["spec"]["template"]["metadata"].get("annotations", {})
    if "PodMonitor" in kinds:
        (endpoint,) = kinds["PodMonitor"]["spec"]["podMetricsEndpoints"]
        assert endpoint["port"] == "metrics"
        assert not annotations
    else:
        assert annotations["prometheus.io/port"] == port


def test_what_may_come_in_reaches_the_ports_and_metrics_are_not_public(kinds: Kinds) -> None:
    ports = {one["name"] for one in container(kinds)["ports"]}
    rules = kinds["NetworkPolicy"]["spec"]["ingress"]
    assert {port["port"] for rule in rules for port in rule["ports"]} == ports
    for rule in rules:
        if "from" not in rule:
            assert [port["port"] for port in rule["ports"]] == ["http"]


def test_the_ingress_lets_pass_what_the_service_takes() -> None:
    kinds = rendered("everything")
    prefix = "nginx.ingress.kubernetes.io/"
    given = {
        name.removeprefix(prefix): value
        for name, value in kinds["Ingress"]["metadata"]["annotations"].items()
    }
    service = settings(kinds)
    body_bytes = int(given["proxy-body-size"].removesuffix("m")) * 2**20
    assert service.body_limit_bytes < body_bytes < 2 * service.body_limit_bytes
    longest = service.body_timeout_seconds + service.deadline_seconds
    assert int(given["proxy-read-timeout"]) > longest
    assert int(given["proxy-send-timeout"]) > service.body_timeout_seconds
    for rule in kinds["Ingress"]["spec"]["rules"]:
        for path in rule["http"]["paths"]:
            assert path["backend"]["service"]["name"] == kinds["Service"]["metadata"]["name"]
            ports = [one["name"] for one in kinds["Service"]["spec"]["ports"]]
            assert path["backend"]["service"]["port"]["name"] in ports


def test_the_gpu_overlay_asks_for_a_device_and_insists_on_it() -> None:
    kinds = rendered("overlays/gpu")
    assert container(kinds)["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert settings(kinds).device == "cuda"
    assert container(kinds)["image"] != container(rendered("base"))["image"]
