"""The Dockerfile and docker-compose.yml, as far as they can be checked without an engine."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from service.cli.main import parser
from service.settings import Settings
from tests.deploy.support import DEPLOY, ROOT, check, load, need_module, tool

DOCKERFILE = ROOT / "Dockerfile"
TARGETS = ("cpu", "gpu")


def stages() -> dict[str, list[str]]:
    """Instructions by stage, in order; a stage begins with its FROM."""
    text = re.sub(r"\\\n\s*", " ", DOCKERFILE.read_text())
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("#") or not line.strip():
            continue
        if line.startswith("FROM"):
            name = line.split()[-1]
            found[name] = []
        found[name].append(line)
    return found


def let_in(path: str) -> bool:
    """Whether .dockerignore lets a path into the build: the last pattern that holds decides."""
    taken = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        pattern, keep = line.removeprefix("!"), line.startswith("!")
        # a pattern that names a folder holds for what is in it
        if any(
            Path(parent).match(pattern) for parent in (path, *map(str, Path(path).parents[:-1]))
        ):
            taken = keep
    return taken


def test_hadolint_finds_nothing() -> None:
    check(tool("hadolint"), DOCKERFILE)


def test_the_compose_file_is_of_the_compose_specification() -> None:
    need_module("check_jsonschema")
    check(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", "docker-compose.yml")


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_prefixel_serve_as_nobody_special(target: str) -> None:
    lines = stages()[target]
    user = next(line.split()[1] for line in lines if line.startswith("USER"))
    assert not {"0", "root"} & set(user.split(":"))
    command = json.loads(next(line for line in lines if line.startswith("CMD"))[4:])
    chosen = parser().parse_args(command[1:])
    assert (command[0], chosen.host) == ("prefixel", "0.0.0.0")
    assert f"EXPOSE {chosen.port}" in lines
    (check_line,) = [line for line in lines if line.startswith("HEALTHCHECK")]
    assert f"http://127.0.0.1:{chosen.port}/livez" in check_line
    compile(json.loads(check_line[check_line.index("[") :])[2], "HEALTHCHECK", "exec")


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_starts_with_what_its_build_compiled(target: str) -> None:
    (folder,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", " ".join(stages()[f"build-{target}"]))
    (enter,) = [line for line in stages()[target] if line.startswith("ENTRYPOINT")]
    words = json.loads(enter.removeprefix("ENTRYPOINT"))
    assert f"cp -R {folder}/. " in words[2]
    assert words[2].endswith('; exec "$@"')
    done = subprocess.run([*words, "printf", "%s|", "a b", "c"], env={}, capture_output=True)
    assert done.stdout == b"a b|c|"
    assert "ENV NUMBA_CPU_NAME=generic" in " ".join(stages()[f"python-{target}"])


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_has_the_extras_that_exist_and_no_tools_of_developers(target: str) -> None:
    build = " ".join(stages()[f"build-{target}"])
    (extras,) = re.findall(r"/src\[([\w,]+)\]", build)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(extras.split(",")) == {target, "heif"} <= set(project["optional-dependencies"])


def test_what_the_dockerfile_copies_is_there_and_comes_through_dockerignore() -> None:
    for line in stages()["source"][1:]:
        *sources, _ = line.removeprefix("COPY ").split()
        for source in sources:
            path = ROOT / source
            assert path.exists(), source
            inside = [path] if path.is_file() else [p for p in path.rglob("*.*") if p.is_file()]
            for file in inside:
                if "__pycache__" not in file.parts:
                    assert let_in(str(file.relative_to(ROOT))), file


@pytest.mark.parametrize(
    "path",
    [".git/config", "runs/x.pt", "models/zoo/layers.py", "tests/x.py", "service/__pycache__/x.pyc"],
)
def test_nothing_else_comes_into_the_build(path: str) -> None:
    assert not let_in(path)


def test_base_images_are_pinned_to_a_version() -> None:
    names = set(stages())
    bases = {lines[0].split()[1] for lines in stages().values()} - names - {"scratch"}
    images = {one["image"] for one in load(ROOT / "docker-compose.yml")["services"].values()}
    for image in bases | (images - {"prefixel"}):
        assert re.search(r":v?\d+\.\d+", image), image


def test_every_variable_that_is_set_is_a_setting() -> None:
    texts = (
        DOCKERFILE,
        ROOT / "docker-compose.yml",
        *(path for path in (DEPLOY / "kubernetes").rglob("*") if path.is_file()),
    )
    known = {f"PREFIXEL_{name.upper()}" for name in Settings.model_fields}
    for path in texts:
        assert set(re.findall(r"PREFIXEL_\w+", path.read_text())) <= known, path


def test_compose_stops_the_service_no_earlier_than_it_drains() -> None:
    service = load(ROOT / "docker-compose.yml")["services"]["prefixel"]
    seconds = int(service["stop_grace_period"].removesuffix("s"))
    settings = Settings()
    assert seconds > settings.drain_grace_seconds + settings.drain_seconds


def test_compose_keeps_redis_bounded_and_off_the_disk() -> None:
    command = load(ROOT / "docker-compose.yml")["services"]["redis"]["command"]
    given = dict(zip(command[1::2], command[2::2], strict=True))
    assert given["--maxmemory-policy"] == "allkeys-lfu"
    assert given["--maxmemory"] == "256mb"
    assert (given["--save"], given["--appendonly"]) == ("", "no")


def test_what_compose_mounts_is_there() -> None:
    for service in load(ROOT / "docker-compose.yml")["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (ROOT / source).is_dir(), source


def test_prometheus_scrapes_the_port_that_compose_sets() -> None:
    environment = load(ROOT / "docker-compose.yml")["services"]["prefixel"]["environment"]
    scrape = load(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"][0]
    port = environment["PREFIXEL_METRICS_PORT"]
    assert scrape["static_configs"][0]["targets"] == [f"prefixel:{port}"]
