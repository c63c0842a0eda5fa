"""What the hosts reported, and from when to when: the port, and its values.

Times are seconds since 1970, by our clock. As in `advisories.history`, a span is from `since` up to, and without,
`until`, and `as_of` asks for one moment, None for now.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Protocol

from tidegate.fleet.composition import Composition, Piece, Setting
from tidegate.fleet.inventory import Form, Host, Inventory

HOSTS_MAX = 1_000_000
TAGS_MAX = 32
"""For one host."""
SILENCE_S = 3600
"""A pause between two reports that is longer is remembered; a host's last report is known to so many seconds."""


@dataclass(frozen=True, slots=True)
class HostEntry:
    """A host but for its packages. `seen_at` is its last report, changed or not; `changed_at` the last that told news.

    `number` is its place in the sets of hosts that the index keeps, never given to another host. `reported` is the
    digest of the report's bytes, by which an unchanged one is known. `tags` are today's, whatever moment is asked for.
    """

    number: int
    host: Host
    form: Form
    seen_at: int
    changed_at: int
    packages: int
    reported: bytes
    tags: frozenset[str] = frozenset()


class TooManyHostsError(Exception):
    """Another host would be one too many (HOSTS_MAX)."""


class Hosts(Protocol):
    """Every implementation passes tests/fleet/hosts_contract.py."""

    def report(self, inventory: Inventory, reported: bytes, tags: Collection[str] | None = None) -> bool:
        """Take a host's report in; returns whether it tells anything new. `tags`: None leaves them.

        `reported` is the SHA-256 of the bytes that it was read from. A report from before the last one changes
        nothing. A power cut may lose the last ones: hosts report again. Raises TooManyHostsError, ValueError for more
        than TAGS_MAX tags, and OSError where it cannot be written.
        """
        ...

    def confirm(self, host: str, reported: bytes, at: int) -> bool:
        """The host would report the very same; False where its last report was another, or there is none."""
        ...

    def tag(self, host: str, tags: Collection[str]) -> bool:
        """Give a host these tags and no others. False for a host that there is not. Raises as `report`."""
        ...

    def remove(self, host: str, at: int) -> bool:
        """Forget a host from then on; what it had stays answerable. False for a host that there is not."""
        ...

    def entry(self, host: str, as_of: int | None = None) -> HostEntry | None:
        """A host by its id."""
        ...

    def named(self, name: str, as_of: int | None = None) -> tuple[HostEntry, ...]:
        """The hosts with this id or this name, by id."""
        ...

    def numbered(self, numbers: Collection[int], as_of: int | None = None) -> tuple[HostEntry, ...]:
        """The hosts with these numbers, by number."""
        ...

    def entries(self, as_of: int | None = None) -> Iterator[HostEntry]:
        """All hosts, by number."""
        ...

    def inventory(self, host: str, as_of: int | None = None) -> Inventory | None:
        """What a host had; `taken_at` is when it last said so, no later than `as_of`, to SILENCE_S."""
        ...

    def composition(self, host: str) -> Composition | None:
        """A host by numbers, as it is now."""
        ...

    def compositions(self, as_of: int | None = None) -> Iterator[tuple[Composition, int]]:
        """All hosts by numbers, with the time of each one's last report, in no order."""
        ...

    def settings(self, numbers: Collection[int]) -> dict[int, Setting]:
        """Settings by number; KeyError for one that there is not."""
        ...

    def pieces(self, numbers: Collection[int]) -> dict[int, Piece]:
        """Pieces by number; KeyError for one that there is not."""
        ...
