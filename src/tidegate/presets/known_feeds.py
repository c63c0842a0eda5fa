"""Where the vendors' feeds on vulnerabilities are known to be published: `feeds/known.toml`, as data with its origin.

Nothing is fetched because it stands there; whose addresses are asked, and whether, is for the settings to say.
"""

import re
import tomllib
from datetime import date
from functools import cache
from importlib.resources import files

import msgspec

_FILE = files(__package__) / "feeds" / "known.toml"


class KnownAddress(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"listed_in": "from"}):
    """A place that is said to publish a feed, or to carry it."""

    url: str
    operator: str
    listed_in: str
    """Who says so, and whether we have seen it ourselves."""


class KnownFeed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, rename={"addresses": "source"}):
    """One feed. A name with `{codename}` in it is a document of each release, and so are its addresses."""

    name: str
    title: str
    usual: bool = False
    """Among those that `advisories.known_feeds` turns on; all others have to be named."""
    interval_s: float
    bytes_max: int
    """Of the file as it is published, some times of what it had when it was last looked up."""
    pages_of: str = ""
    """An API that gives it a page at a time: the member of the answer that its entries are in."""
    signed: str
    """What vouches for it besides TLS, as far as is known."""
    checked: date
    addresses: tuple[KnownAddress, ...]


class _Known(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    feed: tuple[KnownFeed, ...]


@cache
def known_feeds() -> tuple[KnownFeed, ...]:
    """All that ship, in the order of the file."""
    return msgspec.convert(tomllib.loads(_FILE.read_text("utf-8")), type=_Known).feed


def known_feed(name: str) -> KnownFeed | None:
    """The one of that name, with the codename in its place where the name has one."""
    for feed in known_feeds():
        before, has_place, after = feed.name.partition("{codename}")
        if feed.name == name:
            return None if has_place else feed
        found = re.fullmatch(f"{re.escape(before)}([a-z]+){re.escape(after)}", name) if has_place else None
        if found:
            return _of_release(feed, name, found[1])
    return None


def _of_release(feed: KnownFeed, name: str, codename: str) -> KnownFeed:
    addresses = tuple(
        msgspec.structs.replace(one, url=one.url.replace("{codename}", codename)) for one in feed.addresses
    )
    title = feed.title.replace("{codename}", codename)
    return msgspec.structs.replace(feed, name=name, title=title, addresses=addresses)
