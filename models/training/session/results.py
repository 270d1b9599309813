"""What a session leaves: a table, and all files of its folder in one archive, cut into pieces.

cat session.tar.* | tar x
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

from models.training.session.timed import Outcome

PIECE_BYTES = 15_000_000
NAME = "session.tar"


def pack(folder: Path, out: Path, order: Sequence[str], limit_bytes: int) -> list[str]:
    """Write the pieces; returns the files that the limit left out, the last in ``order`` first.

    What belongs to no run of ``order`` goes in first, then runs as they stand there.
    """
    rank = {name: place for place, name in enumerate(order)}
    files = sorted(
        (path for path in folder.rglob("*") if path.is_file()),
        key=lambda path: (path.suffix == ".npz", rank.get(path.stem, -1), str(path)),
    )
    body, left = io.BytesIO(), []
    with tarfile.open(fileobj=body, mode="w") as archive:
        for path in files:
            if body.tell() + path.stat().st_size + 4096 > limit_bytes:
                left.append(path.name)
            else:
                archive.add(path, str(path.relative_to(folder)))
    whole = body.getvalue()
    pieces = [whole[at : at + PIECE_BYTES] for at in range(0, len(whole), PIECE_BYTES)]
    out.mkdir(parents=True, exist_ok=True)
    for number, piece in enumerate(pieces):
        fresh = out / f"{NAME}.{number:02}.new"
        fresh.write_bytes(piece)
        fresh.replace(out / f"{NAME}.{number:02}")
    for old in sorted(out.glob(f"{NAME}.[0-9][0-9]"))[len(pieces) :]:
        old.unlink()
    return left


def headline(figures: dict[str, float]) -> str:
    """The figures of the highest rate."""
    shown = [key for key in figures if not key.startswith("psnr_after")]
    return " ".join(f"{key} {figures[key]:.4f}" for key in shown[-2:])


def table(outcomes: Sequence[Outcome]) -> str:
    """A line a run."""
    lines = [
        "| run | pictures | seconds | pictures/s | forward GMAC | first | last | |",
        "|-|-:|-:|-:|-:|-|-|-|",
    ]
    for one in outcomes:
        rate = one.samples / one.seconds if one.seconds else 0.0
        lines.append(
            f"| {one.name} | {one.samples} | {one.seconds:.1f} | {rate:.0f} | {one.gmac:.0f} "
            f"| {headline(one.first)} | {headline(one.last)} | {one.words} |"
        )
    return "\n".join(lines)
