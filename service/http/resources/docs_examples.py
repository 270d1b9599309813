"""Of each path a curl line and what it answers, for /docs; a test sends every one of them."""

from __future__ import annotations

from dataclasses import dataclass

HOST = "http://127.0.0.1:8000"
IMAGE = f"{HOST}/v1/images/$id"


@dataclass(frozen=True, slots=True)
class Example:
    """What is typed, and what comes back: a status line, some headers, the body or what it is."""

    curl: str
    answer: str


def _raster(kind: str, output: str, query: str) -> Example:
    media_type = {"jpg": "image/jpeg"}.get(output, f"image/{output}")
    length = query.partition("bytes=")[2].partition("&")[0]
    return Example(
        f'curl -s "{IMAGE}/{kind}.{output}?{query}" -o {kind}.{output}',
        f"200\ncontent-type: {media_type}\nprefixel-bytes: {length}\n\nthe picture",
    )


EXAMPLES = {
    "/v1/images": Example(
        f"curl -s -F file=@photo.jpg {HOST}/v1/images",
        """201
location: /v1/images/yqdlfpmmgkqvv7qgb226rehngy

{"id": "yqdlfpmmgkqvv7qgb226rehngy", "width": 640, "height": 427, "aspect": 1.498829,
 "format": "jpeg", "stored": true, "codecs": {"prefixel": {"bytes": 512, "v": "7dda8f2f", ...,
   "levels": [{"bytes": 64, "ssim": 0.85, "psnr": 24.1}, ...],
   "urls": {"pxl": "/v1/images/yqdlfpmmgkqvv7qgb226rehngy/thumb.pxl?codec=prefixel&v=7dda8f2f",
     ...}}, "photo": {...}}}""",
    ),
    "/v1/images/{id}": Example(
        f'curl -s "{IMAGE}"', '200\n\n{"id": "yqdlfpmmgkqvv7qgb226rehngy", ...}: as the upload said'
    ),
    "/v1/images/{id}/thumb.pxl": Example(
        f'curl -s "{IMAGE}/thumb.pxl?bytes=64" -o thumb.pxl',
        "200\ncontent-type: application/vnd.prefixel\ncontent-length: 64\nprefixel-stream: 7dda8f2f"
        "\n\n64 bytes: a whole picture, to be continued with Range: bytes=64- and v=7dda8f2f",
    ),
    "/v1/images/{id}/photo.pxl": Example(
        f'curl -s "{IMAGE}/photo.pxl?bytes=500" -o photo.pxl',
        "200\ncontent-type: application/vnd.prefixel\ncontent-length: 500"
        "\n\nthe photo in 500 bytes",
    ),
    **{
        f"/v1/images/{{id}}/thumb.{output}": _raster("thumb", output, "bytes=64&size=256")
        for output in ("webp", "png", "jpg")
    },
    **{
        f"/v1/images/{{id}}/photo.{output}": _raster("photo", output, "bytes=500&width=320")
        for output in ("webp", "png", "jpg", "avif")
    },
    "/v1/thumbs": Example(
        f'curl -s "{HOST}/v1/thumbs?ids=$id,$id&bytes=64" -o page.pxlc',
        "200\ncontent-type: application/vnd.prefixel-container\n\nboth prefixes in one body,"
        " each with its state (CONTAINER.md)",
    ),
    "/v1/encode": Example(
        f'curl -s --data-binary @photo.jpg "{HOST}/v1/encode?bytes=64" -o photo-64.pxl',
        "200\ncontent-type: application/vnd.prefixel\ncontent-length: 64\n\nthe stream's first 64"
        " bytes; nothing is kept",
    ),
    "/v1/decode": Example(
        f'curl -s --data-binary @photo-64.pxl "{HOST}/v1/decode?format=png" -o thumb.png',
        "200\ncontent-type: image/png\nprefixel-bytes: 64\n\nthe picture",
    ),
    "/v1/codecs": Example(
        f"curl -s {HOST}/v1/codecs",
        """200

{"default": "prefixel", "uploads": ["prefixel", "photo"], "codecs": [{"name": "photo",
   "wire_id": 16, "version": 1, "kind": "photo", ...}, ...]}""",
    ),
    "/livez": Example(f"curl -s {HOST}/livez", '200\n\n{"status": "ok"}'),
    "/readyz": Example(f"curl -s {HOST}/readyz", '200\n\n{"status": "ok", "device": "cpu"}'),
    "/metrics": Example(
        f"curl -s {HOST}/metrics",
        "200\ncontent-type: text/plain; version=0.0.4\n\n# HELP prefixel_queue_depth ...",
    ),
}
"""By path, in the order of the page: uploads first."""
