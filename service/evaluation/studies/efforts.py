"""One codec at several encoder efforts, each evaluated as a codec of its own."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from pathlib import Path
from typing import get_args

from service.codec.interface import Codec, Effort
from service.codec.registry import load_newest
from service.errors import ConfigurationError
from service.inference import Runtime


def at_effort(codec: Codec, effort: Effort) -> Codec:
    """The same weights under the name ``codec@effort``."""
    other = copy(codec)
    other.name, other.effort = f"{codec.name}@{effort}", effort
    return other


def load_at_efforts(
    artifacts: Path, names: Sequence[str], runtime: Runtime, efforts: Sequence[str]
) -> list[tuple[str, Codec]]:
    """Artifacts' names and their codecs, as ``load_newest`` finds them.

    A codec that has efforts comes once for each of ``efforts``; without any, or where it has one,
    once. Raises ConfigurationError for an effort that there is not.
    """
    wanted: list[Effort] = [known for known in get_args(Effort) if known in efforts]
    if len(wanted) < len(efforts):
        raise ConfigurationError(
            f"an effort is one of {', '.join(get_args(Effort))}, not {', '.join(efforts)}"
        )
    found: list[tuple[str, Codec]] = []
    for name, codec in load_newest(artifacts, names, runtime).items():
        if wanted and len(codec.efforts) > 1:
            offered = [effort for effort in wanted if effort in codec.efforts]
            found += [(name, at_effort(codec, effort)) for effort in offered]
        else:
            found.append((name, codec))
    return found
