"""What the service says where it once said nothing, or the wrong thing; each printed as it is.

    python -m tests.proofs.answers

Settings that are wrong or misspelt, deletions that nobody may do, transfer codings, queries of
another spelling, budgets between steps, and a request that joined work under way.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from urllib.parse import urljoin

import httpx

from tests.proofs.claims import Claims, heading
from tests.support.photos import encoded
from tests.support.raw import connection, head, read_answer
from tests.support.server import FAKE, running_service

REFUSED = {
    "PREFIXEL_UPLOAD_TOKENS": (",", "names nothing"),
    "PREFIXEL_REDIS_URL": ("foo", "'foo' is no Redis URL"),
}
SPELLINGS = {
    "thumb.pxl?bytes=064": "thumb.pxl?bytes=64",
    "thumb.pxl?&ssim=.80": "thumb.pxl?ssim=0.8",
    "thumb.webp?size=0064&&bytes=%36%34": "thumb.webp?size=64&bytes=64",
}
STEPS = "32,64,256"
DEADLINE_SECONDS = 2.0
ENCODING_SECONDS = 3.0
JOINED_SECONDS = 1.5


def start_and_fail(name: str, value: str) -> str:
    """The last line of a service that does not start; empty when it does."""
    environment = {key: text for key, text in os.environ.items() if "PREFIXEL" not in key}
    ended = subprocess.run(
        FAKE,
        env={**environment, name: value},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.stderr.splitlines()[-1] if ended.returncode else ""


def prove_settings(claims: Claims) -> None:
    """What does not start, and what is warned of."""
    for name, (value, words) in REFUSED.items():
        said = start_and_fail(name, value)
        claims.claim(words in said, f"{name}={value} refuses to start", said)
    with running_service(PREFIXEL_UPLOAD_TOKEN="x") as server:
        warned = server.first("unknown-setting")
    claims.claim(
        warned["perhaps"] == "PREFIXEL_UPLOAD_TOKENS", "a misspelt variable is named", f"{warned}"
    )


def prove_answers(claims: Claims) -> None:
    """403, 501, 308."""
    with running_service(PREFIXEL_BYTES_STEPS=STEPS) as server:
        id = httpx.post(server.url + "/v1/images", content=encoded("jpeg")).json()["id"]
        base = f"{server.url}/v1/images/{id}"
        deleted = httpx.delete(base)
        detail = deleted.json()["detail"]
        claims.claim(
            deleted.status_code == 403 and "PREFIXEL_DELETE_TOKENS" in detail,
            "DELETE where no token can hold is 403 with the setting's name",
            detail,
        )
        with connection(server) as sock:
            sock.sendall(head("POST", "/v1/decode", "Transfer-Encoding: gzip, chunked"))
            status, _, body = read_answer(sock)
        claims.claim(status == 501, "Transfer-Encoding: gzip, chunked is 501", body.decode())
        for asked, wanted in SPELLINGS.items():
            answer = httpx.get(f"{base}/{asked}")
            place = answer.headers.get("location", "")
            followed = httpx.get(urljoin(f"{base}/{asked}", place))
            claims.claim(
                (answer.status_code, place, followed.status_code) == (308, wanted, 200),
                f"{asked} is 308",
                place,
            )
        steps = {
            asked: httpx.head(f"{base}/thumb.pxl?bytes={asked}").headers.get("location", "")
            for asked in (33, 64, 100, 1000)
        }
        claims.claim(
            [place[16:] for place in steps.values()] == ["32", "", "64", "256"],
            f"with steps {STEPS} a budget is sent on to the one below it",
            f"{steps}",
        )


async def prove_joined(claims: Claims) -> None:
    """The first of two equal uploads has no time left before the second has."""
    environment = {
        "PREFIXEL_DEADLINE_SECONDS": DEADLINE_SECONDS,
        "TEST_CODEC_DELAY_SECONDS": ENCODING_SECONDS,
    }
    with running_service(**environment) as server:

        async def post(wait_seconds: float) -> tuple[int, float]:
            await asyncio.sleep(wait_seconds)
            begin = time.monotonic()
            async with httpx.AsyncClient(timeout=30) as client:
                answer = await client.post(server.url + "/v1/images", content=encoded("jpeg"))
            return answer.status_code, round(time.monotonic() - begin, 1)

        first, second = await asyncio.gather(post(0), post(JOINED_SECONDS))
        alone, _ = await post(0)
    claims.claim(
        (first[0], second[0], alone) == (504, 201, 200),
        f"encoding takes {ENCODING_SECONDS:g} s, a deadline {DEADLINE_SECONDS:g} s: the first is"
        f" told 504, who joined {JOINED_SECONDS:g} s later gets the work",
        f"{first[0]} after {first[1]} s, {second[0]} after {second[1]} s",
    )


def main() -> int:
    """Print the claims."""
    heading("Answers")
    claims = Claims()
    prove_settings(claims)
    prove_answers(claims)
    asyncio.run(prove_joined(claims))
    return claims.end()


if __name__ == "__main__":
    sys.exit(main())
