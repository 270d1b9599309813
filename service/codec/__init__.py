"""Streams: formats, codecs, artifacts."""
