"""What a drill plays in a running gateway: faults, as values that go from one process to another."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

FEED = "feed:"
DNS, DISK = "dns", "disk"

LiveKind = Literal[
    "refuse",
    "blackhole",
    "silence",
    "status",
    "html",
    "flap",
    "slow",
    "truncate",
    "corrupt",
    "freeze",
    "tear",
    "forge",
    "unresolved",
    "full",
]


class Staged(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault. `on`: a source's address, `feed:NAME`, `dns` or `disk`; the rest is as in a scenario."""

    on: str
    kind: LiveKind
    status: Annotated[int, Meta(ge=400, le=599)] = 503
    after_bytes: Annotated[int, Meta(ge=0)] = 2_000
    bytes_s: Annotated[int, Meta(ge=1)] = 2_000
    on_s: Annotated[float, Meta(gt=0)] = 1.0
    off_s: Annotated[float, Meta(gt=0)] = 1.0


class Playing(Struct, frozen=True):
    """What is played now, all of it, and in which drill."""

    drill: str = ""
    faults: tuple[Staged, ...] = ()

    @property
    def is_unresolved(self) -> bool:
        """No name resolves."""
        return any(one.on == DNS for one in self.faults)

    @property
    def is_full(self) -> bool:
        """The disk takes nothing."""
        return any(one.on == DISK for one in self.faults)


NOTHING = Playing()
