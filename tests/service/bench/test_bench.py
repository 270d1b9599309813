"""``prefixel bench`` measures a service that runs, beside a peer, and says what went wrong."""

from __future__ import annotations

import json
from io import BytesIO

import httpx
import pytest
from PIL import Image

from service.bench import ROUTES
from service.bench.photos import SIZE, different, synthetic_photo, variant
from service.bench.servers import PEER, started
from service.cli.main import main
from service.codec.geometry import THUMB_SIDE
from tests.support.photos import encoded
from tests.support.server import Server, running_service


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(encoded("jpeg"))
    return str(path)


def test_every_route_of_service_and_peer_is_measured_under_both_loads(
    server: Server, photo, capsys
):
    options = ["--seconds", "0.1", "--connections", "2", "--rate", "40", "--json", "-"]
    assert main(["bench", "--url", server.url, "--photo", photo, *options]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {(row["route"], row["loop"].split(",")[0], row["server"]) for row in found["rows"]}
    assert rows == {
        (route, loop, name)
        for route in ROUTES
        for loop in ("closed", "open")
        for name in ("prefixel", "pillow-webp")
    }
    for row in found["rows"]:
        assert row["unanswered"] == 0, row
        assert set(row["statuses"]) <= {"200", "201"}, row
        assert row["p50_ms"] <= row["p99_ms"], row
    uploads = [row for row in found["rows"] if row["route"] == "upload"]
    assert all(set(row["statuses"]) == {"201"} for row in uploads), "each upload is a new one"
    assert {"python", "prefixel", "uvicorn"} <= set(found["machine"]["versions"])


def test_the_table_names_machine_and_client(server: Server, photo, capsys):
    options = ["--seconds", "0.1", "--routes", "thumb.pxl", "--no-peer"]
    assert main(["bench", "--url", server.url, "--photo", photo, *options]) == 0
    text = capsys.readouterr().out
    assert text.startswith("machine: ")
    assert "client: " in text
    assert text.count("| thumb.pxl |") == 2


def test_a_service_that_is_not_there_is_work_that_failed(photo, capsys):
    assert main(["bench", "--url", "http://127.0.0.1:1", "--photo", photo, "--no-peer"]) == 1
    assert "prefixel: " in capsys.readouterr().err


def test_a_token_that_is_needed_is_asked_for(photo, capsys):
    with running_service(PREFIXEL_UPLOAD_TOKENS="secret") as closed:
        command = ["bench", "--url", closed.url, "--photo", photo, "--no-peer"]
        command += ["--routes", "encode", "--seconds", "0.1"]
        assert main(command) == 1
        assert "401" in capsys.readouterr().err
        assert main([*command, "--token", "secret"]) == 0


@pytest.mark.parametrize(
    "options",
    [["--routes", "thumb"], ["--seconds", "0"], ["--url", "https://x"], ["--photo", __file__]],
)
def test_wrong_use_is_two(options, capsys):
    assert main(["bench", *options]) == 2
    assert "prefixel: " in capsys.readouterr().err


def test_the_synthetic_photo_is_a_photo_and_its_variants_differ_in_bytes_only():
    jpeg = synthetic_photo()
    one, other = variant(jpeg, 1), variant(jpeg, 2)
    assert one != other
    with Image.open(BytesIO(one)) as first, Image.open(BytesIO(other)) as second:
        assert first.size == SIZE
        assert first.tobytes() == second.tobytes()
    assert len(jpeg) > 50_000, "as much detail as a photo of this size"


def test_different_photos_are_different_pictures():
    photos = different(encoded("jpeg"), 5)
    pictures = []
    for photo in photos:
        with Image.open(BytesIO(photo)) as picture:
            pictures.append(picture.tobytes())
    assert len(set(pictures)) == 5


def test_the_peer_makes_what_it_says():
    with started(PEER) as url, httpx.Client(base_url=url) as client:
        made = client.post("/images", content=encoded("jpeg"))
        kept = client.get(f"/images/{made.json()['id']}/thumb.webp")
        with Image.open(BytesIO(kept.content)) as small:
            assert (small.format, small.size) == ("WEBP", (THUMB_SIDE, THUMB_SIDE))
        painted = client.post("/decode", content=kept.content)
        with Image.open(BytesIO(painted.content)) as png:
            assert (png.format, png.size) == ("PNG", (THUMB_SIDE, THUMB_SIDE))
        assert client.get("/images/x/thumb.webp").status_code == 404
        many = client.get("/thumbs", params={"ids": f"{made.json()['id']},x"})
        assert many.content == len(kept.content).to_bytes(2, "big") + kept.content + b"\0\0"
