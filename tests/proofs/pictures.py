"""Files that once opened wrongly or not at all: a row a file, its status or how alike it is.

    python -m tests.proofs.pictures --data DIR

DIR holds uploads, and NAME.expected.png beside NAME.ext: the picture it holds, upright over white.
An upload without one must open if its name is in OPENS, and is refused with 422 if it is in
REFUSED. A ``.txt`` is a request with <picture> where a photo's bytes belong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import httpx
import numpy as np

from service.errors import PictureError
from service.pictures import Limits, Opener
from service.quality.ms_ssim import standard_ssim
from tests.proofs.claims import Claims, heading, table
from tests.proofs.watching import real_service
from tests.support.photos import encoded

SIDE = 64
LEAST_SSIM, MOST_LEVELS = 0.92, 4.0
"""What lossy files lose by themselves: the worst of them has chroma of half the size."""

OPENS = ("bmp-4bit-clrused-256", "png-exif-after-idat", "tiff-orientation-count-2")
REFUSED = ("jpeg-half-then-zeros",)
OPENER = Opener(Limits())


def look(upload: Path) -> tuple[str, str, bool]:
    """What came of an upload, what should have, and whether that is so."""
    beside = upload.with_name(f"{upload.stem}.expected.png")
    try:
        found = OPENER.open(upload.read_bytes(), size=SIDE)
    except PictureError as error:
        wanted_status = 422 if upload.stem in REFUSED else 0
        found_text, wanted_text = f"{error.status} {error.detail}", str(wanted_status or "opens")
        return found_text, wanted_text, error.status == wanted_status
    size = f"{found.width} x {found.height}"
    if not beside.exists():
        return f"opens, {size}", "opens", upload.stem in OPENS
    wanted = OPENER.open(beside.read_bytes(), size=SIDE)
    alike = float(standard_ssim(found.rgb[None], wanted.rgb[None])[0])
    error = float(np.abs(found.rgb.astype(int) - wanted.rgb).mean())
    is_right = (
        alike >= LEAST_SSIM
        and error <= MOST_LEVELS
        and (found.width, found.height) == (wanted.width, wanted.height)
    )
    figures = f"SSIM {alike:.4f}, {error:.2f} levels off, {size}"
    return figures, f"{wanted.width} x {wanted.height}", is_right


def post(form: Path) -> tuple[str, str, bool]:
    """What a real service says of a request, a photo being where it says <picture>."""
    head, _, body = form.read_bytes().partition(b"\r\n\r\n")
    path = head.split(b" ", 2)[1].decode()
    lines = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    kind = {name: value for name, _, value in lines if name.lower() == b"content-type"}
    with real_service() as server:
        sent = body.replace(b"<picture>", encoded("jpeg"))
        answer = httpx.post(server.url + path, content=sent, headers=kind, timeout=60)
    return f"{answer.status_code}", "201", answer.status_code == 201


def prove(data: Path) -> Claims:
    """A row a file."""
    claims, rows = Claims(), []
    for upload in sorted(data.iterdir()):
        if upload.name.endswith((".expected.png", ".md")):
            continue
        found, wanted, holds = post(upload) if upload.suffix == ".txt" else look(upload)
        rows.append((upload.name, found, wanted, "" if holds else "FAIL"))
    table(("file", "found", "wanted", ""), [*rows])
    wrong = [str(name) for name, *_, failed in rows if failed]
    figures = f"{len(rows)} files {wrong or ''}"
    claims.claim(bool(rows) and not wrong, "every file is as it should be", figures)
    return claims


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    chosen = parser.parse_args()
    heading("Pictures")
    return prove(chosen.data).end()


if __name__ == "__main__":
    sys.exit(main())
