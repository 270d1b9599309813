"""A setting that is wrong or misspelt is said, by its name, and never means something else."""

from __future__ import annotations

import pytest

from service.errors import ConfigurationError
from service.settings import Settings, read_settings, unknown_variables
from tests.support.server import running_service

LISTS = [
    "CODECS",
    "DEFAULT_CODECS",
    "RASTER_SIZES",
    "BYTES_STEPS",
    "UPLOAD_TOKENS",
    "DELETE_TOKENS",
    "TRUSTED_PROXIES",
    "CORS_ORIGINS",
]


def said(monkeypatch, name: str, value: str) -> str:
    monkeypatch.setenv(f"PREFIXEL_{name}", value)
    with pytest.raises(ConfigurationError) as wrong:
        read_settings()
    return str(wrong.value)


@pytest.mark.parametrize("value", [",", " ", " , ,"])
@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_names_nothing_is_refused_and_never_means_everyone(monkeypatch, name, value):
    text = said(monkeypatch, name, value)
    assert text == f"PREFIXEL_{name}: {value!r} names nothing; leave it unset, or name something"


def test_every_setting_of_many_words_is_among_those():
    several = {
        name.upper()
        for name, field in Settings.model_fields.items()
        if "tuple" in str(field.annotation)
    }
    assert several == set(LISTS)


@pytest.mark.parametrize("name", ["REDIS_URL", "PHOTO_REDIS_URL"])
@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("foo", "'foo'"),
        ("localhost:6379", "'localhost:6379'"),
        ("http://user:secret@host/0", "'...@host/0'"),
        ("user:secret@host", "'...@host'"),
        ("redis+clusters://host", "'redis+clusters://host'"),
    ],
)
def test_a_redis_url_that_is_none_is_quoted_without_its_password(monkeypatch, name, value, quoted):
    text = said(monkeypatch, name, value)
    assert text.startswith(f"PREFIXEL_{name}: {quoted} is no Redis URL; one begins with redis://")
    assert "secret" not in text


def test_a_setting_out_of_its_range_does_not_repeat_what_may_be_secret(monkeypatch):
    assert said(monkeypatch, "TRUSTED_PROXIES", "10.0.0.0/8, nowhere").startswith(
        "PREFIXEL_TRUSTED_PROXIES.1: "
    )


def test_nobody_can_be_named(monkeypatch):
    monkeypatch.setenv("PREFIXEL_TRUSTED_PROXIES", "none")
    monkeypatch.setenv("PREFIXEL_CORS_ORIGINS", "none")
    assert (read_settings().trusted_proxies, read_settings().cors_origins) == ((), ())


def test_a_variable_that_no_setting_has_is_found_with_the_one_it_may_have_meant():
    named = unknown_variables(
        ["PREFIXEL_UPLOAD_TOKEN", "PREFIXEL_ZZZ", "prefixel_codecs", "PREFIXEL_CODECS", "HOME"]
    )
    assert named == {"PREFIXEL_UPLOAD_TOKEN": "PREFIXEL_UPLOAD_TOKENS", "PREFIXEL_ZZZ": ""}


def test_it_is_a_warning_at_the_start_without_its_value():
    with running_service(PREFIXEL_UPLOAD_TOKEN="secret") as server:
        warned = server.first("unknown-setting")
        assert warned["level"] == "warning"
        assert warned["variable"] == "PREFIXEL_UPLOAD_TOKEN"
        assert warned["perhaps"] == "PREFIXEL_UPLOAD_TOKENS"
        assert "secret" not in str(server.lines)
