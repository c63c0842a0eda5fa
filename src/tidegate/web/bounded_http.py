"""uvicorn's HTTP/1.1 with what it lacks: a deadline for a request's head, and for whoever goes on after the answer.

uvicorn ends a connection that is idle after an answer, and no other: one that never asks, or sends its head or what is
left of its body byte by byte, would be kept for ever. While an answer is being made, its maker has the deadlines.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

HEAD_TIMEOUT_S = 10.0
HEAD_BYTES_MAX = 16_384


class BoundedProtocol(H11Protocol):
    """A connection that asks in time, or is ended."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:  # uvicorn's own signature is narrower than asyncio's
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._answering():
            self._forget_deadline()
        elif self._deadline is None:
            self._await_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._forget_deadline()
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget_deadline()
        super().connection_lost(exc)

    def _answering(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # which uvicorn declares without its None
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
