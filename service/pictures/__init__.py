"""Bytes in, checked RGB out; RGB in, a raster out."""
