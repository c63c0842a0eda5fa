"""What to answer when nothing can be given, so that every apt comes to an end and says why.

apt prints the reason phrase of an answer that it takes for final. What it takes for passing (408, 429, 500,
502 to 504) it asks for again, and there apt 2.4 to 3.0.2 is broken (LP #2003851): once is enough, on any file
of `apt-get update`, and it hangs for good. Every rule here is one of docs/apt-clients.md's tables, and a test
holds it to what was measured there.
"""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

REASON_BYTES_MAX: Final = 200
"""A reason phrase's length. apt keeps 359 bytes of it, and a terminal a line or two."""

RETRY_AFTER_S: Final = 5
"""What a client other than apt is asked to wait before it comes back for a package."""

_USER_AGENT_BYTES_MAX: Final = 512
_APT: Final = re.compile(r"\bAPT-[A-Z+]{1,16}/[0-9.]{1,16} \((\d{1,4}(?:\.\d{1,4}){1,4})(?![\d.])")


class Asked(Enum):
    """What a request names, as far as a client's reaction to a refusal depends on it."""

    RELEASE = "release"
    """InRelease, Release or Release.gpg."""
    INDEX = "index"
    """An index under its plain name, or a patch to one."""
    BY_HASH = "by-hash"
    """An index under the name of its digest."""
    ARTIFACT = "artifact"
    """A package or a file of a source package."""
    OTHER = "other"
    """Anything else: changelogs, installer images, paths that no index lists."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal as it goes on the wire: status line, `Retry-After`, and whether the connection ends."""

    status: int
    reason: str
    """Printable ASCII, 1 to `REASON_BYTES_MAX` bytes, on one line: what a person reads in apt's output."""
    retry_after_s: int | None = None
    close: bool = False


def apt_version(user_agent: str) -> tuple[int, ...] | None:
    """The version of the apt that asks, or None for anybody else.

    `Debian APT-HTTP/1.3 (2.6.1)`; from a timer there follows ` non-interactive`; a vendor's suffix to the
    version (`3.1.0~rc1`, `2.9.30+exp1`) is left out.
    """
    found = _APT.search(user_agent[:_USER_AGENT_BYTES_MAX])
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def answer_for(asked: Asked, why: str, *, user_agent: str, temporary: bool, proven_absent: bool) -> Answer:
    """The answer to a request for which there is nothing to give.

    `why` is a sentence for people. `temporary`: the same request may succeed soon. `proven_absent`: signed
    metadata says that there is no such path. Only then is it 404, which sends apt to look elsewhere, and
    which caches on the way may keep.

    Else it is 403: every apt ends at once, prints the sentence, and still takes what else it came for. Only
    whoever survives it is asked to come back with 503: any apt for packages, and an apt that is known to be
    mended for the rest.
    """
    reason = _phrase(why)
    version = apt_version(user_agent)
    if proven_absent:
        return Answer(404, reason)
    if not temporary:
        # Whoever is not apt and asks for what no archive has is a scanner: it need not hold a connection.
        return Answer(403, reason, close=version is None and asked is Asked.OTHER)
    if asked is Asked.ARTIFACT:
        # No Retry-After for apt: it comes back by itself after 1, 2 and 4 s, and apt 3 would wait out one
        # Retry-After after the other, two minutes for thirty packages.
        return Answer(503, reason, RETRY_AFTER_S if version is None else None)
    return Answer(503 if _is_mended(version) else 403, reason)


def _is_mended(version: tuple[int, ...] | None) -> bool:
    """Whether this apt gets over a passing failure of `apt-get update` (LP #2003851: 3.0.3, and 3.1.3)."""
    return version is not None and ((3, 0, 3) <= version < (3, 1) or version >= (3, 1, 3))


def _phrase(why: str) -> str:
    """`why` as a reason phrase (RFC 9112, 4), cut at the bound, never empty."""
    visible = "".join(c if "!" <= c <= "~" else " " if c.isspace() else "?" for c in why[: 4 * REASON_BYTES_MAX])
    return " ".join(visible.split())[:REASON_BYTES_MAX].rstrip() or "Refused"
