"""Imported by the fork server: what every application of a process has in common is there then."""

from __future__ import annotations

from service.http.resources import kit

kit.resources(demo=False)
