"""What `tidegate fleet` does, on the stores themselves: at the desk, or where none runs, in the command."""

import time
from collections.abc import Callable, Iterator, Sequence

from tidegate.fleet.hosts import HostEntry, Hosts
from tidegate.fleet.intake import Intake, Note, Sent
from tidegate.fleet.settings import FleetSettings
from tidegate.fleet.tags import tags
from tidegate.web.fleet_report import (
    FleetAddReport,
    FleetRemoveReport,
    FleetTagReport,
    HostReport,
    HostsEnd,
    HostShowReport,
    host_report,
    host_show_report,
)

IDS_TOLD_MAX = 5


class UnknownHostError(LookupError):
    """No host, or more than one, is known by this: a sentence."""


class Fleet:
    """Reads and changes what is known of hosts. Blocks: slow for an event loop."""

    def __init__(
        self, hosts: Hosts, settings: FleetSettings, note: Note, *, now: Callable[[], float] = time.time
    ) -> None:
        self._hosts = hosts
        self._settings = settings
        self._note = note
        self._now = now
        self.intake = Intake(hosts, note, now, bytes_max=settings.report_bytes_max)

    def add(self, sent: Sent) -> FleetAddReport:
        """Take an inventory in. Raises FormatError, TooManyHostsError, OSError."""
        taken = self.intake.take(sent)
        return FleetAddReport(
            host=self._report(self._one(taken.inventory.host.id)),
            news=taken.news,
            double=taken.double.name if taken.double else None,
            unreadable=taken.inventory.unreadable,
        )

    def list(self, tag: str, *, only_silent: bool) -> Iterator[HostReport | HostsEnd]:
        """Hosts one by one, in no order that means anything, and what ends the list."""
        now, count = int(self._now()), 0
        for entry in self._hosts.entries():
            host = host_report(entry, now, self._settings.host_max_s)
            if (not tag or tag in entry.tags) and (not only_silent or host.unknown_since is not None):
                count += 1
                yield host
        yield HostsEnd(end=count, at=now, host_max_s=self._settings.host_max_s)

    def show(self, host: str, at: int | None) -> HostShowReport:
        """One host by its id or name. Raises UnknownHostError."""
        entry = self._one(host, at)
        inventory = self._hosts.inventory(entry.host.id, at)
        if inventory is None:  # removed since
            raise UnknownHostError(f"there is no host {host!r} any more")
        return host_show_report(self._report(entry, at), inventory, int(self._now()) if at is None else at)

    def tag(self, hosts: Sequence[str], add: frozenset[str], remove: frozenset[str]) -> FleetTagReport:
        """Change the tags of hosts, of all that are named or of none. Raises UnknownHostError, FormatError, OSError."""
        entries = [self._one(host) for host in hosts]
        wanted = [tags((one.tags | add) - remove) for one in entries]
        for entry, words in zip(entries, wanted, strict=True):
            self._hosts.tag(entry.host.id, words)
        return FleetTagReport(hosts=tuple(self._report(self._one(one.host.id)) for one in entries))

    def remove(self, hosts: Sequence[str]) -> FleetRemoveReport:
        """Forget hosts, all that are named or none. Raises UnknownHostError, OSError."""
        entries = [self._one(host) for host in hosts]
        for entry in entries:
            self._hosts.remove(entry.host.id, int(self._now()))
            self._note("host-removed", entry.host.id, name=entry.host.name)
        return FleetRemoveReport(removed=tuple(map(self._report, entries)))

    def _one(self, host: str, at: int | None = None) -> HostEntry:
        """An id counts before a name: a host may be called what another's id is."""
        found = self._hosts.named(host, at)
        exact = [one for one in found if one.host.id == host]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if not found:
            raise UnknownHostError(f"no host {host!r} is known{'' if at is None else ' at that time'}")
        ids = ", ".join(one.host.id for one in found[:IDS_TOLD_MAX])
        raise UnknownHostError(f"{len(found)} hosts are called {host!r}; say which by its id: {ids}")

    def _report(self, entry: HostEntry, at: int | None = None) -> HostReport:
        return host_report(entry, int(self._now()) if at is None else at, self._settings.host_max_s)
