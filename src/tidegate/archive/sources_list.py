"""sources.list and `.sources`: where a host's apt gets its packages from, and whom it trusts (sources.list(5)).

A bad entry does not lose the good ones: what cannot be used is handed back as a problem beside them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tidegate.archive import deb822
from tidegate.archive.errors import FormatError, excerpt
from tidegate.archive.paths import listed

SOURCES_CHARS_MAX = 2**20
WORDS_MAX = 256
"""Of one field: a `.sources` stanza stands for each combination of its URIs and suites."""


@dataclass(frozen=True, slots=True)
class SourceEntry:
    """One line of a sources.list, or one stanza of a `.sources` file.

    `suites` are as a client writes them; `$(ARCH)` stands as it is. `architectures` is empty where the entry
    leaves them to the host, whose own set `options` may add to (`architectures-add`) or take from
    (`architectures-remove`). `signed_by` are absolute paths of keyrings and fingerprints (40 or 64 hexadecimal
    digits in upper case, `!` behind them for that very key alone); `inline_key` is an armored key. `trusted` is
    None where the entry does not say. `options` are the other settings by their deb822 names in lower case,
    lists separated by a blank; `where` is `FILE:LINE`.
    """

    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    options: Mapping[str, str]
    signed_by: tuple[str, ...]
    inline_key: str | None
    trusted: bool | None
    enabled: bool
    where: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a file says: the entries that can be used, disabled ones too, and what is wrong with the others."""

    entries: tuple[SourceEntry, ...]
    problems: tuple[FormatError, ...]


class _Places(NamedTuple):
    types: tuple[str, ...]
    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]


# The one-line form's short names of lists; its other options have the names of deb822 fields.
_LISTS = {"arch": "architectures", "lang": "languages", "target": "targets"}
_OPERATORS = {"": "", "+": "-add", "-": "-remove"}

# apt's words: blanks separate them, but not within quotes or brackets (`cdrom:[Debian 12 …]/`).
_WORD = re.compile(r"""[ \t]*((?:"[^"]*"|\[[^\]]*\]|[^ \t"\[])+)[ \t]*""")
_LINE = re.compile(r"(\S+)[ \t]+(?:\[([^\]]*)\])?(.*)")
_OPTION = re.compile(r"([A-Za-z-]+?)([+-]?)=(.+)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9.+-]*:[^\x00-\x20]+|cdrom:\[[^\x00-\x1f\]]*\]/?")
_ARCHITECTURE = re.compile(r"[a-z0-9][a-z0-9-]*")
_FINGERPRINT = re.compile(r"(?:[0-9A-F]{40}|[0-9A-F]{64})!?")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_ARMOR_BEGIN, _ARMOR_END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"


def parse_sources_list(text: str, where: str) -> Parsed:
    """Read the one-line form (`deb [OPTIONS] URI SUITE COMPONENT…`); `where` is the file's name for people."""
    entries: list[SourceEntry] = []
    problems: list[FormatError] = []
    for number, line in _lines(text, where, problems):
        try:
            entries.append(_entry_of_line(line, f"{where}:{number}"))
        except FormatError as problem:
            problems.append(problem)
    return Parsed(tuple(entries), tuple(problems))


def parse_deb822_sources(text: str, where: str) -> Parsed:
    """Read the deb822 form (a `.sources` file); `where` is the file's name for people.

    A disabled stanza that could not be used if it were enabled is passed over, as apt does.
    """
    if len(text) > SOURCES_CHARS_MAX:
        return Parsed((), (_too_long(where),))
    entries: list[SourceEntry] = []
    problems: list[FormatError] = []
    for first_line, lines in deb822.split_stanzas(text.replace("\r\n", "\n"), allow_comments=True):
        fields: dict[str, str] = {}
        try:
            fields = deb822.read_stanza(lines, first_line, allow_comments=True)
            entries.append(_entry_of_stanza(fields, f"{where}:{first_line}"))
        except FormatError as problem:
            if not fields:
                problem = FormatError(problem.what, f"{where}:{problem.where.removeprefix('line ')}")
            if deb822.boolean(fields.get("enabled", "yes")) is not False:
                problems.append(problem)
    return Parsed(tuple(entries), tuple(problems))


def _lines(text: str, where: str, problems: list[FormatError]) -> Iterator[tuple[int, str]]:
    if len(text) > SOURCES_CHARS_MAX:
        problems.append(_too_long(where))
        return
    for number, line in enumerate(text.split("\n"), start=1):
        if entry := _without_comment(line.removesuffix("\r")).strip(" \t"):
            yield number, entry


def _too_long(where: str) -> FormatError:
    return FormatError(f"longer than {SOURCES_CHARS_MAX} characters", where)


def _without_comment(line: str) -> str:
    start = 0
    while (end := line.find("#", start)) >= 0:
        bracket = line.find("[", start, end)
        closing = line.find("]", bracket) if bracket >= 0 else -1
        if closing < 0:
            return line[:end]
        start = closing + 1
    return line


def _entry_of_line(line: str, where: str) -> SourceEntry:
    if control := _CONTROL.search(line):
        raise FormatError(f"control character {excerpt(control[0])}", where)
    match = _LINE.fullmatch(line)
    if match is None:
        raise FormatError(f"not an entry: {excerpt(line)}", where)
    kind, options, rest = match.groups()
    words = _words(rest, where)
    if len(words) < 2:  # an address and a suite
        raise FormatError(f"no address, or no suite: {excerpt(line)}", where)
    uri, suite, *components = words
    places = _Places((kind,), (uri,), (suite,), tuple(components))
    return _entry(places, _options(options or "", where), where)


def _words(text: str, where: str) -> list[str]:
    words: list[str] = []
    position, end = 0, len(text.rstrip(" \t"))
    while position < end:
        word = _WORD.match(text, position)
        if word is None or len(words) >= WORDS_MAX:
            raise FormatError(f"unbalanced quotes or brackets, or too many words: {excerpt(text)}", where)
        words.append(word[1].replace('"', ""))
        position = word.end()
    return words


def _options(text: str, where: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for word in _words(text, where):
        match = _OPTION.fullmatch(word)
        if match is None:
            raise FormatError(f"not an option: {excerpt(word)}", where)
        name, operator, value = match.groups()
        name = name.lower()
        if name in _LISTS:
            name = _LISTS[name] + _OPERATORS[operator]
            value = " ".join(value.replace(",", " ").split())
        options[name] = value
    return options


def _entry_of_stanza(fields: dict[str, str], where: str) -> SourceEntry:
    rest = {name: value for name, value in fields.items() if name not in _Places._fields}
    places = _Places(*(_list(fields.get(name, ""), where) for name in _Places._fields))
    for name, values in (("Types", places.types), ("URIs", places.uris), ("Suites", places.suites)):
        if not values:
            raise FormatError(f"no {name}", where)
    return _entry(places, rest, where)


def _entry(places: _Places, settings: dict[str, str], where: str) -> SourceEntry:
    _check(places, where)
    architectures = _list(settings.pop("architectures", "").replace(",", " "), where)
    for architecture in architectures:
        if not _ARCHITECTURE.fullmatch(architecture):
            raise FormatError(f"not an architecture: {excerpt(architecture)}", where)
    trusted = _boolean(settings, "trusted", where)
    enabled = _boolean(settings, "enabled", where)
    signed_by, inline_key = _signed_by(settings.pop("signed-by", ""), where)
    return SourceEntry(*places, architectures, settings, signed_by, inline_key, trusted, enabled is not False, where)


def _check(places: _Places, where: str) -> None:
    for kind in places.types:
        if kind not in {"deb", "deb-src"}:
            raise FormatError(f"neither deb nor deb-src: {excerpt(kind)}", where)
    for uri in places.uris:
        if not _URI.fullmatch(uri):
            raise FormatError(f"not an address: {excerpt(uri)}", where)
    for suite in places.suites:
        flat = suite.endswith("/")
        if suite not in {"/", "./"}:
            listed(suite.replace("$(ARCH)", "ARCH").removesuffix("/"), where)
        if flat and places.components:
            raise FormatError(f"components beside the directory {excerpt(suite)}", where)
        if not flat and not places.components:
            raise FormatError(f"no component for {excerpt(suite)}", where)
    for component in places.components:
        listed(component.replace("$(ARCH)", "ARCH"), where)


def _signed_by(value: str, where: str) -> tuple[tuple[str, ...], str | None]:
    if _ARMOR_BEGIN in value:
        lines = ("" if line.strip() == "." else line.strip() for line in value.split("\n"))
        key = "\n".join(lines).strip()
        if not (key.startswith(_ARMOR_BEGIN) and key.endswith(_ARMOR_END)):
            raise FormatError("the key in Signed-By is not one whole armored block", where)
        return (), key + "\n"
    keys = []
    for word in _list(value.replace(",", " "), where):
        fingerprint = word.upper().removeprefix("0X")
        if not word.startswith("/") and not _FINGERPRINT.fullmatch(fingerprint):
            raise FormatError(f"neither a keyring's path nor a fingerprint: {excerpt(word)}", where)
        keys.append(word if word.startswith("/") else fingerprint)
    return tuple(keys), None


def _boolean(settings: dict[str, str], name: str, where: str) -> bool | None:
    value = settings.pop(name, None)
    if value is None:
        return None
    meaning = deb822.boolean(value)
    if meaning is None:
        raise FormatError(f"neither yes nor no in {name}: {excerpt(value)}", where)
    return meaning


def _list(value: str, where: str) -> tuple[str, ...]:
    words = tuple(value.split())
    if len(words) > WORDS_MAX:
        raise FormatError(f"more than {WORDS_MAX} words", where)
    return words
