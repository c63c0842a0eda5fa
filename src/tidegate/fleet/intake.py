"""Takes hosts' reports in: reads them, keeps them, and notices where two machines report as one."""

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from tidegate.archive.decompress import decompressed
from tidegate.archive.errors import FormatError, excerpt
from tidegate.fleet import doubles
from tidegate.fleet.forms import Beside, read, reported
from tidegate.fleet.hosts import TAGS_MAX, HostEntry, Hosts
from tidegate.fleet.inventory import INVENTORY_BYTES_MAX, Form, Host, Inventory
from tidegate.store.journal import Value

ENCODINGS = {"": "", "identity": "", "gzip": ".gz", "x-gzip": ".gz", "zstd": ".zst"}
"""How a report may be compressed (RFC 9110, RFC 8878), and the ending of a file that is."""


class Note(Protocol):
    """Writes an event into the journal, as `JournalWriter.note` does."""

    def __call__(self, kind: str, subject: str, **data: Value) -> None: ...


class NotYoursError(Exception):
    """The token does not allow to report this host."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A report as it came: `data` is still compressed, by a key of ENCODINGS. `allowed` are the ids it may be about,
    empty for any; `tags` are added to those that the host has."""

    data: bytes
    encoding: str = ""
    form: Form | None = None
    said: Beside = field(default_factory=Beside)
    tags: frozenset[str] = frozenset()
    allowed: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of it. `double` is the other machine that reports as this host."""

    inventory: Inventory
    news: bool
    double: Host | None = None


class Intake:
    """Reports into a `Hosts`. Blocks: for threads of its own, any number of them."""

    def __init__(
        self, hosts: Hosts, note: Note, now: Callable[[], float], *, bytes_max: int = INVENTORY_BYTES_MAX
    ) -> None:
        self._hosts = hosts
        self._note = note
        self._now = now
        self._bytes_max = bytes_max

    def confirm(self, sha256: bytes, said: Beside, tags: frozenset[str], allowed: Collection[str] = ()) -> bool:
        """The host would report these very bytes: whether that is what is known of it.

        Raises NotYoursError, and OSError where it cannot be written down.
        """
        _allow(said.host, allowed)
        if tags:
            entry = self._hosts.entry(said.host)
            if entry is None or not tags <= entry.tags:
                return False
        return self._hosts.confirm(said.host, reported(sha256, said), int(self._now()))

    def take(self, sent: Sent) -> Taken:
        """Take a report in, durably.

        Raises FormatError with what is wrong with it, NotYoursError, TooManyHostsError, and OSError.
        """
        data = b"".join(decompressed((sent.data,), f"report{ENCODINGS[sent.encoding]}", size_max=self._bytes_max))
        inventory = read(data, sent.form, sent.said, taken_at=int(self._now()))
        host = inventory.host
        _allow(host.id, sent.allowed)
        entry = self._hosts.entry(host.id)
        double = None if entry is None else doubles.double(host, self._earlier(entry))
        added = sent.tags | ({doubles.TAG} if double else frozenset())
        tags = _joined(entry.tags if entry else frozenset(), added)
        digest = reported(hashlib.sha256(data).digest(), sent.said)
        news = self._hosts.report(inventory, digest, tags if added else None)
        if double and entry and doubles.TAG not in entry.tags:
            self._note(
                "two-machines",
                host.id,
                one=host.name,
                other=double.name,
                one_boot=host.boot,
                other_boot=double.boot,
            )
        return Taken(inventory, news, double)

    def _earlier(self, entry: HostEntry) -> Iterator[Host]:
        """What a host was before, the newest first."""
        found: HostEntry | None = entry
        while found is not None:
            yield found.host
            before = self._hosts.entry(entry.host.id, found.changed_at - 1)
            # An implementation that answers with the same again would keep us here.
            found = before if before is not None and before.changed_at < found.changed_at else None


def _allow(host: str, allowed: Collection[str]) -> None:
    if allowed and host not in allowed:
        raise NotYoursError(f"this token may not report the host {excerpt(host)}")


def _joined(had: frozenset[str], added: frozenset[str]) -> frozenset[str]:
    joined = had | added
    if len(joined) > TAGS_MAX:
        raise FormatError(f"the host would have more than {TAGS_MAX} tags")
    return joined
