"""Which addresses a fetch may go to: threats 23 and 24."""

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.sources.address import forbidden
from tidegate.sources.archive import Reach

HERE = [
    "127.0.0.1",
    "127.8.9.10",
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::1",
    "::127.0.0.1",  # IPv4-compatible, deprecated (RFC 4291, 2.5.5.1)
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "169.254.169.254",  # where clouds keep a machine's credentials
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:a9fe:a9fe::1",
    "fe80::1",
    "fe80::1%eth0",
    "febf::1",
    "224.0.0.1",
    "239.255.255.250",
    "ff02::1",
    "240.0.0.1",
    "255.255.255.255",
]
SITE = [
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "192.0.0.192",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::a00:1",  # a network's own NAT64 (RFC 8215): what stands behind it is its own affair
    "2002:c0a8:101::1",
    "fc00::1",
    "fd00:ec2::254",
    "fec0::1",
]
PUBLIC = [
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.0",
    "128.0.0.1",
    "126.255.255.255",
    "172.15.255.255",
    "172.32.0.0",
    "192.167.255.255",
    "100.63.255.255",
    "100.128.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "223.255.255.255",
    "192.0.2.1",
    "2001:67c:2564:a119::77",
    "2606:4700::6810:84e5",
    "::ffff:151.101.2.132",
    "64:ff9b::151.101.2.132",
    "2002:9765:284::1",
]
NO_ADDRESS = ["", "localhost", "127.1", "0x7f000001", "2130706433", "0177.0.0.1", "127.0.0.1:80", "[::1]", "1.1.1.1 "]


@pytest.mark.parametrize("address", HERE)
def test_this_machine_and_its_link_are_for_nobody_without_leave(address: str) -> None:
    assert forbidden(address, Reach.PUBLIC)
    assert forbidden(address, Reach.SITE)
    assert forbidden(address, Reach.ANY) is None


@pytest.mark.parametrize("address", SITE)
def test_a_sites_own_addresses_are_for_its_own_sources_alone(address: str) -> None:
    assert forbidden(address, Reach.PUBLIC)
    assert forbidden(address, Reach.SITE) is None


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_for_everybody(address: str) -> None:
    assert forbidden(address, Reach.PUBLIC) is None


@pytest.mark.parametrize("address", NO_ADDRESS)
def test_what_is_no_address_is_forbidden_and_said_so(address: str) -> None:
    reason = forbidden(address, Reach.PUBLIC)
    assert reason is not None
    assert "is no address" in reason


@pytest.mark.parametrize("name", ["127.1", "0x7f000001", "2130706433", "0177.0.0.1", "0x7f.1", "localhost"])
def test_odd_spellings_of_this_machine_resolve_to_what_is_forbidden(name: str) -> None:
    found = socket.getaddrinfo(name, 80, type=socket.SOCK_STREAM)
    assert found
    assert all(forbidden(str(one[4][0]), Reach.PUBLIC) for one in found)


def test_the_reason_names_the_address() -> None:
    assert forbidden("::ffff:127.0.0.1", Reach.PUBLIC) == (
        "::ffff:127.0.0.1 is this machine, its link or no host at all"
    )
    assert forbidden("10.0.0.1", Reach.PUBLIC) == "10.0.0.1 is private"


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_is_judged_alike_in_every_ipv6_dress(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    dresses = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | (number << 80)),
    ]
    for reach in Reach:
        plain = forbidden(str(address), reach) is None
        assert all((forbidden(str(dress), reach) is None) is plain for dress in dresses)


@given(st.ip_addresses(), st.sampled_from(Reach))
def test_nothing_that_python_calls_loopback_or_link_local_is_ever_public(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, reach: Reach
) -> None:
    dangerous = address.is_loopback or address.is_link_local or address.is_multicast or address.is_unspecified
    assert not dangerous or reach is Reach.ANY or forbidden(str(address), reach) is not None
