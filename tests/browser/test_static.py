"""Photos without the service: files that `prefixel encode` wrote, served by nginx as any other."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from models.export.browser import KIT
from service.codec.registry import load_newest
from service.inference import Runtime
from service.settings import packaged_artifacts
from tests.browser.support import EVENTS, shown, told
from tests.support.photos import free_photos

CONFIGURATION = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 64; }}
http {{
  types {{ text/html html; text/javascript js; }}
  access_log off;
  client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
  uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
  server {{ listen 127.0.0.1:{port}; root {folder}/site; }}
}}
"""
"""No header is added, and a stream's type is unknown to it."""

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Photos</title><link rel="icon" href="data:,">
<script type="module" src="kit/element.js"></script>
<prefixel-img src="photos/china.pxl" width="320" height="214" alt="A palace"></prefixel-img>
<prefixel-img src="photos/flower.pxl" bytes="4000" width="320" height="214" alt="A flower">
</prefixel-img></html>
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """URL of nginx, and the folder that it serves."""
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if nginx is None and "CI" not in os.environ:
        pytest.skip("nginx is not installed")
    assert nginx is not None, "CI needs nginx"
    folder = tmp_path_factory.mktemp("static")
    folder.chmod(0o755)
    originals, site = folder / "originals", folder / "site"
    originals.mkdir()
    for name in ("china", "flower"):
        Image.fromarray(free_photos()[name]).save(originals / f"{name}.jpg", quality=90)
    command = [sys.executable, "-m", "service.cli.main", "encode", "--codec", "photo"]
    environment = {**os.environ, "PREFIXEL_PHOTO_NETWORKS": "0"}
    command += [originals, "-o", site / "photos"]
    subprocess.run(command, check=True, capture_output=True, env=environment)
    shutil.copytree(KIT, site / "kit")
    (site / "index.html").write_text(PAGE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=port))
    arguments = ["-p", folder, "-e", "stderr", "-c", folder / "nginx.conf"]
    if os.geteuid() == 0:  # its workers would be somebody who may not look into pytest's folders
        arguments += ["-g", "user root;"]
    process = subprocess.Popen([nginx, *arguments])
    _wait(port, process)
    yield f"http://127.0.0.1:{port}/", site
    process.terminate()
    process.wait(10)


def _wait(port, process):
    for _ in range(100):
        assert process.poll() is None, "nginx ended"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("nginx does not listen")


def test_files_of_the_command_line_are_painted_from_a_server_of_files(context, page, site):
    url, folder = site
    answers = []
    context.on("response", lambda answer: ".pxl" in answer.url and answers.append(answer))
    context.add_init_script(EVENTS)
    page.goto(url)
    told(page, "load", 2)
    codec = load_newest(packaged_artifacts(), ["photo"], Runtime("cpu", 1))["photo"]
    for name, length in (("china", None), ("flower", 4000)):
        stream = (folder / "photos" / f"{name}.pxl").read_bytes()[:length]
        found = shown(page, f"prefixel-img[src*={name}]")
        [expected] = codec.decode([stream], size=320)
        assert found.shape == expected.shape
        assert np.abs(found - expected).max() <= 1
    assert told(page, "paint")[0]["detail"]["bytes"] == 300
    asked = {one.url.rpartition("/")[2]: one for one in answers}
    assert asked["china.pxl"].status == 200
    assert asked["flower.pxl"].status == 206
    assert "prefixel" not in " ".join(asked["china.pxl"].headers)
    assert page.evaluate("shifts") == 0
