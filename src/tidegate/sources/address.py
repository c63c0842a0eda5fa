"""Which addresses a fetch may go to (threats 23 and 24). Pure."""

import ipaddress

from tidegate.sources.archive import Reach

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Documentation ranges are not listed: nothing of ours stands there, and test networks route them.
_HERE: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "0.0.0.0/8",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/96",  # unspecified, loopback, and IPv4-compatible ones (RFC 4291, 2.5.5.1: deprecated)
        "fe80::/10",
        "ff00::/8",
    )
)
_SITE: tuple[_Network, ...] = tuple(
    ipaddress.ip_network(n)
    for n in (
        "10.0.0.0/8",
        "100.64.0.0/10",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.168.0.0/16",
        "64:ff9b:1::/48",  # NAT64 of the site's own (RFC 8215), its addresses at a place that only it knows
        "fc00::/7",
        "fec0::/10",
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = ipaddress.IPv6Network("2002::/16")


def _inner(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """The IPv4 address that an IPv6 one carries, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address in _SIX_TO_FOUR:
        return ipaddress.IPv4Address((int(address) >> 80) & 0xFFFFFFFF)
    return address


def forbidden(address: str, reach: Reach) -> str | None:
    """Why no connection may be made to this resolved address, or None when it may."""
    if reach is Reach.ANY:
        return None
    try:
        inner = _inner(ipaddress.ip_address(address.partition("%")[0]))
    except ValueError:
        return f"{address!r} is no address"
    if any(inner in network for network in _HERE if network.version == inner.version):
        return f"{address} is this machine, its link or no host at all"
    if reach is Reach.PUBLIC and any(inner in network for network in _SITE if network.version == inner.version):
        return f"{address} is private"
    return None
