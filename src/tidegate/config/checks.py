"""Rules that span several settings: each alone is well-formed, together they contradict each other."""

import re
from collections.abc import Iterator

from tidegate import presets
from tidegate.config.addresses import PORT_MAX, is_address, is_folder, masked, spelling
from tidegate.config.lines import KeyPath
from tidegate.config.problems import Problem, Where, problem
from tidegate.config.settings import Settings
from tidegate.presets.known_feeds import known_feed, known_feeds
from tidegate.sources.settings import ArchiveSettings
from tidegate.watch.watch import watches_of

ARMOR = "-----BEGIN PGP PUBLIC KEY BLOCK-----"
FINGERPRINT = re.compile(r"^(?:[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})!?$")
_HOST_PORT = re.compile(r"^(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9._-]+):\d{1,5}$")
_ADDRESS = "Write it as in sources.list: http://HOST/PATH or https://HOST/PATH, without a password."
_FEED_ADDRESS = "Write https://HOST/PATH, or a file or a directory as file:///PATH or /PATH."
_FOLDER = "A folder is written as file:///PATH or /PATH, in its shortest form."
_SUITE = re.compile(r"^(?:\./|(?!/)[^\s/]+(?:/[^\s/]+)*/?)$")


def keyring_entries(archive: ArchiveSettings) -> tuple[str, ...]:
    """The archive's keyring as a list: paths, armored keys, fingerprints."""
    return (archive.keyring,) if isinstance(archive.keyring, str) else archive.keyring


def checked(settings: Settings, where_is: Where) -> list[Problem]:
    """Every contradiction; empty when the settings can be used."""
    found = [*_ports(settings), *_tunnels(settings), *_names(settings), *_aliases(settings)]
    for number, archive in enumerate(settings.archive):
        found += _archive(archive, ("archive", number))
    found += _feeds(settings)
    found += _watches(settings)
    return [problem(path, what, todo, where_is) for path, what, todo in found]


_Found = tuple[KeyPath, str, str]


def _ports(settings: Settings) -> Iterator[_Found]:
    listens = {"gateway": settings.gateway.listen, "admin": settings.admin.listen}
    for section, listen in listens.items():
        if int(listen.rpartition(":")[2]) > PORT_MAX:
            yield (section, "listen"), f"{listen} has no such port", f"Ports go up to {PORT_MAX}."
    if settings.gateway.listen == settings.admin.listen and not settings.gateway.listen.endswith(":0"):
        yield (
            ("admin", "listen"),
            f"{settings.admin.listen} is the gateway's own port",
            "Health, status and metrics need a port of their own.",
        )


def _tunnels(settings: Settings) -> Iterator[_Found]:
    for host in settings.gateway.tunnel_hosts:
        if not _HOST_PORT.match(host) or int(host.rpartition(":")[2]) > PORT_MAX:
            yield (
                ("gateway", "tunnel_hosts"),
                f"{host!r} is not HOST:PORT",
                "Write it as esm.vendor.example:443.",
            )


def _names(settings: Settings) -> Iterator[_Found]:
    first: dict[str, int] = {}
    for number, archive in enumerate(settings.archive):
        if first.setdefault(archive.name, number) != number:
            yield (
                ("archive", number, "name"),
                f"{archive.name!r} names an archive before it already",
                "One archive may have many suites and sources; two archives need two names.",
            )


def _aliases(settings: Settings) -> Iterator[_Found]:
    owner: dict[str, str] = {}
    for number, archive in enumerate(settings.archive):
        for alias in archive.aliases:
            if owner.setdefault(alias.rstrip("/"), archive.name) != archive.name:
                yield (
                    ("archive", number, "aliases"),
                    f"{alias} is an address of {owner[alias.rstrip('/')]!r} already",
                    "What a client asks for must name one archive.",
                )


def _archive(archive: ArchiveSettings, path: KeyPath) -> Iterator[_Found]:
    yield from _sources(archive, path)
    for suite in archive.suites:
        if not _SUITE.match(suite) or any(part in {"..", "."} for part in suite.removeprefix("./").split("/")):
            yield (
                (*path, "suites"),
                f"{suite!r} is no suite",
                "A suite is written as in sources.list: noble-updates, or DIR/ and ./ for a flat repository.",
            )
    for alias in archive.aliases:
        if not is_address(alias):
            yield ((*path, "aliases"), f"{masked(alias)!r} is no address", _ADDRESS)
    for entry in keyring_entries(archive):
        if not (ARMOR in entry or entry.startswith("/") or FINGERPRINT.match(entry)):
            yield (
                (*path, "keyring"),
                f"{entry[:60]!r} is no keyring",
                "Give the absolute path of a keyring, an armored key in place, or a key's whole fingerprint.",
            )


def _sources(archive: ArchiveSettings, path: KeyPath) -> Iterator[_Found]:
    off = {spelling(source.url) for source in archive.source if not source.enabled}
    asked = [*archive.aliases, *(source.url for source in archive.source if source.enabled)]
    if not (archive.mirror_list or archive.known_mirrors or any(spelling(url) not in off for url in asked)):
        yield (
            path,
            f"{archive.name!r} has no source to fetch from",
            'Add [[archive.source]] with url = "http://…", or aliases, which then are asked themselves.',
        )
    preset = presets.named(archive.name)
    if archive.known_mirrors and not (preset and preset.known_sources):
        yield (
            (*path, "known_mirrors"),
            f"no mirrors are known of {archive.name!r}",
            f"They are of {', '.join(each.name for each in presets.load() if each.known_sources)}.",
        )
    for number, source in enumerate(archive.source):
        at = (*path, "source", number)
        if is_folder(source.url):
            continue
        if not is_address(source.url):
            is_web = source.url.startswith("http")
            yield (*at, "url"), f"{masked(source.url)!r} is no address", _ADDRESS if is_web else _FOLDER
        elif source.kind == "media":
            yield (*at, "kind"), f"{masked(source.url)} is no folder", _FOLDER


def _watches(settings: Settings) -> Iterator[_Found]:
    first: dict[str, int] = {}
    for number, watch in enumerate(settings.watch):
        at: KeyPath = ("watch", number)
        if first.setdefault(watch.name, number) != number:
            yield (*at, "name"), f"{watch.name!r} is a watch before it already", "Each page has a name of its own."
        if not watches_of([watch])[0]:
            yield (*at, "url"), f"{masked(watch.url)!r} is no address", "Write https://HOST/PATH, without a password."
        if watch.keep and not (watch.contains or watch.member):
            yield (
                (*at, "contains"),
                f"nothing tells {watch.name!r} from an error page, or from somebody else's",
                "Give words that it always has (contains), or a member of its JSON; or keep = false.",
            )


def _feeds(settings: Settings) -> Iterator[_Found]:
    first: dict[str, int] = {}
    for number, feed in enumerate(settings.advisories.feed):
        at: KeyPath = ("advisories", "feed", number)
        if first.setdefault(feed.name, number) != number:
            yield (*at, "name"), f"{feed.name!r} is a feed before it already", "One feed may have many `urls`."
        if feed.enabled and not feed.urls and known_feed(feed.name) is None:
            names = ", ".join(each.name for each in known_feeds())
            yield (
                (*at, "urls"),
                f"nothing is known of where {feed.name!r} is published",
                f"Give its `urls`. Known are {names}.",
            )
        for url in feed.urls:
            if not (is_folder(url) or is_address(url)):
                yield (*at, "urls"), f"{masked(url)!r} is no address", _FEED_ADDRESS
        if feed.signature and not feed.digests:
            todo = "Sign a list of digests, as sha256sum makes it, and name it in `digests`."
            yield (*at, "signature"), "a signature is of a list of digests, and there is none", todo
        if feed.signature and not feed.keyring:
            todo = "Name the file of the keys that may sign; none is trusted because it comes along."
            yield (*at, "keyring"), "a signature counts only by a key that is known", todo
