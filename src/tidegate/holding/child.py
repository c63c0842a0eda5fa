"""A child process that works something out: its memory goes with it, and so does its time."""

import asyncio
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence


class ChildError(Exception):
    """It did not come to a good end: a sentence saying why."""


async def told_by(module: str, *arguments: str, timeout_s: float) -> bytes:
    """What `python -m module …` says on its standard output. It never outlives the call. Raises ChildError, OSError."""
    starting = asyncio.get_running_loop().create_task(_started(module, arguments))
    try:
        child = await asyncio.shield(starting)
    except asyncio.CancelledError:
        await _ended(await starting)  # half started it would be nobody's
        raise
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await child.communicate()
    except TimeoutError:
        raise ChildError(f"not within {timeout_s:g} s") from None
    finally:
        await _ended(child)
    if child.returncode:
        tail = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ChildError(" ".join(tail) or f"it ended with {child.returncode}")
    return out


async def _started(module: str, arguments: Sequence[str]) -> Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _ended(child: Process) -> None:
    if child.returncode is None:
        child.kill()
        await child.wait()
