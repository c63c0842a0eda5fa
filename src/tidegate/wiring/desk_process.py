"""The gateway's side of the desk: start it, tell it of new settings, start another when it ends, end it.

The desk is a process of its own, so that whatever feeds, hosts and people ask for takes nothing from the data plane:
not its interpreter, not its memory, not its life. It ends with the gateway: its standard input does.
"""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct

from tidegate.config import Settings
from tidegate.drill.playing import Playing
from tidegate.store.layout import Layout
from tidegate.wiring.news import News, Tell

RESPAWN_FIRST_S = 1.0
RESPAWN_MAX_S = 60.0
LIVED_S = 60.0
"""A desk that lived for so long did not fail at its start: the next one is started at once."""
STOP_GRACE_S = 5.0
LINE_BYTES_MAX = 1 << 20


class Orders(Struct, frozen=True, tag="orders"):
    """What a desk goes by; a line of JSON for each change."""

    settings: Settings
    state: str
    cache: str
    faces: tuple[int, ...] = ()
    """Descriptors of sockets that hosts and scanners come in by, listening."""


class DrillOrders(Struct, frozen=True, tag="drill"):
    """What a drill plays, until when (`time.monotonic`); a line for each renewal, so that one that is late ends it."""

    playing: Playing
    until: float


class ToldNews(Struct, frozen=True):
    """A line that the desk says."""

    level: str
    event: str
    text: str
    data: dict[str, str | int | float | None] = {}


def is_wanted(settings: Settings, layout: Layout) -> bool:
    """Whether there is anything for a desk to do."""
    feeds = settings.advisories.known_feeds or settings.advisories.feed
    asked = settings.fleet.listen or feeds or settings.hook or settings.watch or settings.status.directory
    return bool(asked) or layout.advisories.exists() or layout.fleet.exists()


class DeskProcess:
    """Belongs to the event loop of the worker that keeps the store fresh."""

    def __init__(
        self, settings: Callable[[], Settings], layout: Layout, face: socket.socket | None, tell: Tell
    ) -> None:
        self._settings = settings
        self._layout = layout
        self._face = face
        self._tell = tell
        self._child: asyncio.subprocess.Process | None = None
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        """See that there is a desk from now on."""
        if self._running is None:
            self._running = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """End it, if there is one."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _run(self) -> None:
        pause = RESPAWN_FIRST_S
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            try:
                why = await self._live()
            except OSError as error:
                why = str(error)
            pause = RESPAWN_FIRST_S if loop.time() - begun >= LIVED_S else min(RESPAWN_MAX_S, 2 * pause)
            self._tell(News("error", "desk", f"the desk ended ({why}); another takes its place in {pause:g} s"))
            await asyncio.sleep(pause)

    def reconfigure(self) -> None:
        """The settings are others."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.write(self._orders())

    def play(self, playing: Playing, until: float) -> None:
        """A drill plays this until then."""
        if self._child is not None and self._child.stdin is not None:
            with contextlib.suppress(OSError):
                self._child.stdin.write(msgspec.json.encode(DrillOrders(playing, until)) + b"\n")

    def _orders(self) -> bytes:
        faces = () if self._face is None else (self._face.fileno(),)
        orders = Orders(self._settings(), str(self._layout.state), str(self._layout.cache), faces)
        return msgspec.json.encode(orders) + b"\n"

    async def _live(self) -> str:
        """One desk, from its start to its end; how it ended."""
        self._child = child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tidegate.wiring.desk"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            pass_fds=() if self._face is None else (self._face.fileno(),),
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(self._orders())
            while line := await _line(child.stdout):
                self._say(line)
            return f"status {await child.wait()}"
        finally:
            self._child = None
            await _ended(child)

    def _say(self, line: bytes) -> None:
        try:
            told = msgspec.json.decode(line, type=ToldNews)
        except msgspec.DecodeError:
            return
        self._tell(News(told.level, told.event, told.text, told.data))


async def _line(stream: asyncio.StreamReader) -> bytes:
    """The next line; one that is too long is passed over in pieces."""
    try:
        return await stream.readline()
    except ValueError:
        return b"\n"


async def _ended(child: asyncio.subprocess.Process) -> None:
    """Close its input, wait for a moment, kill what is left of it. Also where we are cancelled meanwhile."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        with contextlib.suppress(TimeoutError):  # an OSError, which would be taken for one of the child's
            async with asyncio.timeout(STOP_GRACE_S):
                await child.wait()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


def layout_by(orders: Orders) -> Layout:
    """The directories of a desk."""
    return Layout(Path(orders.state), Path(orders.cache))
