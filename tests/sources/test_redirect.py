"""Where a redirect may lead: threats 24 to 26."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.sources.archive import BadAddressError, Endpoint, Reach, endpoint_of, source_of
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.redirect import LOCATION_BYTES_MAX, next_hop

HTTP = Endpoint("http", "mirror.example", 80, Reach.SITE)
HTTPS = Endpoint("https", "mirror.example", 443, Reach.SITE)
TARGET = "/debian/pool/a.deb"


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("http://other.example/b.deb", "http://other.example:80/b.deb"),
        ("https://other.example/b.deb", "https://other.example:443/b.deb"),
        ("http://other.example:8080/b.deb?x=1", "http://other.example:8080/b.deb?x=1"),
        ("http://OTHER.Example/b.deb", "http://other.example:80/b.deb"),
        ("//other.example/b.deb", "http://other.example:80/b.deb"),
        ("/b.deb", "http://mirror.example:80/b.deb"),
        ("b.deb", "http://mirror.example:80/debian/pool/b.deb"),
        ("../b.deb", "http://mirror.example:80/debian/b.deb"),
        ("?sig=1", "http://mirror.example:80/debian/pool/a.deb?sig=1"),
        ("http://other.example", "http://other.example:80/"),
        ("http://[2001:67c::1]/b.deb", "http://2001:67c::1:80/b.deb"),
    ],
)
def test_a_redirect_to_a_public_place_is_followed(location: str, url: str) -> None:
    to, target = next_hop(HTTP, TARGET, location)
    assert f"{to.scheme}://{to.host}:{to.port}{target}" == url


@pytest.mark.parametrize(
    "location",
    [
        None,
        "",
        "ftp://other.example/b.deb",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_x",
        "javascript:alert(1)",
        "http://user:secret@other.example/b.deb",
        "http://user@other.example/b.deb",
        "http://other.example/b.deb#part",
        "http://other.example:99999/b.deb",
        "http://other.example:port/b.deb",
        "http://[::1/b.deb",
        "http://other.example/a b",
        "http://other.example/\x01",
        "http://other.example/\u00fc",
        "http://other.example/" + "x" * LOCATION_BYTES_MAX,
    ],
)
def test_a_redirect_to_anything_else_is_refused(location: str | None) -> None:
    with pytest.raises(FetchError) as refused:
        next_hop(HTTP, TARGET, location)
    assert refused.value.failure is Failure.REDIRECT


def test_a_redirect_from_https_to_http_is_refused() -> None:
    """Threat 26."""
    with pytest.raises(FetchError, match="from https to http"):
        next_hop(HTTPS, TARGET, "http://mirror.example/debian/pool/a.deb")
    assert next_hop(HTTP, TARGET, "https://mirror.example/debian/pool/a.deb")[0].scheme == "https"


def test_another_host_loses_the_leave_that_the_first_one_had() -> None:
    """Threat 24: a source of this site may not send us to its neighbours, nor to ourselves."""
    assert next_hop(HTTP, TARGET, "http://other.example/b.deb")[0].reach is Reach.PUBLIC
    assert next_hop(HTTP, TARGET, "http://127.0.0.1/b.deb")[0].reach is Reach.PUBLIC
    assert next_hop(HTTP, TARGET, "/b.deb")[0].reach is Reach.SITE


@given(st.text(max_size=60))
def test_whatever_the_location_says_a_hop_is_http_to_a_host_or_refused(location: str) -> None:
    for endpoint in (HTTP, HTTPS):
        try:
            to, target = next_hop(endpoint, TARGET, location)
        except FetchError as refused:
            assert refused.failure is Failure.REDIRECT  # noqa: PT017 (a refusal is one of two right ends)
        else:
            assert to.scheme in ("http", "https")
            assert to.scheme == "https" or endpoint.scheme == "http"
            assert to.host
            assert target.isascii()
            assert not any(c <= " " for c in target)
            assert to.reach is (endpoint.reach if to.host == endpoint.host else Reach.PUBLIC)


# The addresses of sources, by the same reader


def test_a_source_is_read_from_its_address() -> None:
    source = source_of("http://Mirror.example:8080/debian/", reach=Reach.PUBLIC, operator="", kind="mirror")
    assert source.url == "http://Mirror.example:8080/debian"
    assert source.endpoint == Endpoint("http", "mirror.example", 8080, Reach.PUBLIC)
    assert source.operator == "mirror.example"
    assert source.endpoint.authority == "mirror.example:8080"
    assert source.target("pool/g~1/a b.deb") == "/debian/pool/g~1/a%20b.deb"


def test_a_source_that_is_an_address_may_be_where_it_says() -> None:
    assert source_of("http://127.0.0.1:9/d", reach=Reach.PUBLIC, operator="", kind="mirror").endpoint.reach is Reach.ANY
    assert source_of("http://[::1]/d", reach=Reach.PUBLIC, operator="", kind="mirror").endpoint.authority == "[::1]"


@pytest.mark.parametrize(
    "url", ["http://u:p@a.example/d", "ftp://a.example", "http://a.example/d?x", "a.example/d", "http://a.example/ d"]
)
def test_what_is_no_source_is_told_so(url: str) -> None:
    with pytest.raises(BadAddressError, match=r"http|user names|query|ASCII"):
        source_of(url, reach=Reach.PUBLIC, operator="", kind="mirror")


def test_default_ports_are_left_out_of_the_host_header() -> None:
    assert endpoint_of("https://a.example:443/", Reach.PUBLIC)[0].authority == "a.example"
    assert endpoint_of("https://a.example:80/", Reach.PUBLIC)[0].authority == "a.example:80"
