"""The parent's side of `intake`: start the child, hear what it says, and see that it ends."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from tidegate.advisories.intake import Answer, Job, Looking, NotTaken, Taken, Why

LINE_BYTES_MAX = 2**17
STDERR_BYTES_MAX = 2**16
Progress = Callable[[int], None]
Intake = Callable[[Job, Progress], Awaitable[Taken | NotTaken]]
"""Does a job, and tells how many records were looked at. Raises OSError where it cannot be begun."""


@dataclass(frozen=True, slots=True)
class ProcessIntake:
    """Each job in a child process, within a time."""

    timeout_s: float

    async def __call__(self, job: Job, progress: Progress) -> Taken | NotTaken:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tidegate.advisories.intake"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
        )
        try:
            async with asyncio.timeout(self.timeout_s):
                answer, complaint = await asyncio.gather(_heard(child, job, progress), _complaint(child))
                await child.wait()
        except TimeoutError:
            return NotTaken(Why.UNFIT, f"it was not read within {self.timeout_s:g} s")
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        if answer is None:
            what = complaint or f"the process that reads it ended with {child.returncode}"
            return NotTaken(Why.UNFIT, what)
        return answer


async def _heard(child: asyncio.subprocess.Process, job: Job, progress: Progress) -> Taken | NotTaken | None:
    """The last answer; None where there is none, or none that can be understood."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        child.stdin.write(msgspec.json.encode(job))
        await child.stdin.drain()
    child.stdin.close()
    last: Taken | NotTaken | None = None
    try:
        while line := await child.stdout.readline():
            answer = msgspec.json.decode(line, type=Answer)
            if isinstance(answer, Looking):
                progress(answer.records)
            else:
                last = answer
    except (ValueError, msgspec.DecodeError):
        child.kill()
        return None
    return last


async def _complaint(child: asyncio.subprocess.Process) -> str:
    """The last line that it wrote to its standard error."""
    assert child.stderr is not None
    kept = b""
    while piece := await child.stderr.read(STDERR_BYTES_MAX):
        kept = (kept + piece)[-STDERR_BYTES_MAX:]
    lines = kept.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""
