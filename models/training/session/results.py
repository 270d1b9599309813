"""What a session leaves: a table, and all files of its folder in one archive, cut into pieces.

cat session.tar.* | tar x

``python -m models.training.session.results FOLDER`` prints, of the logs of an unpacked one, areas
under PSNR from .125 to 2 bpp, as Johnston et al. 2017 print them in tables 1 and 2.
"""

from __future__ import annotations

import argparse
import csv
import io
import tarfile
from collections.abc import Sequence
from itertools import pairwise
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


def areas(folder: Path) -> str:
    """A line a run that has PSNR after each of its steps, by the trapezoid rule."""
    lines = ["| run | area, dB | at 2 bpp, dB | forward GMAC |", "|-|-:|-:|-:|"]
    for log in sorted(folder.glob("*/log.csv")):
        with log.open(newline="") as file:
            last = list(csv.DictReader(file))[-1]
        after = [float(value) for key, value in last.items() if key.startswith("psnr_after")]
        if len(after) > 1:
            area = sum((one + other) / 16 for one, other in pairwise(after))
            lines.append(
                f"| {log.parent.name} | {area:.2f} | {after[-1]:.2f} | {float(last['gmac']):.0f} |"
            )
    return "\n".join(lines)


def main() -> None:
    """Print the areas."""
    parser = argparse.ArgumentParser(prog="python -m models.training.session.results")
    parser.add_argument("folder", type=Path, help="what the archive was unpacked to")
    print(areas(parser.parse_args().folder))


if __name__ == "__main__":
    main()
