"""Damaged uploads of every format end as a picture or a PictureError; no decoder dies of them."""

from __future__ import annotations

from tests.fuzz.pictures import known_formats, run


def test_damaged_uploads() -> None:
    formats = known_formats()
    report = run(seed=20151, count=300, formats=formats)
    assert report.failures == []
    assert sum(report.outcomes.values()) == 300
    assert sum(report.outcomes[format, "opened"] for format in formats) > 15
    assert report.resident_mib[-1] < report.resident_mib[0] * 1.5
