"""How a picture of any shape comes to lie in the box that was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal, get_args

from service.codec.geometry import Size
from service.errors import ParameterError

Fit = Literal["contain", "cover"]
FITS: tuple[Fit, ...] = get_args(Fit)
SIDE_LIMIT = 4096
"""No side of a raster is longer, whatever follows from the other one."""
USUAL_SIDE = 2048
"""Long side of a raster whose size was not asked for, where the picture has as much."""


WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, slots=True)
class Placed:
    """``region`` of a picture is shown in ``shown`` pixels: left, top, right, bottom, in 0 to 1.

    ``side`` is the long side of the whole picture at that scale.
    """

    shown: Size
    region: tuple[float, float, float, float]
    side: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What was asked for, in pixels. Raises ParameterError for what contradicts itself.

    ``size`` is the long side. With ``width`` and ``height``, ``fit`` says whether the picture lies
    within them (contain) or fills them and is cut (cover); with one of them the other follows.
    """

    width: int | None = None
    height: int | None = None
    size: int | None = None
    fit: Fit | None = None

    def __post_init__(self) -> None:
        """Refuse sizes that are asked for twice."""
        has_side = self.width is not None or self.height is not None
        if self.size is not None and has_side:
            raise ParameterError("size", "'size' goes without 'width' and 'height'", "either")
        if self.fit is not None and (self.width is None or self.height is None):
            raise ParameterError("fit", "'fit' needs 'width' and 'height'", "both or none")

    @property
    def sides(self) -> dict[str, int]:
        """What was asked for, by name."""
        named = {"width": self.width, "height": self.height, "size": self.size}
        return {name: side for name, side in named.items() if side is not None}

    def placed(self, own: Size, usual_side: int = USUAL_SIDE) -> Placed:
        """Where a picture of this size goes; enlarged where more is asked for than it has.

        ``usual_side`` is the long side where none was asked for, and the picture has as much.
        """
        if self.size is not None:
            box = Size(self.size, self.size)
        elif self.width is None and self.height is None:
            side = min(usual_side, max(own.width, own.height))
            box = Size(side, side)
        else:
            box = Size(self.width or SIDE_LIMIT, self.height or SIDE_LIMIT)
        across, down = box.width / own.width, box.height / own.height
        longest = max(own.width, own.height)
        if self.fit == "cover":
            scale = max(across, down)
            half_width, half_height = across / scale / 2, down / scale / 2
            region = (0.5 - half_width, 0.5 - half_height, 0.5 + half_width, 0.5 + half_height)
            return Placed(box, region, ceil(longest * scale))
        if across <= down:
            within = Size(box.width, min(box.height, max(1, round(own.height * across))))
        else:
            within = Size(min(box.width, max(1, round(own.width * down))), box.height)
        return Placed(within, WHOLE, max(within.width, within.height))
