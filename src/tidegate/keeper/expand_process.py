"""The parent's side of `expand`: start the child, wait for its end."""

import asyncio
import sys
from collections.abc import Sequence

from tidegate.store.layout import Layout

EXPAND_TIMEOUT_S = 300.0


class ExpandError(Exception):
    """What rules need could not be worked out: a sentence saying why. What was known before stays."""


async def expand_in_process(layout: Layout, rules: Sequence[str] = ()) -> None:
    """Work out what these rules (none named: all that have a closure) need now. Raises ExpandError."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tidegate.keeper.expand", str(layout.state), str(layout.cache), *rules),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(EXPAND_TIMEOUT_S):
            _, err = await child.communicate()
    except TimeoutError:
        raise ExpandError(f"what rules need was not worked out within {EXPAND_TIMEOUT_S:g} s") from None
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        tail = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ExpandError(f"what rules need could not be worked out: {' '.join(tail) or child.returncode}")
