"""Tables of the README and of docs, from the code or from an evaluation.

python -m service.cli.tables [NAME ...]      puts them into their files, from the root
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from service.errors import ConfigurationError

if TYPE_CHECKING:
    from service.errors import PrefixelError


FROM_CODE = ("settings", "metrics", "statuses")
FROM_CELLS = ("headline", "scores", "same-bytes", "paper")
CELLS = Path("docs/evaluation/cells.csv")


PLACES = {
    "settings": Path("docs/reference.md"),
    "metrics": Path("docs/reference.md"),
    "statuses": Path("docs/reference.md"),
    "headline": Path("README.md"),
    "scores": Path("docs/codecs.md"),
    "same-bytes": Path("docs/codecs.md"),
    "paper": Path("docs/papers.md"),
}


def main() -> None:
    """Put the tables that are named, or all, where they stand. Raises ConfigurationError."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tables", nargs="*", metavar="NAME", help="(all)")
    parser.add_argument("--cells", type=Path, default=CELLS, help="what an evaluation wrote")
    parser.add_argument("--print", action="store_true", help="print them instead")
    chosen = parser.parse_args()
    for name in chosen.tables or PLACES:
        text = table(name, chosen.cells)
        if chosen.print:
            print(text)
        else:
            put_into(PLACES[name], name, text)


def put_into(path: Path, name: str, text: str) -> None:
    """Replace the block of that name. Raises ConfigurationError when there is not exactly one."""
    before, first, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, last, after = rest.partition(f"\n<!-- /{name} -->")
    if not (first and last) or first in rest:
        raise ConfigurationError(f"{path} has not one block <!-- {name} --> ... <!-- /{name} -->")
    path.write_text(before + first + text + last + after, encoding="utf-8")


def table(name: str, cells: Path) -> str:
    """A table as Markdown. Raises ConfigurationError when it needs cells that are not there."""
    if name in FROM_CELLS:
        from service.evaluation.report import document_tables

        rows = document_tables.read_cells(cells)
        makers = {
            "headline": document_tables.headline,
            "scores": document_tables.scores,
            "same-bytes": document_tables.same_bytes,
            "paper": document_tables.paper,
        }
        return makers[name](rows)
    return {"settings": settings, "metrics": metrics, "statuses": statuses}[name]()


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
    from service.observability.metrics import DEFINITIONS, PREFIX, STANDARD

    named = [(f"{PREFIX}_{one.name}", one) for one in DEFINITIONS]
    named += [(one.name, one) for one in STANDARD]
    return _markdown(
        ("Metric", "Kind", "Labels", "What it counts"),
        [
            (f"`{name}`", one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help)
            for name, one in named
        ],
    )


SUCCESSES = (
    (200, "The answer; for an upload: the picture was known already"),
    (201, "The upload is new"),
    (204, "It is deleted; or a page may ask (CORS preflight)"),
    (206, "The range that was asked for"),
    (304, "`If-None-Match` names what would be sent"),
    (
        308,
        "Another spelling of the query (or a budget between steps); `Location` has the right one",
    ),
)


EXTRA = {
    400: "; not HTTP at all (plain text, from the connection)",
    429: "; of connections: no body",
    408: "; nor did the headers (no body, from the connection)",
    431: "The headers are longer than 64 KiB (no body, from the connection)",
    503: "; too many connections (no body, from the connection)",
}


def statuses() -> str:
    """Every status: when, and the problem types of the errors."""
    from service.errors import PrefixelError
    from service.http.protocol.problems import URN

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
    if "slug" in vars(kind):
        yield kind
    for below in kind.__subclasses__():
        yield from _tree(below)


def _markdown(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    main()
