"""The fleet at the desk: what hosts and commands ask for over HTTP, done off the event loop."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from tidegate.fleet.forms import Beside
from tidegate.fleet.hosts import Hosts
from tidegate.fleet.intake import Note, Sent, Taken
from tidegate.fleet.settings import FleetSettings
from tidegate.store.tokens import Scope, Token, TokenFile
from tidegate.web.fleet_intake import Doorkeeper
from tidegate.web.fleet_report import (
    FleetAddReport,
    FleetRemoveReport,
    FleetTagReport,
    HostReport,
    HostsEnd,
    HostShowReport,
)
from tidegate.wiring.fleet import Fleet

LONG_BYTES = 1 << 20
"""A report that comes with more bytes than this is a long one; what is compressed counts for ten times its bytes."""
PACKED_FOR_ONE = 10
CONFIRMING_AT_ONCE = 2

T = TypeVar("T")


class FleetDesk:
    """`web.fleet_intake.IntakeView` and `web.fleet_control.FleetView` over one store."""

    def __init__(
        self,
        hosts: Hosts,
        tokens: TokenFile,
        settings: FleetSettings,
        note: Note,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._hosts = hosts
        self._tokens = tokens
        self._note = note
        self._now = now
        self.door = Doorkeeper()
        self.reconfigure(settings)
        # One at a time, since it is work for the processor, and what is made of 32 MiB takes 300. Whoever has nothing
        # new, or a report as they mostly are, does not wait for one that is long.
        self._reading = ThreadPoolExecutor(1, thread_name_prefix="reports")
        self._reading_long = ThreadPoolExecutor(1, thread_name_prefix="long-reports")
        self._confirming = ThreadPoolExecutor(CONFIRMING_AT_ONCE, thread_name_prefix="hosts")

    def reconfigure(self, settings: FleetSettings) -> None:
        """Go by these from now on."""
        self._settings = settings
        self._fleet = Fleet(self._hosts, settings, self._note, now=self._now)

    def close(self) -> None:
        """End the threads; what is under way ends first."""
        self._reading.shutdown(cancel_futures=True)
        self._reading_long.shutdown(cancel_futures=True)
        self._confirming.shutdown(cancel_futures=True)

    @property
    def fleet_settings(self) -> FleetSettings:
        return self._settings

    def reporter(self, secret: str) -> Token | None:
        return self._tokens.find(secret, Scope.REPORT, int(self._now()))

    async def confirm(self, sha256: bytes, said: Beside, token: Token, words: frozenset[str]) -> bool:
        confirm = partial(self._fleet.intake.confirm, sha256, said, words, token.hosts)
        return await self._in(self._confirming, confirm)

    async def take(self, sent: Sent) -> Taken:
        return await self._in(self._reader(sent), partial(self._fleet.intake.take, sent))

    async def fleet_add(self, sent: Sent) -> FleetAddReport:
        return await self._in(self._reader(sent), partial(self._fleet.add, sent))

    def fleet_list(self, tag: str, *, only_silent: bool) -> Iterator[HostReport | HostsEnd]:
        return self._fleet.list(tag, only_silent=only_silent)

    async def fleet_show(self, host: str, at: int | None) -> HostShowReport:
        return await self._in(self._confirming, partial(self._fleet.show, host, at))

    async def fleet_tag(self, hosts: tuple[str, ...], add: frozenset[str], remove: frozenset[str]) -> FleetTagReport:
        return await self._in(self._confirming, partial(self._fleet.tag, hosts, add, remove))

    async def fleet_remove(self, hosts: tuple[str, ...]) -> FleetRemoveReport:
        return await self._in(self._confirming, partial(self._fleet.remove, hosts))

    def _reader(self, sent: Sent) -> ThreadPoolExecutor:
        size = len(sent.data) * (PACKED_FOR_ONE if sent.encoding else 1)
        return self._reading_long if size > LONG_BYTES else self._reading

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)
