"""One spelling for each query, so that a CDN keeps one entry for each answer.

Numbers have no leading zeros, decimals a digit before the point and no zeros at the end, nothing is
escaped that need not be, and no parameter is empty. GET and HEAD of another spelling answer 308 to
this one (``Resource`` sends it). The order of parameters is the client's.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from service.errors import ParameterError, UnknownImageError
from service.http.protocol.queries import Parameters, is_image_id, read_query, shown
from service.http.protocol.reply import Reply

if TYPE_CHECKING:
    from starlette.types import Scope


class OtherSpelling(Exception):
    """The query says less plainly what ``canonical`` says."""

    def __init__(self, canonical: str) -> None:
        super().__init__(canonical)
        self.canonical = canonical


def read_spelled(raw: bytes, parameters: Parameters, steps: Sequence[int] = ()) -> dict[str, Any]:
    """As ``read_query``, of a query that has its one spelling, and a budget on one of ``steps``.

    Steps ascend; none: any budget. Raises ParameterError, and OtherSpelling.
    """
    found = read_query(raw, parameters)
    if steps and "bytes" in found:
        found["bytes"] = _step(steps, found["bytes"])
    canonical = spelled(found, parameters)
    if canonical.encode() != raw:
        raise OtherSpelling(canonical)
    return found


def spelled(values: dict[str, Any], parameters: Parameters) -> str:
    """The query of these values, in their order."""
    return "&".join([f"{name}={parameters[name].spell(value)}" for name, value in values.items()])


def moved(scope: Scope, other: OtherSpelling) -> Reply:
    """308; the reference is relative, since a proxy in front may have another path.

    Raises UnknownImageError for an id that none can have.
    """
    id = scope["path_params"].get("id")
    if id is not None and not is_image_id(id):
        raise UnknownImageError(f"an id is 26 characters a-z and 2-7, not {shown(id)}")
    place = scope["path"].rpartition("/")[2]
    if other.canonical:
        place += f"?{other.canonical}"
    headers = ((b"location", place.encode()), (b"cache-control", b"public, max-age=86400"))
    return Reply(308, headers)


def _step(steps: Sequence[int], budget_bytes: int) -> int:
    """The largest step that is not over the budget."""
    below = bisect_right(steps, budget_bytes)
    if not below:
        raise ParameterError(
            "bytes", f"budgets are served from {steps[0]} bytes on", f"{steps[0]} or more"
        )
    return steps[below - 1]
