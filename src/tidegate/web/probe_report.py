"""What is told about probes: one line for each source as it ends, and all of them together."""

from collections.abc import Iterable
from typing import Annotated, Literal

from msgspec import Meta, Struct

Outcome = Literal["newest", "newer", "behind", "refused", "lacks it", "failed", "not asked"]


class ProbeRound(Struct, frozen=True, kw_only=True, tag_field="what", tag="round"):
    """The first line of a round: how many probes there will be."""

    sources: int


class ProbeReport(Struct, frozen=True, kw_only=True, tag_field="what", tag="probe"):
    """One source, asked for the signed Release of a suite, which was verified."""

    archive: str
    url: str
    operator: str
    suite: Annotated[str | None, Meta(description="whose Release was asked for; null: the archive has no suite yet")]
    outcome: Annotated[
        Outcome,
        Meta(
            description="newest: it has what is served; newer: something newer than that; behind: something older; "
            "refused: a Release that is not accepted; lacks it; failed: no whole answer; not asked"
        ),
    ]
    good: Annotated[bool, Meta(description="newest or newer: a Release that is signed and not older than ours")]
    said: Annotated[str, Meta(description="what was seen, in a sentence")]
    seconds: Annotated[float, Meta(description="from asking to the verdict")]
    behind_s: Annotated[int, Meta(description="by how much its Release is older; 0: it is not")] = 0


class ProbesReport(Struct, frozen=True, kw_only=True):
    """`tidegate sources probe --json`."""

    at: int
    ok: Annotated[bool, Meta(description="each archive has a good source")]
    lost: Annotated[tuple[str, ...], Meta(description="archives without a good source")]
    probes: tuple[ProbeReport, ...]


def lost_of(archives: Iterable[str], probes: Iterable[ProbeReport]) -> tuple[str, ...]:
    """The archives of which no source is good, in their order."""
    good = {probe.archive for probe in probes if probe.good}
    return tuple(archive for archive in archives if archive not in good)
