"""Streams in a SQLite file."""
