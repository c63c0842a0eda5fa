"""What a host's robots.txt says to us: RFC 9309. Pure.

Protego decides which rule holds (the longest, `Allow` where two are as long, `*` and `$`); what it takes more
generously than the RFC is put right before: our group is the one of our product token, and no other's (2.2.1).
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

if TYPE_CHECKING:
    from protego import Protego

PATH = "/robots.txt"
TOKEN = "tidegate"  # noqa: S105  # our product token, as the User-Agent has it
BYTES_MAX = 512_000
"""500 KiB, as the RFC asks for; what is beyond is not read."""
FRESH_S = 86_400.0
"""It is asked for again after a day at the latest (2.4)."""
AGAIN_S = 600.0
"""The same, where it could not be had."""
REDIRECTS_MAX = 5
CRAWL_DELAY_MAX_S = 86_400.0
_GROUP = re.compile(r"[ \t]*user-?agent[ \t]*:[ \t]*(\*|[A-Za-z_-]*)", re.IGNORECASE)
_NOBODY = "nobody-that-we-are"


class Robots(Struct, frozen=True, kw_only=True):
    """What holds for a host. `rules` is None where it has none, `undefined` where it was never heard."""

    tried_at: float
    fetched_at: float | None = None
    """When what holds was fetched."""
    rules: str | None = None
    undefined: bool = False
    trouble: str = ""
    """Why it could not be had the last time; what was known holds on."""


class Answered(NamedTuple):
    """robots.txt, or what came instead."""

    status: int
    body: bytes = b""
    content_type: str = ""


class Unreachable(NamedTuple):
    """No answer."""

    reason: str


@dataclass(frozen=True, slots=True)
class Permit:
    """Whether a page may be asked for. `crawl_delay_s`: between two questions to its host."""

    allowed: bool
    reason: str = ""
    crawl_delay_s: float = 0.0


def is_due(robots: Robots | None, now: float) -> bool:
    """Whether it is to be asked for before a page is."""
    if robots is None:
        return True
    age_s = now - robots.tried_at
    return not 0 <= age_s < (AGAIN_S if robots.trouble or robots.undefined else FRESH_S)


def heard(before: Robots | None, told: Answered | Unreachable, now: float) -> Robots:
    """What holds after it was asked for."""
    match told:
        case Answered(status, body, content_type) if 200 <= status < 300:
            if not _is_page(body, content_type):
                text = body[:BYTES_MAX].decode("utf-8-sig", errors="replace")
                return Robots(tried_at=now, fetched_at=now, rules="\n".join(_ours(text)))
            if before is None or before.rules is None:  # a site that answers everything with a page has no such file
                return Robots(tried_at=now, fetched_at=now)
            return replace(before, tried_at=now, trouble="answered with a page")
        case Answered(status) if 400 <= status < 500 and status != 429:  # 2.3.1.3: it has none
            return Robots(tried_at=now, fetched_at=now)
        case Answered(status):
            return _unreachable(before, f"answered {status}", now)
        case Unreachable(reason):
            return _unreachable(before, reason, now)


def _unreachable(before: Robots | None, reason: str, now: float) -> Robots:
    """2.3.1.4: what was known holds; where nothing was, nobody may ask."""
    if before is None or before.undefined:
        return Robots(tried_at=now, undefined=True, trouble=reason)
    return replace(before, tried_at=now, trouble=reason)


def permit(robots: Robots, target: str) -> Permit:
    """Whether the page at this path (with its query) may be asked for."""
    if robots.undefined:
        return Permit(
            False,
            f"its robots.txt was never heard ({robots.trouble}), and until then nobody may ask (RFC 9309, 2.3.1.4)",
        )
    if robots.rules is None:
        return Permit(True)
    rules = _read(robots.rules)
    told = rules.crawl_delay(TOKEN) or 0.0
    delay_s = min(told, CRAWL_DELAY_MAX_S) if math.isfinite(told) else 0.0
    if rules.can_fetch(f"http://host{target}", TOKEN):
        return Permit(True, crawl_delay_s=delay_s)
    return Permit(False, f"its robots.txt forbids {target[:200]} to programs like this one", delay_s)


def _ours(text: str) -> Iterator[str]:
    """The lines, with each group's name cut to its product token: `*`, ours, or somebody else's."""
    for line in text.splitlines():
        group = _GROUP.match(line)
        if group is None:
            yield line
        else:
            name = group[1].lower()
            yield f"User-agent: {name if name in ('*', TOKEN) else _NOBODY}"


def _is_page(body: bytes, content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower() == "text/html" or body.lstrip()[:1] == b"<"


@lru_cache(8)
def _read(rules: str) -> "Protego":
    from protego import Protego

    return Protego.parse(rules)
