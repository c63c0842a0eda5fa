"""Targets: all the ways that clients write a place lead to one, and nothing leads anywhere else (threats 23, 27)."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.places import archive
from tidegate.archive.paths import canonical
from tidegate.gateway.target import NotOurs, Place, Routes

DEBIAN = archive("debian", aliases=("http://archive.example/debian", "https://secure.example/debian/"))
SECURITY = archive("security", aliases=("http://archive.example/debian-security",))
THIRD = archive("third", sources=("http://127.0.0.1:8080/repo", "https://[2001:db8::1]:8443/repo"))
ROUTES = Routes(
    (DEBIAN, SECURITY, THIRD), lambda url: "debian" if url.startswith("http://ftp.vendor.example/") else None
)
FILE = "dists/stable/InRelease"


def place(target: str) -> Place | NotOurs:
    return ROUTES.place(target.encode())


@pytest.mark.parametrize(
    "target",
    [
        f"/debian/{FILE}",
        f"http://archive.example/debian/{FILE}",
        f"HTTP://ARCHIVE.example:80/debian/{FILE}",
        f"http://archive.example./debian/{FILE}",
        f"/archive.example/debian/{FILE}",
        f"/archive.example:80/debian/{FILE}",
        f"http://HTTPS///secure.example/debian/{FILE}",
        f"/HTTPS///secure.example/debian/{FILE}",
        f"/https///secure.example:443/debian/{FILE}",
        f"https://secure.example/debian/{FILE}",
        f"http://ftp.vendor.example/debian/{FILE}",
        f"http://archive.example/debian/./{FILE}",
        f"http://archive.example/debian//{FILE}",
        f"/debian//{FILE}",
        "http://archive.example/debian/dists/stable/In%52elease",
    ],
)
def test_every_way_in_leads_to_the_same_place(target: str) -> None:
    assert place(target) == Place("debian", FILE)


def test_longest_prefix_of_a_host_wins() -> None:
    assert place("http://archive.example/debian-security/x") == Place("security", "x")
    assert place("http://archive.example/debian/x") == Place("debian", "x")
    assert isinstance(place("http://archive.example/debian-other/x"), NotOurs)


def test_sources_are_asked_for_by_their_own_addresses_too() -> None:
    assert place(f"http://127.0.0.1:8080/repo/{FILE}") == Place("third", FILE)
    assert place(f"/127.0.0.1:8080/repo/{FILE}") == Place("third", FILE)


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("http://elsewhere.example/debian/x", 403),
        ("http://127.0.0.1/repo/x", 403),
        ("http://127.0.0.1:8081/repo/x", 403),
        ("http://2130706433:8080/repo/x", 403),
        ("http://0x7f.1:8080/repo/x", 403),
        ("http://[::ffff:127.0.0.1]:8080/repo/x", 403),
        ("http://169.254.169.254/latest/meta-data/", 403),
        ("http://archive.example:8080/debian/x", 403),
        ("http://archive.example.evil.example/debian/x", 403),
        ("http://evil.example#archive.example/debian/x", 400),
        ("http://evil.example@archive.example/debian/x", 400),
        ("http://archive.example@evil.example/debian/x", 400),
        ("http://archive.example", 400),
        ("http:///debian/x", 400),
        ("ftp://archive.example/debian/x", 400),
        ("file:///etc/passwd", 400),
        ("archive.example/debian/x", 400),
        ("*", 400),
        ("http://archive.example/debian/x?y=z", 400),
        ("/debian/x?y=z", 400),
        ("/debian/../etc/passwd", 400),
        ("/debian/%2e%2e/etc/passwd", 400),
        ("/debian/%2E./x", 400),
        ("/debian/a%2fb", 400),
        ("/debian/a%00b", 400),
        ("/debian/a%0d%0aSet-Cookie:b", 400),
        ("/debian/a%5cb", 400),
        ("/debian/a%zzb", 400),
        ("/debian/a%252e%252e/b", 400),
        ("/debian/a//b", 400),
        ("/nobody/x", 404),
        ("/", 404),
    ],
)
def test_target_that_leads_elsewhere_is_refused(target: str, status: int) -> None:
    found = place(target)
    assert isinstance(found, NotOurs)
    assert found.status == status


pieces = st.lists(
    st.sampled_from(
        [
            *("/", "//", "///", "..", ".", "~", "%2e", "%2f", "%00", "%0a", "%25", "%c3%a4", "%ff", "\x7f"),
            *("http://", "HTTPS", "archive.example", "127.0.0.1:8080", "debian", "third", "repo", "a"),
            *("?", "@", "#", ":", "[", "]"),
        ]
    ),
    max_size=12,
).map("".join)


@given(pieces | st.text(alphabet=string.printable.strip(), max_size=60))
def test_any_target_leads_to_a_canonical_path_of_a_known_archive_or_nowhere(target: str) -> None:
    found = place(target)
    if isinstance(found, NotOurs):
        assert found.status in (400, 403, 404)
        assert "\r" not in found.why
        assert "\n" not in found.why
        return
    assert found.archive in ("debian", "security", "third")
    assert not found.path.startswith("/")
    assert not {"..", "."} & set(found.path.split("/"))
    assert "\0" not in found.path
    assert "%" not in found.path or canonical(found.path.replace("%", "%25")) == found.path


# CONNECT


def tunnel(target: str, *further: str) -> tuple[str, int] | NotOurs:
    return ROUTES.tunnel(target.encode(), further)


def test_tunnels_lead_to_the_archives_own_https_hosts() -> None:
    assert tunnel("secure.example:443") == ("secure.example", 443)
    assert tunnel("SECURE.example:443") == ("SECURE.example", 443)
    assert tunnel("[2001:db8::1]:8443") == ("2001:db8::1", 8443)


def test_tunnels_lead_to_hosts_that_the_operator_names() -> None:
    assert tunnel("other.example:8443", "other.example:8443") == ("other.example", 8443)
    assert isinstance(tunnel("other.example:8444", "other.example:8443"), NotOurs)


@pytest.mark.parametrize(
    "target",
    [
        "archive.example:443",
        "archive.example:80",
        "secure.example:22",
        "secure.example:0443",
        "secure.example:80443",
        "secure.example:0",
        "secure.example",
        "secure.example:",
        ":443",
        "evil.example@secure.example:443",
        "secure.example:443@evil.example:443",
        "http://secure.example:443",
        "secure.example:443/x",
        "127.0.0.1:443",
        "127.0.0.1:8080",
        "127.1:443",
        "2130706433:443",
        "0x7f000001:443",
        "0177.0.0.1:443",
        "localhost:443",
        "[::1]:443",
        "[::ffff:127.0.0.1]:443",
        "[2001:db8:0::1]:8443",
        "169.254.169.254:80",
        "metadata.google.internal:80",
        "[fe80::1%25eth0]:443",
    ],
)
def test_tunnel_to_anything_else_is_refused(target: str) -> None:
    found = tunnel(target)
    assert isinstance(found, NotOurs)
    assert found.status in (400, 403)
