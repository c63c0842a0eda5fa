"""What to answer when nothing can be given, so that every apt ends at once and says why.

apt prints the reason phrase of a final answer; what it does after a *transient* one depends on its
version (LP #2003851: for a Release file, apt 2.4 to 3.0.2 hangs for good). docs/apt-clients.md has
what real clients did with each answer; the table there is the source of every choice here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

REASON_BYTES_MAX: Final = 200
"""A reason phrase's length; apt reads a status line into 360 bytes and refuses a longer one."""

RETRY_AFTER_S: Final = 5
"""What a client is asked to wait before it comes back for a package."""

_USER_AGENT_BYTES_MAX: Final = 512
_APT_USER_AGENT: Final = re.compile(r"\bAPT-(?:HTTPS?|CURL)/[0-9.]+ \((\d{1,4}(?:\.\d{1,4}){1,3})")


class Asked(Enum):
    """What a request names, as far as a client's reaction to a refusal depends on it."""

    RELEASE = "release"
    """InRelease, Release or Release.gpg."""
    INDEX = "index"
    """An index under its plain name."""
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
    """ASCII, at most `REASON_BYTES_MAX` bytes, no control characters: what a person reads."""
    retry_after_s: int | None
    close: bool


def apt_version(user_agent: str) -> tuple[int, ...] | None:
    """The version in apt's `User-Agent` (`Debian APT-HTTP/1.3 (2.6.1)`), or None where it is not apt's."""
    found = _APT_USER_AGENT.search(user_agent[:_USER_AGENT_BYTES_MAX])
    return tuple(int(part) for part in found.group(1).split(".")) if found else None


def answer_for(asked: Asked, why: str, *, user_agent: str, temporary: bool, proven_absent: bool) -> Answer:
    """The answer to a request for which there is nothing to give.

    `why` is a sentence for people. `temporary`: the same request may succeed soon.
    `proven_absent`: signed metadata says that there is no such path; only then the answer is 404.
    """
    reason = _phrase(why)
    if proven_absent:
        return Answer(404, reason, None, close=False)
    if temporary and asked is Asked.ARTIFACT and apt_version(user_agent) is not None:
        return Answer(503, reason, RETRY_AFTER_S, close=False)
    return Answer(403, reason, None, close=False)


def _phrase(why: str) -> str:
    """`why` as a reason phrase (RFC 9112, 4): printable ASCII on one line, within the bound."""
    line = " ".join("".join(c if " " <= c <= "~" else " " if c.isspace() else "?" for c in why).split())
    return line[:REASON_BYTES_MAX] or "Refused"
