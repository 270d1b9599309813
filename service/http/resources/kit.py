"""/kit/*, the browser kit, and /, the gallery: files read once and compressed once.

A file has two URLs: ``/kit/NAME`` may change with an update, ``/kit/RELEASE/NAME`` never does,
RELEASE being the hash of all files together. Modules import each other by relative URLs, so a page
that starts at a release stays within it.
"""

from __future__ import annotations

import functools
import gzip
import hashlib
from dataclasses import dataclass
from pathlib import Path

from starlette.requests import Request

from service.errors import NoRouteError
from service.http.protocol.conditional import strong_etag
from service.http.protocol.reply import Headers, Reply
from service.http.protocol.representation import Representation, answer
from service.http.protocol.resource import Operation, Resource, endpoint

STATIC = Path(__file__).parents[2] / "static"
TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".pxl": "application/vnd.prefixel",
    ".jpg": "image/jpeg",
}
PACKED = ("application/vnd.prefixel", "image/jpeg")
"""What gzip makes no smaller."""
RELEASE_DIGITS = 12
IMMUTABLE = b"public, max-age=31536000, immutable"
FRESH = b"public, max-age=300, stale-while-revalidate=86400"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self';"
    " img-src 'self' blob: data:; connect-src 'self'; worker-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""No inline script or style; WebAssembly may be compiled, which needs its own permission."""


@dataclass(frozen=True, slots=True)
class File:
    """What is sent for one name: as it is and compressed, each with its SHA-256."""

    media_type: str
    bodies: dict[str, bytes]
    digests: dict[str, bytes]


@functools.cache  # for all applications of a process: of one's start it would be the most
def make_file(content: bytes, media_type: str) -> File:
    """Compress once; ``bodies`` by content coding, "" being none."""
    bodies = {"": content}
    if media_type not in PACKED:
        bodies["gzip"] = gzip.compress(content, 9, mtime=0)
    digests = {coding: hashlib.sha256(body).digest() for coding, body in bodies.items()}
    return File(media_type, bodies, digests)


def read_files(folder: Path) -> dict[str, bytes]:
    """Everything below the kit's folder that a browser may ask for, by its relative path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.suffix in TYPES and path.is_file()
    }


def release_of(contents: dict[str, bytes]) -> str:
    """Hex digits that change with any name or byte."""
    digest = hashlib.sha256()
    for name, content in sorted(contents.items()):
        digest.update(b"%s %d\n" % (name.encode(), len(content)))
        digest.update(content)
    return digest.hexdigest()[:RELEASE_DIGITS]


def resources(*, demo: bool) -> tuple[Resource, ...]:
    """The routes; ``demo``: the gallery compares formats (/demo/compare is there)."""
    contents = read_files(STATIC / "kit")
    release = release_of(contents)
    files = {
        name: make_file(content, TYPES[Path(name).suffix]) for name, content in contents.items()
    }
    text = (STATIC / "index.html").read_text()
    text = text.replace("{kit}", f"kit/{release}").replace("{demo}", "on" if demo else "off")
    page = make_file(text.encode(), "text/html; charset=utf-8")

    async def kit(request: Request) -> Reply:
        """A file of the kit."""
        path: str = request.path_params["path"]
        first, _, rest = path.partition("/")
        is_named = first == release
        file = files.get(rest if is_named else path)
        if file is None:
            raise NoRouteError("the kit has no such file, or not in this release")
        return _reply(request, file, ((b"cache-control", IMMUTABLE if is_named else FRESH),))

    async def gallery(request: Request) -> Reply:
        """The gallery page."""
        headers = (
            (b"cache-control", b"no-cache"),
            (b"content-security-policy", PAGE_POLICY.encode()),
            (b"referrer-policy", b"no-referrer"),
        )
        return _reply(request, page, headers)

    return tuple(
        Resource(path, "kit", {"GET": Operation(endpoint(function), "", {})}, is_public=False)
        for path, function in (("/", gallery), ("/kit/{path:path}", kit))
    )


def _reply(request: Request, file: File, headers: Headers) -> Reply:
    takes_gzip = "gzip" in file.bodies and _takes_gzip(request.headers.get("accept-encoding", ""))
    coding = "gzip" if takes_gzip else ""
    common = (
        *headers,
        (b"vary", b"Accept-Encoding"),
        (b"cross-origin-resource-policy", b"cross-origin"),
    )
    content: Headers = ((b"content-type", file.media_type.encode()),)
    if coding:
        content = (*content, (b"content-encoding", coding.encode()))
    digest = file.digests[coding]
    representation = Representation(strong_etag(digest), digest, common, content)
    return answer(request.scope, representation, file.bodies[coding])


def _takes_gzip(value: str) -> bool:
    """Whether Accept-Encoding names gzip and does not refuse it (RFC 9110, section 12.5.3)."""
    for part in value.split(","):
        coding, _, weight = part.partition(";")
        if coding.strip().lower() == "gzip":
            number = weight.strip().lower().removeprefix("q=").strip()
            return not number or number.strip("0.") != ""
    return False
