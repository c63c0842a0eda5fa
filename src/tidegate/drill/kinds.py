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


AS_IN_LAB = "the same"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of them. `live`: what it is in a running gateway; else `lab_only` says why it is not to be had there."""

    meaning: str
    on: On
    live: str = AS_IN_LAB
    lab_only: str = ""

    @property
    def is_live(self) -> bool:
        """A running gateway can play it."""
        return not self.lab_only


KINDS: Mapping[str, Kind] = {
    "refuse": Kind("connections are refused", On.ANSWERS),
    "blackhole": Kind(
        "no connection comes about; what is under way stands still",
        On.ANSWERS,
        live="no connection comes about; what is under way goes on",
    ),
    "silence": Kind("requests are taken and never answered", On.ANSWERS),
    "status": Kind("every answer is an error: `status`", On.ANSWERS),
    "html": Kind("every answer is 200 with a page: a captive portal", On.ANSWERS),
    "flap": Kind("out (refused) for `on_s`, well for `off_s`, and again", On.ANSWERS),
    "slow": Kind(
        "bodies come at `bytes_s`",
        On.SOURCES,
        live="the same; a body of which 2 MiB wait is cut off there",
    ),
    "truncate": Kind("bodies end after `after_bytes`", On.SOURCES),
    "corrupt": Kind(
        "the byte at `after_bytes` of each body is another",
        On.SOURCES,
        live="the last byte of each body is another, so that a client who is sent it as it comes is helped by others",
    ),
    "freeze": Kind(
        "it stands still at what was published 17 days ago",
        On.SOURCES,
        live="it stands still at what it has: nothing is news any more",
    ),
    "tear": Kind(
        "the newest Release over the indices of the one before",
        On.SOURCES,
        live="its Release over indices that do not fit it",
    ),
    "rollback": Kind(
        "the publication before the newest one, validly signed",
        On.SOURCES,
        lab_only="a gateway keeps no older Release that it could show itself",
    ),
    "forge": Kind(
        "a Release signed by a key that nobody trusts",
        On.SOURCES,
        live="its Release, changed after it was signed",
    ),
    "split": Kind(
        "another Release under the same Date, validly signed",
        On.SOURCES,
        lab_only="it takes the vendor's own key",
    ),
    "unresolved": Kind("no name resolves", On.DNS),
    "full": Kind("the disk takes nothing more: files cannot be kept", On.DISK),
    "jump": Kind(
        "the gateway's wall clock is off by `by_s`",
        On.CLOCK,
        lab_only="the journal, what was used when, and how old a feed is would be written down by a wrong clock,"
        " and none of that can be undone",
    ),
    "slowloris": Kind(
        "so many `connections` hold the gateway and never finish a request",
        On.GATEWAY,
        lab_only="it is no fault of what the gateway asks, but an attack on it: clients could suffer",
    ),
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
