"""Bytes in, checked RGB out; RGB in, a raster out."""

from service.pictures.limits import Limits
from service.pictures.opening import Opener, Picture
from service.pictures.raster_encode import OUTPUTS, paint
from service.pictures.sniff import FORMATS, sniff

PIPELINE_VERSION = 2
"""Raised whenever the same upload comes out of ``Opener.open`` as other pixels; it is in the id."""

__all__ = [
    "FORMATS",
    "OUTPUTS",
    "PIPELINE_VERSION",
    "Limits",
    "Opener",
    "Picture",
    "paint",
    "sniff",
]
