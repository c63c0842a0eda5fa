"""What can be had: the port to what the gateway holds and to what its snapshots list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Offer:
    """A binary package that a snapshot we serve lists.

    `pocket` is what a host must have enabled to get it, empty for all. `obtainable`: its file is held, or a source
    that has it can be asked now.
    """

    binary: str
    architecture: str
    version: str
    source_version: str
    obtainable: bool
    pocket: str = ""


class Supply(Protocol):
    """What the snapshots list, and of that what can be had now. Asked for one moment: `now`, or earlier."""

    def offers(self, distribution: str, release: str, source: str) -> Sequence[Offer]:
        """Every binary that is built from a source package and listed for a release, in whatever pocket."""
        ...
