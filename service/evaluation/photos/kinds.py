"""Pictures that are no photos, kind by kind: in which form they are coded, and how they look beside
JPEG and WebP files of as many bytes.

    stream     as the codec makes it: networks where its own comparison of a part says so
    form       both forms of each picture whole, so that the table shows what the choice was worth
    file       a baseline at a setting; the stream is cut where the file ends
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from service.codec.photo import choice
from service.codec.photo.codec import PhotoCodec
from service.codec.pixels import Pixels
from service.evaluation.baselines import Baseline
from service.evaluation.data.pictures import Pictures
from service.evaluation.measure.caching import Arrays, ResultCache
from service.evaluation.measure.costs import machine
from service.evaluation.measure.metrics import Metric
from service.evaluation.photos.measures import score
from service.evaluation.report.tables import markdown
from service.evaluation.studies.by_category import kinds_of

BASELINES = ("jpeg-opt", "jpeg-444-opt", "webp")
SETTINGS = (20, 50, 80)
FORM_BPP = 0.5
FORMS = (False, True)
"""Without networks, and with them."""


@dataclass(frozen=True)
class KindsPlan:
    """What to measure of ``codec`` (of ``fingerprint``) against ``baselines``."""

    codec: PhotoCodec
    fingerprint: str
    baselines: Sequence[Baseline]
    pictures: Pictures
    measures: Sequence[Metric]
    out: Path
    cache: ResultCache
    command: str


@dataclass(frozen=True)
class Kinds:
    """Of N pictures, B baselines, S settings, M measures.

    ``networks`` and ``rather`` bool [N]: whether a stream has them, and whether it should, both
    forms whole being compared; ``forms`` [N, 2, M] scores of both at ``FORM_BPP``. ``spent`` and
    ``cut`` [N, B, S]: bytes of files, and those of streams that end earlier or are cut there;
    ``theirs``, ``ours`` [N, B, S, M].
    """

    networks: NDArray[np.bool_]
    rather: NDArray[np.bool_]
    forms: NDArray[np.float64]
    spent: NDArray[np.int64]
    cut: NDArray[np.int64]
    theirs: NDArray[np.float64]
    ours: NDArray[np.float64]


def measure_kinds(plan: KindsPlan, console: Console) -> Kinds:
    """Everything, picture by picture; what the cache holds is not measured anew."""
    found: list[Arrays] = []
    names = [measure.name for measure in plan.measures]
    others = [(baseline.name, baseline.version()) for baseline in plan.baselines]
    for index, picture in enumerate(plan.pictures.rgb):
        console.print(f"{index + 1} of {len(plan.pictures)}: {plan.pictures.names[index]}")
        told = plan.pictures[index : index + 1].digest, plan.fingerprint, others, SETTINGS, names
        key = plan.cache.key("kinds", *told)
        found.append(plan.cache.once(key, partial(_measured, plan, picture)))
    arrays: dict[str, Any] = {
        name: np.stack([one[name] for one in found]) for name in Kinds.__annotations__
    }
    return Kinds(**arrays)


def _measured(plan: KindsPlan, picture: Pixels) -> Arrays:
    codec, scored = plan.codec, partial(score, plan.measures, picture)
    stream = codec.stream(picture)
    forms = {form: codec.stream(picture, networks=form) for form in FORMS}
    pixels = picture.shape[0] * picture.shape[1]
    at = round(FORM_BPP * pixels / 8)
    files = [
        [baseline.encode(picture, setting) for setting in SETTINGS] for baseline in plan.baselines
    ]
    spent = np.array([[len(file) for file in row] for row in files], np.int64)
    cut = np.clip(spent, codec.minimum_bytes, len(stream))
    shown = {length: codec.decode([stream[:length]])[0] for length in np.unique(cut).tolist()}
    size = picture.shape[0], picture.shape[1]
    theirs = [
        [scored(baseline.decode(file, size)) for file in row]
        for baseline, row in zip(plan.baselines, files, strict=True)
    ]
    return {
        "networks": np.array(codec.inspect(stream).facts["networks"], bool),
        "rather": np.array(
            choice.networks_are_better(picture, lambda form, _: forms[form], codec.decode_cuts)
        ),
        "forms": np.array([scored(codec.decode([forms[form][:at]])[0]) for form in FORMS]),
        "spent": spent,
        "cut": cut,
        "theirs": np.array(theirs),
        "ours": np.array([[scored(shown[length]) for length in row] for row in cut.tolist()]),
    }


def evaluate_kinds(plan: KindsPlan, console: Console, name: str) -> str:
    """Measure; the page as Markdown, which is also in ``out/NAME.md``."""
    page = page_of(plan, measure_kinds(plan, console))
    plan.out.mkdir(parents=True, exist_ok=True)
    (plan.out / f"{name}.md").write_text(page, encoding="utf-8")
    return page


def page_of(plan: KindsPlan, found: Kinds) -> str:
    """The page as Markdown."""
    kinds, names = kinds_of(plan.pictures.names), np.array(plan.pictures.names)
    titles = " / ".join(measure.title for measure in plan.measures)
    blocks = [
        "# Photos' codec on pictures that are no photos",
        f"{plan.pictures.describe()}, drawn for this, measured on {machine()}; artifact sha256"
        f" {plan.fingerprint[:16]}. Printed by `{plan.command}`.",
        "## Which form they get",
        "The encoder compares both forms of a part of a picture at three rates (`photo/choice.py`)"
        " and writes in the header which one the stream is in. Right: comparing the whole picture"
        f" says the same. Scores at {FORM_BPP:g} bits a pixel: {titles}.",
        _forms_table(plan, found, kinds),
        f"With networks: {', '.join(names[found.networks])}.",
    ]
    for at, baseline in enumerate(plan.baselines):
        blocks += [
            f"## Against {baseline.title}",
            f"Gain in {titles}, mean over the kind, of streams cut at the bytes of the file; in"
            " brackets bits a pixel, and those of ours where some ended earlier (at 42 dB or 2 bits"
            " a pixel). Bold: worse than the file.",
            _files_table(plan, found, kinds, at),
        ]
    blocks.append("- " + "\n- ".join(f"{one.title}: {one.version()}" for one in plan.baselines))
    return "\n\n".join(blocks) + "\n"


Indices = dict[str, NDArray[np.intp]]


def _forms_table(plan: KindsPlan, found: Kinds, kinds: Indices) -> str:
    rows = []
    for kind, index in kinds.items():
        count = len(index)
        row = [kind, f"{int(found.networks[index].sum())} of {count}"]
        row.append(f"{int((found.networks == found.rather)[index].sum())} of {count}")
        for form in (0, 1):
            means = found.forms[index, form].mean(0)
            row.append(" / ".join(m.text(v) for m, v in zip(plan.measures, means, strict=True)))
        rows.append(row)
    return markdown(["kind", "with networks", "right", "closed form", "networks"], rows)


def _files_table(plan: KindsPlan, found: Kinds, kinds: Indices, at: int) -> str:
    rows = []
    for kind, index in kinds.items():
        row = [f"{kind} ({len(index)})"]
        for setting in range(len(SETTINGS)):
            gains = _gains(found, index, at, setting)
            texts = []
            for measure, gain in zip(plan.measures, gains, strict=True):
                text = measure.gain_text(gain)
                texts.append(f"**{text}**" if text.startswith("−") else text)
            both = (found.spent[index, at, setting], found.cut[index, at, setting])
            bits = [f"{(8 * one / plan.pictures.pixels[index]).mean():.2f}" for one in both]
            row.append(f"{' / '.join(texts)} ({'; ours '.join(dict.fromkeys(bits))})")
        rows.append(row)
    return markdown(["kind", *(f"quality {setting}" for setting in SETTINGS)], rows)


def _gains(found: Kinds, index: NDArray[np.intp], at: int, setting: int) -> list[float]:
    apart = found.ours[index, at, setting] - found.theirs[index, at, setting]
    means: list[float] = apart.mean(0).tolist()
    return means
