"""``prefixel tables``: the README's tables of settings, metrics and statuses, from the code."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.errors import PrefixelError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the sub-command."""
    parser = subparsers.add_parser(
        "tables", help="print a table of the README", description="Print a table of the README."
    )
    parser.add_argument("table", choices=("settings", "metrics", "statuses"))
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table that was asked for, as Markdown."""
    print({"settings": settings, "metrics": metrics, "statuses": statuses}[arguments.table]())
    return 0


def settings() -> str:
    """Every setting: variable, default, bounds, what it is for."""
    from service.settings import Settings

    properties = Settings.model_json_schema()["properties"]
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default.get_secret_value() if name == "id_key" else field.default
        if isinstance(default, tuple):
            default = ",".join(default)
        rows.append(
            (
                f"`PREFIXEL_{name.upper()}`",
                "" if default in (None, "") else f"`{default}`",
                _bounds(properties[name]),
                field.description or "",
            )
        )
    return _markdown(("Variable", "Default", "Allowed", "What it is for"), rows)


def _bounds(schema: dict[str, object]) -> str:
    choices = schema.get("anyOf")
    if isinstance(choices, list):
        return next((text for text in map(_bounds, choices) if text), "")
    if isinstance(words := schema.get("enum"), list):
        return ", ".join(f"`{word}`" for word in words)
    low = schema.get("minimum")
    above = schema.get("exclusiveMinimum")
    high = schema.get("maximum")
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    if above is not None:
        return f"more than {above}" + ("" if high is None else f", up to {high}")
    return ""


def metrics() -> str:
    """Every metric: name, kind, labels, help text."""
    from service.observability.metrics import DEFINITIONS, PREFIX

    return _markdown(
        ("Metric", "Kind", "Labels", "What it counts"),
        [
            (
                f"`{PREFIX}_{one.name}`",
                one.kind,
                ", ".join(f"`{label}`" for label in one.labels),
                one.help,
            )
            for one in DEFINITIONS
        ],
    )


SUCCESSES = (
    (200, "The answer; for an upload: the picture was known already"),
    (201, "The upload is new"),
    (204, "It is deleted; or a page may ask (CORS preflight)"),
    (206, "The range that was asked for"),
    (304, "`If-None-Match` names what would be sent"),
)


EXTRA = {
    400: "; not HTTP at all (plain text, from the connection)",
    408: "; nor did the headers (no body, from the connection)",
    431: "The headers are longer than 64 KiB (no body, from the connection)",
    503: "; too many connections (no body, from the connection)",
}


def statuses() -> str:
    """Every status: when, and the problem types of the errors."""
    from service.errors import PrefixelError
    from service.http.problems import URN

    rows: list[tuple[str, str, str]] = [(str(status), text, "") for status, text in SUCCESSES]
    kinds: dict[int, list[tuple[str, str]]] = {}
    for kind in _tree(PrefixelError):
        kinds.setdefault(kind.status, []).append((kind.title, kind.slug))
    for status in sorted({*kinds, *EXTRA}):
        found = kinds.get(status, [])
        titles = "; ".join(title for title, _ in found)
        titles += EXTRA.get(status, "")
        rows.append((str(status), titles, ", ".join(f"`{URN}{slug}`" for _, slug in found)))
    return _markdown(("Status", "When", "Problem types"), rows)


def _tree(kind: type[PrefixelError]) -> Iterable[type[PrefixelError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
