"""The desk's eye on the gateway: its status every few seconds, over the control socket, and what it counted.

Asked once for all who look, so that however many pages are open, the gateway answers one question.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable

import msgspec

from tidegate.store.layout import Layout
from tidegate.web.rates import SAMPLES_MAX, Rates, Sample, rates, sample_of
from tidegate.web.report import StatusReport
from tidegate.wiring.ask import NotRunningError, ask

EVERY_S = 5.0
TIMEOUT_S = 5.0


class Observing:
    """Belongs to one event loop; `status` is what the gateway said last, None where it never did."""

    def __init__(self, ask: Callable[[], StatusReport | None]) -> None:
        """`ask`: the status, None where nobody answers; called in a thread."""
        self._ask = ask
        self._samples: deque[Sample] = deque(maxlen=SAMPLES_MAX)
        self._asked = asyncio.Event()
        self.status: StatusReport | None = None

    @property
    def alone(self) -> frozenset[str]:
        """The archives of which nothing can be had; as it was, while the gateway says nothing."""
        return frozenset() if self.status is None else frozenset(one.archive for one in self.status.alone)

    def rates(self) -> Rates | None:
        """How fast things go."""
        return rates(tuple(self._samples))

    async def asked(self) -> None:
        """Once the gateway was asked for the first time."""
        await self._asked.wait()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            status = await asyncio.to_thread(self._ask)
            if status is not None:
                self.status = status
                if (sample := sample_of(status, time.monotonic())) is not None:
                    self._samples.append(sample)
            self._asked.set()
            await asyncio.sleep(EVERY_S)


def status_of(layout: Layout) -> StatusReport | None:
    """What the gateway that serves this state says."""
    try:
        return msgspec.json.decode(ask(layout, "GET", "/status", timeout_s=TIMEOUT_S), type=StatusReport)
    except (NotRunningError, PermissionError, KeyError, msgspec.MsgspecError):
        return None
