"""The Dockerfile's own commands in a bare virtual environment, and what they install at work.

    python -m tests.proofs.image [--python /usr/bin/python3]

For machines without a container engine. What the stage ``source`` copies goes into an empty
folder, the RUN lines of ``build-cpu`` are run on it with other paths, and the image's ENTRYPOINT
with its CMD, and its HEALTHCHECK, are run as the image's USER, in a mount namespace whose root is
read-only and whose /tmp is an empty tmpfs. Needs root for the namespace, and a Python that other
users may read.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import httpx

from service.bench.photos import synthetic_photo, variant
from tests.deploy.support import ROOT
from tests.deploy.test_containers import let_in, stages
from tests.proofs.claims import Claims, heading
from tests.support.photos import encoded
from tests.support.redis_server import free_port

NAMESPACE = (
    "mount --make-rprivate / && mount -t tmpfs tmpfs /tmp && mount -o remount,bind,ro / &&"
    " exec setpriv --reuid {user} --regid {user} --clear-groups --no-new-privs"
    ' --inh-caps=-all --bounding-set=-all "$@"'
)
TOOLS = {"torch", "pytest", "mypy", "ruff", "pip", "setuptools", "hypothesis", "scipy"}
START_SECONDS = 180.0
ANSWER_SECONDS = 120.0
LATER = 7
FIRST_FACTOR = 3.0


def copy_source(into: Path) -> None:
    """What the stage ``source`` has."""
    for line in stages()["source"][1:]:
        *sources, target = line.removeprefix("COPY ").split()
        for source in sources:
            path, at = ROOT / source, into / target.removeprefix("/prefixel").lstrip("/")
            if path.is_dir():
                shutil.copytree(path, at, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
            else:
                at = at / path.name if target.endswith("/") else at
                at.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, at)
            assert let_in(source if path.is_file() else f"{source}/x"), source


def build(folder: Path, python: str) -> Path:
    """Run the RUN lines; the virtual environment."""
    copy_source(folder / "src")
    environment = {**os.environ, **variables("python-cpu")}
    for line in stages()["build-cpu"]:
        if line.startswith("RUN "):
            command = line.removeprefix("RUN ").replace("python3 -m venv", f"{python} -m venv")
            command = command.replace("/opt/prefixel", f"{folder}/venv")
            command = command.replace('"/src[', f'"{folder}/src[')
            words = ["nice", "-n", "19", "bash", "-ec", command]  # CI has other work beside it
            quiet = subprocess.DEVNULL
            subprocess.run(words, check=True, stdout=quiet, cwd="/", env=environment)
    return folder / "venv"


def variables(*names: str) -> dict[str, str]:
    """What ENV of some stages sets, but for PATH."""
    words = " ".join(line for name in names for line in stages()[name] if line.startswith("ENV"))
    found = re.findall(r'((?:PYTHON|PREFIXEL|NUMBA)\w+)=("[^"]*"|\S*)', words)
    return {name: value.strip('"') for name, value in found}


def prove(python: str) -> Claims:
    """Build, look, run."""
    claims = Claims()
    with tempfile.TemporaryDirectory(prefix="prefixel-image-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        begin = time.monotonic()
        venv = build(folder, python)
        claims.claim(True, "the build's commands run", f"{time.monotonic() - begin:.0f} s")
        shutil.rmtree(folder / "src")
        (packages,) = venv.glob("lib/python3*/site-packages")
        there = {path.name.split("-")[0].lower() for path in packages.iterdir()}
        size = sum(path.stat().st_size for path in venv.rglob("*") if path.is_file()) / 2**20
        claims.claim(
            not there & TOOLS,
            "no tools of developers",
            f"{size:.0f} MiB, {len(list(packages.glob('*.dist-info')))} packages,"
            f" of {sorted(TOOLS)}: {sorted(there & TOOLS)}",
        )
        code = sorted(path.name for path in (packages / "models").iterdir())
        claims.claim(
            set(code) <= {"__init__.py", "__pycache__", "artifacts"}, "no training code", str(code)
        )
        run_image(claims, venv)
    return claims


def run_image(claims: Claims, venv: Path) -> None:
    """CMD and HEALTHCHECK, as USER, on a root that is read-only."""
    lines = stages()["cpu"]
    user = next(line.split()[1].split(":")[0] for line in lines if line.startswith("USER"))
    command = json.loads(next(line for line in lines if line.startswith("CMD"))[4:])
    enter = next(line for line in lines if line.startswith("ENTRYPOINT"))
    first = json.loads(enter.removeprefix("ENTRYPOINT").replace("/opt/prefixel", str(venv)))
    health = next(line for line in lines if line.startswith("HEALTHCHECK"))
    check = json.loads(health[health.index("[") :])
    port = free_port()
    command[command.index("--port") + 1] = str(port)
    inside = ["unshare", "--mount", "bash", "-c", NAMESPACE.format(user=user), "image"]
    environment = {"PATH": f"{venv}/bin:/usr/bin:/bin", **variables("python-cpu", "cpu")}

    def probe() -> int:
        script = check[2].replace(":8000", f":{port}")
        words = [str(venv / "bin" / check[0]), check[1], script]
        done = subprocess.run([*inside, *words], env=environment, capture_output=True)
        return done.returncode

    begin = time.monotonic()
    process = subprocess.Popen([*inside, *first, *command], env=environment, stderr=subprocess.PIPE)
    try:
        due = begin + START_SECONDS
        while probe() and process.poll() is None and time.monotonic() < due:
            time.sleep(0.2)
        started = time.monotonic() - begin
        url = f"http://127.0.0.1:{port}"
        uploads = uploaded(url, 1 + LATER)
        with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
            made = client.post("/v1/images", content=encoded("heic"))
            small = client.get(f"/v1/images/{made.json()['id']}/thumb.webp?bytes=64")
        who = Path(f"/proc/{process.pid}/status").read_text()
        (uid,) = re.findall(r"^Uid:\s+(\d+)", who, re.MULTILINE)
        (capabilities,) = re.findall(r"^CapEff:\s+(\w+)", who, re.MULTILINE)
        claims.claim(
            (made.status_code, small.status_code, uid, int(capabilities, 16), probe())
            == (201, 200, user, 0, 0),
            "it serves on a read-only root, as nobody special",
            f"upload {made.status_code}, webp {small.status_code}, uid {uid},"
            f" capabilities {capabilities}, health check {probe()}",
        )
        built = compiled_in(venv / "compiled")
        there = compiled_in(Path(f"/proc/{process.pid}/root{environment['NUMBA_CACHE_DIR']}"))
        claims.claim(
            len(built) > 0 and there == built,
            "nothing is compiled by a start or a request",
            f"{len(built)} files of the build, others: {len(there.items() - built.items())},"
            f" up in {started:.1f} s",
        )
        first, later = uploads[0], median(uploads[1:])
        claims.claim(
            first <= FIRST_FACTOR * later,
            f"the first upload takes at most {FIRST_FACTOR:g} times a later one",
            f"{first:.2f} s, later ones {later:.2f} s (median of {LATER}), {first / later:.1f}"
            " times",
        )
    finally:
        process.terminate()
        _, words = process.communicate(timeout=60)
    claims.claim(
        process.returncode == 0 and probe() == 1,
        "SIGTERM ends it, and the health check says so",
        f"code {process.returncode}, health check {probe()}, last line {words.splitlines()[-1:]}",
    )


def uploaded(url: str, count: int) -> list[float]:
    """Seconds of uploads one after the other, all different."""
    photo, took = synthetic_photo(), []
    with httpx.Client(base_url=url, timeout=ANSWER_SECONDS) as client:
        for number in range(count):
            begin = time.monotonic()
            client.post("/v1/images", content=variant(photo, number)).raise_for_status()
            took.append(time.monotonic() - begin)
    return took


def compiled_in(folder: Path) -> dict[str, str]:
    """Files of a cache of machine code, and the hash of each."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*.nb?")
    }


def main() -> int:
    """Print the claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default="/usr/bin/python3")
    chosen = parser.parse_args()
    heading("The image, without an engine")
    if os.geteuid() != 0:
        print("root is needed, for a mount namespace with a read-only root")
        return 2
    return prove(chosen.python).end()


if __name__ == "__main__":
    sys.exit(main())
