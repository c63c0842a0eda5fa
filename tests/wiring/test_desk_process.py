"""The gateway's side of the desk: it ends with the gateway, whatever it is busy with."""

import asyncio
import contextlib
import signal

import pytest

from tidegate.wiring import desk_process


def test_a_desk_that_does_not_end_in_its_time_is_killed_and_a_stop_goes_on_being_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else the time that ran out would pass for a failure of the desk, and another one be started in mid-stop."""
    monkeypatch.setattr(desk_process, "STOP_GRACE_S", 0.05)

    async def story() -> tuple[bool, int | None]:
        child = await asyncio.create_subprocess_exec("sleep", "60", stdin=asyncio.subprocess.PIPE)

        async def live() -> None:
            try:
                await child.wait()
            finally:
                await desk_process._ended(child)

        living = asyncio.get_running_loop().create_task(live())
        await asyncio.sleep(0)
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await living
        return living.cancelled(), child.returncode

    assert asyncio.run(story()) == (True, -signal.SIGKILL)
