"""Redirects, followed by us and hop by hop (threats 24 to 26). Pure."""

from urllib.parse import urljoin

from tidegate.sources.archive import BadAddressError, Endpoint, Reach, endpoint_of
from tidegate.sources.failure import Failure, FetchError

STATUSES = frozenset({301, 302, 303, 307, 308})
LOCATION_BYTES_MAX = 4096


def next_hop(endpoint: Endpoint, target: str, location: str | None) -> tuple[Endpoint, str]:
    """Where a redirect leads. Raises FetchError when we do not go there.

    A hop may lead to another public host, since what comes is verified by digest; it may not lead from https to
    http, nor from a named host to this machine or this site. Nothing of the first request goes along: we send no
    credentials at all.
    """
    if not location or len(location) > LOCATION_BYTES_MAX:
        raise FetchError(Failure.REDIRECT, "a redirect without a usable Location")
    try:
        to, path = endpoint_of(urljoin(f"{endpoint.scheme}://{endpoint.authority}{target}", location), Reach.PUBLIC)
    except (BadAddressError, ValueError) as error:
        raise FetchError(Failure.REDIRECT, f"a redirect to {error}") from None
    if endpoint.scheme == "https" and to.scheme == "http":
        raise FetchError(Failure.REDIRECT, f"a redirect from https to {to.scheme}://{to.host}")
    if to.host == endpoint.host:
        return Endpoint(to.scheme, to.host, to.port, endpoint.reach), path or "/"
    return to, path or "/"
