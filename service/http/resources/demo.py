"""/demo/compare: what other formats make of a photo in few bytes, for the gallery.

Only with ``PREFIXEL_DEMO=1``: it encodes a thumbnail some two hundred times, in one of the few
picture threads, and its queue is bounded as that of uploads is.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from fastapi import APIRouter, Request
from starlette.responses import Response

from service.evaluation.baselines.avif import AVIF
from service.evaluation.baselines.base import Baseline, Pixels
from service.evaluation.baselines.jpeg import JPEG
from service.evaluation.baselines.placeholders import PLACEHOLDERS
from service.evaluation.baselines.webp import WEBP
from service.http.jobs.picture_threads import in_picture_thread, open_picture
from service.http.protocol.body import read_upload
from service.http.protocol.reply import JSON, json_body
from service.http.request.admission import require_upload_token, upload_slot
from service.http.request.client import while_connected
from service.pictures import paint, sniff
from service.quality.psnr import psnr
from service.quality.ssim import block_ssim

LONGEST_BYTES = 512
SETTINGS = 34
"""Most settings that are tried of a format, evenly over its scale."""
NEEDS = {"blurhash": "blurhash", "thumbhash": "thumbhash"}
"""Packages of the extra ``evaluate``, by the format that needs them."""
NOTE = (
    "Each is the best that its encoder has within the bytes, 32 x 32. Of WebP, AVIF and JPEG only"
    " the coded picture counts, without headers, to their advantage; the file's size stands beside."
)


@dataclass(frozen=True, slots=True)
class Format:
    """A baseline under the name that people know."""

    title: str
    baseline: Baseline


def _named(baselines: Sequence[Baseline], name: str) -> Baseline:
    return next(one for one in baselines if one.name == name)


FORMATS = (
    Format("WebP", WEBP),
    Format("AVIF", _named(AVIF, "avif")),
    Format("JPEG", _named(JPEG, "jpeg")),
    Format("BlurHash", _named(PLACEHOLDERS, "blurhash")),
    Format("ThumbHash", _named(PLACEHOLDERS, "thumbhash")),
)

router = APIRouter(include_in_schema=False)


@router.post("/demo/compare")
async def compare(request: Request) -> Response:
    """The thumbnail itself and, by format, each size that is better than all smaller ones."""
    require_upload_token(request)
    with upload_slot(request, ()):
        data = await read_upload(request)
        sniff(data)

        async def work() -> dict[str, object]:
            with await open_picture(request, data) as picture:
                return await in_picture_thread(request, comparison, picture.rgb)

        content = await while_connected(request, work())
    return Response(
        json_body(content), media_type=JSON.decode(), headers={"Cache-Control": "no-store"}
    )


def comparison(pixels: Pixels) -> dict[str, object]:
    """The answer for a thumbnail, uint8 [32, 32, 3]; pictures are PNG in base64."""
    return {
        "reference": _png(pixels),
        "note": NOTE,
        "formats": [_format(one, pixels) for one in FORMATS],
    }


def _format(format: Format, pixels: Pixels) -> dict[str, object]:
    needed = NEEDS.get(format.baseline.name)
    is_missing = needed is not None and find_spec(needed) is None
    return {
        "name": format.baseline.name,
        "title": format.title,
        "missing": is_missing,
        "candidates": [] if is_missing else candidates(format.baseline, pixels),
    }


def candidates(baseline: Baseline, pixels: Pixels) -> list[dict[str, object]]:
    """What the format can be, ascending in bytes and in SSIM.

    ``pixels`` is uint8 [32, 32, 3]. The smallest is there always, others up to LONGEST_BYTES.
    """
    settings = baseline.settings
    picked = sorted({round(n) for n in np.linspace(0, len(settings) - 1, SETTINGS)})
    best: dict[int, dict[str, object]] = {}
    scores: dict[int, float] = {}
    for setting in (settings[n] for n in picked):
        data = baseline.encode(pixels, setting)
        length = len(baseline.split(data).payload)
        if scores and length > LONGEST_BYTES:
            continue
        shown = baseline.decode(data, pixels.shape[:2])
        ssim = float(block_ssim(pixels[None], shown[None])[0])
        if ssim <= scores.get(length, -1.0):
            continue
        scores[length] = ssim
        best[length] = {
            "bytes": length,
            "file_bytes": len(data),
            "ssim": round(ssim, 4),
            "psnr": round(float(psnr(pixels[None], shown[None])[0]), 2),
            "picture": _png(shown),
        }
    kept: list[dict[str, object]] = []
    highest = -1.0
    for length in sorted(best):
        if scores[length] > highest:
            highest = scores[length]
            kept.append(best[length])
    return kept


def _png(pixels: Pixels) -> str:
    return base64.b64encode(paint(pixels, "png")).decode()
