"""Which feeds are kept, and who is asked for each: from the settings and from what is known of feeds. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from tidegate.advisories.feeds import EPSS, FEEDS
from tidegate.advisories.settings import AdvisoriesSettings, FeedSettings
from tidegate.presets.known_feeds import KnownFeed, known_feed, known_feeds
from tidegate.sources.archive import (
    LOCAL_OPERATOR,
    BadAddressError,
    Endpoint,
    Reach,
    Source,
    endpoint_of,
    folder_of,
    is_literal,
)
from tidegate.trust.keyring import Keyring

INTERVAL_S = 3_600.0
BYTES_MAX = 2**30
FILE_CHARS_MAX = 100
NO_KEYS = Keyring()
_ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, slots=True)
class Subscription:
    """One feed that is kept. A source's `base` is the whole request target of the feed at it.

    `pages_of`: the feed comes a page at a time, in this member of each answer. `digests` and `signature` are addresses,
    relative to the source's own; empty: there are none.
    """

    name: str
    title: str
    sources: tuple[Source, ...]
    interval_s: float
    bytes_max: int
    pages_of: str = ""
    digests: str = ""
    signature: str = ""
    keyring: Keyring = NO_KEYS

    @property
    def is_read(self) -> bool:
        """Whether it is read into the history, and not only kept as it is."""
        return self.name == EPSS or self.name in FEEDS


def subscriptions_of(
    settings: AdvisoriesSettings, keyring_at: Callable[[str], Keyring]
) -> tuple[dict[str, Subscription], tuple[str, ...]]:
    """By name, in the order of the settings and then of what is known; and what could not be used, in sentences."""
    notes: list[str] = []
    found: dict[str, Subscription] = {}
    named = {feed.name for feed in settings.feed}
    usual = [feed.name for feed in known_feeds() if feed.usual and feed.name not in named]
    wanted = [*settings.feed, *(FeedSettings(name=name) for name in usual if settings.known_feeds)]
    for each in wanted:
        if not each.enabled:
            continue
        known = known_feed(each.name)
        try:
            sources = tuple(_sources(each, known, also_known=settings.known_feeds or not each.urls))
        except BadAddressError as error:
            notes.append(f"{each.name}: {error}")
            continue
        if not sources:
            notes.append(f"{each.name}: nothing is known of where it is published; give it `urls`")
            continue
        keyring = keyring_at(each.keyring) if each.keyring else NO_KEYS
        notes += [f"{each.name}: {problem.evidence}" for problem in keyring.problems]
        found[each.name] = _subscription(each, known, sources, keyring)
    return found, tuple(notes)


def _subscription(
    each: FeedSettings, known: KnownFeed | None, sources: tuple[Source, ...], keyring: Keyring
) -> Subscription:
    title = FEEDS[each.name].title if each.name in FEEDS else known.title if known else each.name
    return Subscription(
        name=each.name,
        title=title,
        sources=sources,
        interval_s=each.interval_s or (known.interval_s if known else INTERVAL_S),
        bytes_max=each.file_bytes_max or (known.bytes_max if known else BYTES_MAX),
        pages_of=each.pages_of or (known.pages_of if known and not each.urls else ""),
        digests=each.digests,
        signature=each.signature,
        keyring=keyring,
    )


def _sources(each: FeedSettings, known: KnownFeed | None, *, also_known: bool) -> Iterator[Source]:
    """The settings' own in their order, then the known ones; a known API is not asked beside somebody's file."""
    for url in dict.fromkeys(each.urls):
        yield feed_source(url, Reach.ANY if each.private else Reach.SITE)
    if known is None or not also_known or (each.urls and bool(known.pages_of) != bool(each.pages_of)):
        return
    for address in known.addresses:
        if address.url not in each.urls:
            yield feed_source(address.url, Reach.PUBLIC, address.operator)


def feed_source(url: str, reach: Reach, operator: str = "") -> Source:
    """The source of a feed at an address, or at a path of this machine. Raises BadAddressError."""
    if (path := folder_of(url)) is not None:
        return Source(path.as_uri(), Endpoint("file", "", 0, Reach.ANY, path), "", LOCAL_OPERATOR, "media")
    endpoint, target = endpoint_of(url, reach)
    if is_literal(endpoint.host) or endpoint.host == "localhost":
        endpoint = Endpoint(endpoint.scheme, endpoint.host, endpoint.port, Reach.ANY)
    return Source(url, endpoint, target or "/", operator or endpoint.host, "mirror")


def subscription_to_path(name: str, path: Path, like: Subscription | None) -> Subscription:
    """The feed of that name from a path of this machine, whoever else is asked for it. Raises BadAddressError."""
    source = feed_source(str(path), Reach.ANY)
    if like is None:
        known = known_feed(name)
        like = _subscription(FeedSettings(name=name), known, (), NO_KEYS)
    return replace(like, sources=(source,), pages_of="", digests="", signature="")


def companion(source: Source, address: str) -> tuple[Endpoint, str]:
    """Where a list or a signature of what `source` gives is, as its owner wrote it. Raises BadAddressError."""
    endpoint, target = endpoint_of(urljoin(source.url, address), Reach.SITE)
    if endpoint.host == source.endpoint.host:
        endpoint = Endpoint(endpoint.scheme, endpoint.host, endpoint.port, source.endpoint.reach)
    elif is_literal(endpoint.host):
        endpoint = Endpoint(endpoint.scheme, endpoint.host, endpoint.port, Reach.ANY)
    return endpoint, target or "/"


def file_of(source: Source) -> str:
    """What the file at a source is called; its end tells its format."""
    path = source.endpoint.root or Path(unquote(urlsplit(source.url).path))
    return _ODD.sub("-", path.name).strip(".-")[-FILE_CHARS_MAX:].lstrip(".-_") or "feed"
