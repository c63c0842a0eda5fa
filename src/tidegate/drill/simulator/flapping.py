"""Any fault, by turns: on for a while, off for a while, until somebody ends it."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Undo = Callable[[], None]
JOIN_TIMEOUT_S = 10.0


class Flapping:
    """Switches something on and off in a thread of its own, beginning with on. `close` leaves it off.

    `switch_on` does it and returns what undoes it: `lambda: undo_of(server.fault(Silence()))`.
    """

    def __init__(self, switch_on: Callable[[], Undo], *, on_s: float, off_s: float) -> None:
        self._switch_on = switch_on
        self._on_s, self._off_s = on_s, off_s
        self._over = threading.Event()
        self.turns = 0  # how often it has been switched on
        self._undo: Undo | None = None
        self._turn_on()  # before anybody asks
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End it, switched off."""
        self._over.set()
        self._thread.join(JOIN_TIMEOUT_S)
        assert not self._thread.is_alive(), "a switch did not return"

    def _run(self) -> None:
        while not self._over.wait(self._on_s):
            self._turn_off()
            if self._over.wait(self._off_s):
                break
            self._turn_on()
        self._turn_off()

    def _turn_on(self) -> None:
        self.turns += 1
        self._undo = self._switch_on()

    def _turn_off(self) -> None:
        if self._undo is not None:
            self._undo()
            self._undo = None
