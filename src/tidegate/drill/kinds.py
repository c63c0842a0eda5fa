"""The kinds of faults: what happens, and on what."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class On(StrEnum):
    """What a fault is on."""

    SOURCES = "sources"
    ANSWERS = "sources, feeds"
    DNS = "`dns`"
    DISK = "`disk`"
    CLOCK = "`clock`"
    GATEWAY = "`gateway`"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them. `is_live`: a running gateway can play it."""

    meaning: str
    on: On
    is_live: bool = False


KINDS: Mapping[str, Kind] = {
    "refuse": Kind("connections are refused", On.ANSWERS, is_live=True),
    "blackhole": Kind("no connection comes about; what is under way stands still", On.ANSWERS, is_live=True),
    "silence": Kind("requests are taken and never answered", On.ANSWERS, is_live=True),
    "status": Kind("every answer is an error: `status`", On.ANSWERS, is_live=True),
    "html": Kind("every answer is 200 with a page: a captive portal", On.ANSWERS, is_live=True),
    "flap": Kind("out for `on_s`, well for `off_s`, and again", On.ANSWERS),
    "slow": Kind("bodies come at `bytes_s`", On.SOURCES),
    "truncate": Kind("bodies end after `after_bytes`", On.SOURCES, is_live=True),
    "corrupt": Kind("the byte at `after_bytes` of each body is another", On.SOURCES, is_live=True),
    "freeze": Kind(
        "it stands still: in the laboratory at what was published 17 days ago, live at what it has",
        On.SOURCES,
        is_live=True,
    ),
    "tear": Kind("the newest Release over the indices of the one before", On.SOURCES),
    "rollback": Kind("the publication before the newest one, validly signed", On.SOURCES),
    "forge": Kind("a Release signed by a key that nobody trusts", On.SOURCES),
    "split": Kind("another Release under the same Date, validly signed", On.SOURCES),
    "unresolved": Kind("no name resolves", On.DNS, is_live=True),
    "full": Kind("the disk takes nothing more", On.DISK, is_live=True),
    "jump": Kind("the gateway's wall clock is off by `by_s`", On.CLOCK),
    "slowloris": Kind("so many `connections` hold the gateway and never finish a request", On.GATEWAY),
}


def fits(kind: str, target: str) -> bool:
    """Whether such a fault can be on `dns`, `disk`, `clock`, `gateway`, `feed:NAME`, or else a source."""
    on = KINDS[kind].on
    match target:
        case "dns":
            return on is On.DNS
        case "disk":
            return on is On.DISK
        case "clock":
            return on is On.CLOCK
        case "gateway":
            return on is On.GATEWAY
        case _ if target.startswith("feed:"):
            return on is On.ANSWERS
        case _:
            return on in (On.SOURCES, On.ANSWERS)
