"""Ways out of this machine for the status page: the owner's own command, a bucket. Nothing waits for them."""

import asyncio
import contextlib
import hashlib
import os
import signal
from collections.abc import Awaitable, Callable, Mapping

from tidegate.web.settings import StatusSettings
from tidegate.wiring.news import News, Tell
from tidegate.wiring.status_bucket import BucketError, Delivery

KILL_AFTER_S = 5
TIMED_OUT = (124, 137)
"""How timeout(1) says so."""
AGAIN_FIRST_S = 5.0
AGAIN_MAX_S = 60.0
"""After a try that failed: twice as long each time, up to this."""
OUTPUT_SHOWN_MAX = 500

Files = Mapping[str, bytes]
Deliver = Callable[[StatusSettings, Files], Awaitable[bool]]
"""Whether it was wanted at all. Raises OSError."""


class Outlet:
    """Takes the newest page one way, again until it is there; what came meanwhile replaces what waited. For one event
    loop."""

    def __init__(self, deliver: Deliver, settings: Callable[[], StatusSettings], tell: Tell) -> None:
        self._deliver = deliver
        self._settings = settings
        self._tell = tell
        self._newest: Files = {}
        self._fresh = asyncio.Event()
        self._trouble = ""

    def offer(self, files: Files) -> None:
        """In the order in which they are to arrive."""
        self._newest = files
        self._fresh.set()

    async def run(self) -> None:
        """Until cancelled."""
        again_s = AGAIN_FIRST_S
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            try:
                was_wanted = await self._deliver(self._settings(), self._newest)
            except OSError as error:
                self._complain(f"the status page cannot be published: {error}")
                await asyncio.sleep(again_s)
                again_s = min(2 * again_s, AGAIN_MAX_S)
                self._fresh.set()
                continue
            if self._trouble and was_wanted:
                self._tell(News("info", "status-page", "the status page is published again"))
            self._trouble, again_s = "", AGAIN_FIRST_S

    def _complain(self, text: str) -> None:
        """Once for each trouble."""
        if text != self._trouble:
            self._trouble = text
            self._tell(News("error", "status-page", text))


class Bucket:
    """Delivers to `status.s3` what is not there already, as far as it put it there itself."""

    def __init__(self) -> None:
        self._there: dict[str, bytes] = {}
        self._place: tuple[str, str] = ("", "")

    async def deliver(self, settings: StatusSettings, files: Files) -> bool:
        """In order; in a thread."""
        if not settings.s3:
            return False
        place = settings.s3, settings.s3_endpoint
        if place != self._place:
            self._place, self._there = place, {}
        digests = {name: hashlib.sha256(data).digest() for name, data in files.items()}
        changed = {name: data for name, data in files.items() if self._there.get(name) != digests[name]}
        for name in changed:
            self._there.pop(name, None)  # nobody knows, until all of them are there
        delivery = Delivery(settings)
        try:
            async with asyncio.timeout(settings.publish_timeout_s):
                await asyncio.to_thread(delivery.put, changed)
        except TimeoutError:
            raise BucketError(f"{settings.s3} took more than {settings.publish_timeout_s} s") from None
        finally:
            delivery.give_up()
        self._there |= digests
        return True


async def run_command(settings: StatusSettings, _: Files) -> bool:
    """The owner's own command, in the directory, where the files are by now."""
    if not settings.publish or not settings.directory:
        return False
    child = await asyncio.create_subprocess_exec(
        # Whatever becomes of us, it has its end.
        *("timeout", f"--kill-after={KILL_AFTER_S}", str(settings.publish_timeout_s), *settings.publish),
        cwd=settings.directory,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    said = b""
    try:
        async with asyncio.timeout(settings.publish_timeout_s + 2 * KILL_AFTER_S):
            assert child.stderr is not None
            said = await _beginning(child.stderr)
            code = await child.wait()
    except TimeoutError:
        raise OSError(f"{settings.publish[0]} took more than {settings.publish_timeout_s} s") from None
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            await child.wait()
    if code in TIMED_OUT:
        raise OSError(f"{settings.publish[0]} took more than {settings.publish_timeout_s} s")
    if code:
        raise OSError(f"{settings.publish[0]} ended with {code}: {said.decode(errors='replace').strip()}")
    return True


async def _beginning(stream: asyncio.StreamReader) -> bytes:
    """What it says first; all of it is read."""
    kept = b""
    while piece := await stream.read(4096):
        kept = (kept + piece)[:OUTPUT_SHOWN_MAX]
    return kept
