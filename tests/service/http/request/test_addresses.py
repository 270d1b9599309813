"""A bound by address counts clients, and never everybody behind one proxy."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from service.http.request.addresses import Clients


def scope(peer: str | None, *forwarded: str) -> dict[str, object]:
    lines = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    return {"client": peer and (peer, 1234), "headers": [(b"host", b"x"), *lines]}


def clients(*trusted: str) -> Clients:
    return Clients([ip_network(one) for one in trusted])


def test_the_log_shows_the_address_itself_forwarded_by_trusted_proxies_alone():
    assert Clients(None).address_of(scope(None)) == ""
    assert Clients(None).address_of(scope("10.1.2.3", "8.8.8.8")) == "10.1.2.3"
    behind = clients("10.0.0.0/8")
    assert behind.address_of(scope("9.9.9.9", "8.8.8.8")) == "9.9.9.9"
    assert behind.address_of(scope("10.1.2.3", "1.1.1.1, 8.8.8.8", "10.4.4.4")) == "8.8.8.8"
    assert behind.address_of(scope("10.1.2.3", '"},{"x')) == "10.1.2.3"
    assert behind.address_of(scope("10.1.2.3", "2a00:1450::1")) == "2a00:1450::1"


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.1.2.3", "192.168.0.9", "::1", "fd00::1", "x"])
def test_where_no_proxy_is_named_a_private_address_is_nobody(peer):
    assert Clients(None).of(scope(peer)) is None
    assert Clients(None).of(scope(peer, "8.8.8.8")) is None  # anyone may have written that


def test_where_no_proxy_is_named_a_public_address_is_a_client_and_ipv6_counts_by_64():
    assert Clients(None).of(scope("8.8.8.8", "9.9.9.9")) == "8.8.8.8"
    first = Clients(None).of(scope("2a00:1450:4001:81b::200e"))
    assert first == Clients(None).of(scope("2a00:1450:4001:81b:ffff::1")) is not None
    assert first != Clients(None).of(scope("2a00:1450:4001:81c::200e"))
    assert Clients(None).of(scope("::ffff:8.8.8.8")) == "8.8.8.8"


def test_none_says_that_every_address_is_a_client():
    assert clients().of(scope("127.0.0.1", "8.8.8.8")) == "127.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "wanted"),
    [
        (["8.8.8.8"], "8.8.8.8"),
        (["1.1.1.1, 8.8.8.8"], "8.8.8.8"),  # the first one the client itself wrote
        (["8.8.8.8, 10.0.0.2"], "8.8.8.8"),
        (["8.8.8.8", "10.0.0.2,10.0.0.3"], "8.8.8.8"),
        (["8.8.8.8:4711"], "8.8.8.8"),
        (["[2a00:1450:4001:81b::200e]:443"], "2a00:1450:4001:81b::/64"),
        (["192.168.1.1"], "192.168.1.1"),
        (["10.0.0.9"], None),
        (["8.8.8.8, unknown"], None),
        (["8.8.8.8, "], None),
        ([], None),
    ],
)
def test_a_trusted_proxy_says_who_the_client_is(forwarded, wanted):
    assert clients("10.0.0.0/8", "::1/128").of(scope("10.0.0.1", *forwarded)) == wanted


def test_nobody_else_may_say_who_he_is():
    assert clients("10.0.0.0/8").of(scope("192.168.0.1", "8.8.8.8")) == "192.168.0.1"


def test_a_request_without_an_address_is_nobody():
    assert clients("10.0.0.0/8").of(scope(None, "8.8.8.8")) is None
