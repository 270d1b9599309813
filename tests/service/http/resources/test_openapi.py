"""The OpenAPI document tells the whole border, and /docs loads nothing from anywhere."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess

import httpx
import pytest

from service.http.resources.docs_examples import EXAMPLES, HOST
from service.http.resources.docs_page import page
from tests.support.photos import encoded
from tests.support.server import REAL, running_service


@pytest.fixture(scope="module")
def server():
    with running_service() as started:
        yield started


@pytest.fixture(scope="module")
def document(server):
    return httpx.get(server.url + "/openapi.json").raise_for_status().json()


def operations(document):
    """Every operation of an OpenAPI document."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_path_of_the_design_is_there(document):
    wanted = {
        "/v1/images",
        "/v1/images/{id}",
        "/v1/images/{id}/thumb.pxl",
        "/v1/images/{id}/thumb.webp",
        "/v1/images/{id}/thumb.png",
        "/v1/images/{id}/thumb.jpg",
        "/v1/thumbs",
        "/v1/encode",
        "/v1/decode",
        "/v1/codecs",
        "/livez",
        "/readyz",
        "/metrics",
    }
    assert wanted <= set(document["paths"])


def test_every_operation_has_an_id_of_its_own_and_documents_its_problems(document):
    ids = [operation["operationId"] for _, operation in operations(document)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if status.isdigit() and int(status) >= 400 and "content" in response:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
        assert "500" in operation["responses"], name


def test_nothing_refers_to_a_schema_that_is_not_there(document):
    schemas = document["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", str(document)):
        assert name in schemas
    assert "HTTPValidationError" not in str(document)


def test_docs_have_no_script_and_no_foreign_resource_and_a_policy_that_says_so(server):
    answer = httpx.get(server.url + "/docs")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "<script" not in answer.text
    assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert f"style-src 'sha256-{digest}'" in policy
    assert "/v1/images/{id}/thumb.pxl" in answer.text


def test_docs_escape_what_the_document_holds():
    evil = "<img src=x>"
    made = page(
        {
            "info": {"title": evil, "version": "1"},
            "paths": {evil: {"get": {"description": evil, "responses": {}, "operationId": "x"}}},
        }
    )
    assert evil not in made


def test_docs_have_one_entry_a_path_uploads_first_with_contents(server, document):
    text = httpx.get(server.url + "/docs").text
    anchors = re.findall(r'<section id="([^"]+)">', text)
    assert len(anchors) == len(set(anchors)) == len(document["paths"])
    assert anchors[0] == "v1-images"
    assert re.findall(r'<li><a href="#([^"]+)">', text) == anchors


def test_every_path_has_an_example(document):
    assert set(document["paths"]) == set(EXAMPLES)


def test_docs_render_markdown_and_no_html():
    operation = {"description": "a `code` and <b>", "responses": {}, "operationId": "x"}
    made = page({"info": {"title": "T", "version": "1"}, "paths": {"/x": {"get": operation}}})
    assert "a <code>code</code> and &lt;b&gt;" in made


def test_every_curl_line_of_the_docs_is_answered_as_it_says(tmp_path):
    curl = shutil.which("curl")
    if curl is None and "CI" not in os.environ:
        pytest.skip("curl is not installed")
    assert curl is not None, "CI needs curl"
    (tmp_path / "photo.jpg").write_bytes(encoded("jpeg"))
    environment = {"PREFIXEL_CODECS": "prefixel,photo"}
    with running_service(REAL, **environment) as real:
        answer = httpx.post(f"{real.url}/v1/images", content=encoded("jpeg"), timeout=60)
        for path in EXAMPLES:
            example = EXAMPLES[path]
            line = example.curl.replace(HOST, real.url) + " -D headers"
            found = subprocess.run(
                ["bash", "-c", f"id={answer.json()['id']}; {line}"],
                cwd=tmp_path,
                capture_output=True,
                check=True,
            )
            head, _, body = example.answer.partition("\n\n")
            status, *headers = head.split("\n")
            said = (tmp_path / "headers").read_text().lower()
            # an upload that is known is 200
            assert f" {'200' if path == '/v1/images' else status} " in said.split("\n")[0], path
            for header in headers:
                name, _, _ = header.partition(": ")
                wanted = header if name in ("content-type", "content-length") else f"{name}: "
                assert wanted in said, (path, header)
            if body.startswith("{"):
                assert set(re.findall(r'^\{"(\w+)"', body)) <= set(json.loads(found.stdout)), path
