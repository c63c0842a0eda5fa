"""A child process that works something out: its memory goes with it, and so does its time."""

import asyncio
import sys


class ChildError(Exception):
    """It did not come to a good end: a sentence saying why."""


async def told_by(module: str, *arguments: str, timeout_s: float) -> bytes:
    """What `python -m module …` says on its standard output. It never outlives the call. Raises ChildError, OSError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", module, *arguments),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(timeout_s):
            out, err = await child.communicate()
    except TimeoutError:
        raise ChildError(f"not within {timeout_s:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        tail = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ChildError(" ".join(tail) or f"it ended with {child.returncode}")
    return out
