"""Bytes in, checked RGB out; RGB in, a raster out."""

from service.pictures.frame import FITS, Frame
from service.pictures.limits import Limits
from service.pictures.opening import Opener, Picture
from service.pictures.raster_encode import OUTPUTS, PHOTO_OUTPUTS, paint, paint_photo
from service.pictures.sniff import FORMATS, sniff

PIPELINE_VERSION = 2
"""Raised whenever the same upload comes out of ``Opener.open`` as other pixels; it is in the id."""

__all__ = [
    "FITS",
    "FORMATS",
    "OUTPUTS",
    "PHOTO_OUTPUTS",
    "PIPELINE_VERSION",
    "Frame",
    "Limits",
    "Opener",
    "Picture",
    "paint",
    "paint_photo",
    "sniff",
]
