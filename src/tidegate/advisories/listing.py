"""Lists of what the feeds have records about: newest first, or what some words find."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tidegate.advisories.statement import Kind, Parsed, Record, Status

WORDS_MAX = 16
"""Words that are looked for at once."""
WORD_CHARS_MAX = 64
LISTED_MAX = 200
"""On one page."""
OFFSET_MAX = 10_000_000
UBUNTU_PRIORITY = "Ubuntu"
"""The scheme of Ubuntu's own judgement (see `statement.Severity`)."""

_WORD = re.compile(r"[^\W_]+")


class By(StrEnum):
    """What a list is sorted by; what has no such time comes last."""

    PUBLISHED = "published"
    MODIFIED = "modified"
    PRIORITY = "priority"
    """Ubuntu's, the highest first, then by when it was published."""


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for. What is empty is no condition.

    `words`: each has to begin a word of a record's id, title, description, CVEs or packages; what is written together
    (`CVE-2026-1`, `linux-aws`) has to stand together. `package` is part of a source package's name. Package,
    `releases` and `statuses` have to be so of one and the same statement. `cves`: the record speaks of one of these.
    """

    kind: Kind
    feeds: tuple[str, ...] = ()
    words: str = ""
    package: str = ""
    releases: tuple[str, ...] = ()
    statuses: tuple[Status, ...] = ()
    priorities: tuple[str, ...] = ()
    cves: tuple[str, ...] = ()
    by: By = By.PUBLISHED
    oldest_first: bool = False
    limit: int = 20
    offset: int = 0

    @property
    def of_statements(self) -> bool:
        """Whether it asks for what is stated, and not only for what the records are."""
        return bool(self.package or self.releases or self.statuses)


@dataclass(frozen=True, slots=True)
class Listed:
    """A CVE or a notice, and when it was published and changed, by the record that says so latest."""

    about: str
    published: int | None
    modified: int | None


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what was asked for, and how many there are in all."""

    total: int
    listed: tuple[Listed, ...]


PRIORITIES = ("critical", "high", "medium", "low", "negligible", "unknown")
"""Ubuntu's, the highest first."""


def priority_of(record: Record) -> str:
    """Ubuntu's priority, empty where it gave none."""
    return next((one.value.lower() for one in record.severities if one.scheme == UBUNTU_PRIORITY), "")


def words_of(text: str) -> Iterator[str]:
    """A text's words, as they are compared: without case and accents."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    yield from _WORD.findall("".join(char for char in plain if not unicodedata.combining(char)))


def wording(parsed: Parsed) -> str:
    """All that a record can be found by, in words with a blank between them, and ` | ` between its parts."""
    record = parsed.record
    packages = sorted({one.package for one in parsed.statements})
    names = dict.fromkeys((record.id, record.about, *record.cves, *record.aliases, *packages))
    return " | ".join(" ".join(words_of(part)) for part in (*names, record.title, record.description))


def phrases(words: str) -> tuple[tuple[str, ...], ...]:
    """What is looked for: words that have to stand together, of each of which the last may go on."""
    found = (tuple(word[:WORD_CHARS_MAX] for word in words_of(chunk))[:WORDS_MAX] for chunk in words.split())
    return tuple(dict.fromkeys(phrase for phrase in found if phrase))[:WORDS_MAX]


def found_in(text: str, phrase: tuple[str, ...]) -> bool:
    """Whether a wording has a phrase."""
    return " " + " ".join(phrase) in " " + text
