"""Hooks are told of incidents: how each stands, as soon as it stands otherwise, until they said that they heard it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from tidegate.fleet.intake import Note
from tidegate.incidents.incident import Incident
from tidegate.incidents.settings import HookSettings
from tidegate.incidents.turns import Turn, news, remembered
from tidegate.wiring.hook_post import HookError, message, post
from tidegate.wiring.incidents import Incidents

LOOK_EVERY_S = 1.0
RETRY_FIRST_S = 1.0
HOOKS_MAX = 16

Memory = dict[str, dict[str, Turn]]
"""What each hook was told, by its address."""


class Hooks:
    """Belongs to one event loop. What was told outlives a restart (`STATE/hooks.json`)."""

    def __init__(
        self,
        hooks: Sequence[HookSettings],
        incidents: Incidents,
        memory: Path,
        note: Note,
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._hooks = tuple(hooks)
        self._incidents = incidents
        self._path = memory
        self._note = note
        self._now = now
        self._told = _read(memory)
        self._failures: dict[str, int] = {}
        self._not_before: dict[str, float] = {}

    def reconfigure(self, hooks: Sequence[HookSettings]) -> None:
        """Tell these from now on."""
        self._hooks = tuple(hooks)

    async def run(self) -> None:
        """Until cancelled. A hook that is slow or gone keeps no other one waiting."""
        while True:
            if self._hooks:
                found = await asyncio.to_thread(self._incidents.all)
                await asyncio.gather(*(self._serve(hook, found) for hook in self._hooks[:HOOKS_MAX]))
            await asyncio.sleep(LOOK_EVERY_S)

    async def _serve(self, hook: HookSettings, incidents: Sequence[Incident]) -> None:
        if self._now() < self._not_before.get(hook.url, 0.0):
            return
        told = self._told.get(hook.url, {})
        for one in news(incidents, told, hook.severity_max):
            now = self._now()
            identity, body = message(one, now)
            try:
                await asyncio.to_thread(post, hook, identity, body, int(now))
            except HookError as error:
                self._failed(hook, str(error))
                return
            self._heard(hook)
            told = self._told[hook.url] = remembered(told, one)
            await asyncio.to_thread(_write, self._path, dict(self._told))

    def _failed(self, hook: HookSettings, reason: str) -> None:
        failures = self._failures[hook.url] = self._failures.get(hook.url, 0) + 1
        wait_s = min(hook.retry_max_s, RETRY_FIRST_S * 2 ** min(failures - 1, 30))
        self._not_before[hook.url] = self._now() + wait_s
        if failures == 1:
            self._note("hook-failed", hook.url, reason=reason)

    def _heard(self, hook: HookSettings) -> None:
        if failures := self._failures.pop(hook.url, 0):
            self._note("hook-back", hook.url, failures=failures)
        self._not_before.pop(hook.url, None)


def _read(path: Path) -> Memory:
    """Spoiled or gone, hooks hear again of what is not over."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Memory)
    except (OSError, msgspec.MsgspecError):
        return {}


def _write(path: Path, memory: Memory) -> None:
    """A disk that is full costs a message told twice."""
    fresh = path.with_suffix(".new")
    try:
        fresh.write_bytes(msgspec.json.encode(memory))
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
