"""`tidegate hold` asks the running gateway, or works on its state itself where none runs."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlencode

import msgspec

from tidegate.config import Gathered
from tidegate.store.layout import Layout
from tidegate.web.hold_report import HoldAddReport, HoldRemoveReport, HoldsReport, HoldWhyReport, WishRequest
from tidegate.wiring.ask import NotRunningError, ask
from tidegate.wiring.copying import give_to_owner_of
from tidegate.wiring.hold import Holding, WishError, added, wish_of
from tidegate.wiring.store import layout_of, open_store
from tidegate.wiring.view import stores_of

ANSWER_TIMEOUT_S = 320.0
"""What rules need is worked out within 300 s, or not at all."""

Report = TypeVar("Report")


class HoldDoor:
    """The hot set of one gateway, running or not. All raise OSError, FileNotFoundError where none has ever served."""

    def __init__(self, gathered: Gathered, environment: Mapping[str, str]) -> None:
        self._gathered = gathered
        self._layout = layout_of(gathered.settings.store, environment, uid=os.getuid())

    def add(self, asked: WishRequest) -> HoldAddReport:
        """Take a rule in. Raises WishError for one that cannot be."""
        archives = [one.name for one in self._gathered.settings.archive]

        def here(holding: Holding, layout: Layout) -> HoldAddReport:
            return asyncio.run(added(holding, wish_of(asked, archives, int(time.time())), layout))

        try:
            return self._ask("POST", "/hold/add", HoldAddReport, here, msgspec.json.encode(asked))
        except KeyError as error:
            raise WishError(str(error.args[0])) from None

    def remove(self, names: Sequence[str]) -> HoldRemoveReport:
        """Remove rules, or forget what clients used."""
        target = "/hold/remove?" + urlencode([("name", name) for name in names])
        return self._ask("POST", target, HoldRemoveReport, lambda holding, _: holding.remove(names))

    def list(self) -> HoldsReport:
        """The whole of it."""
        return self._ask("GET", "/hold/list", HoldsReport, lambda holding, _: holding.list())

    def why(self, package: str) -> HoldWhyReport:
        """One package."""
        target = "/hold/why?" + urlencode({"package": package})
        return self._ask("GET", target, HoldWhyReport, lambda holding, _: holding.why(package))

    def _ask(
        self,
        method: str,
        target: str,
        kind: type[Report],
        here: Callable[[Holding, Layout], Report],
        body: bytes | None = None,
    ) -> Report:
        try:
            told = ask(self._layout, method, target, timeout_s=ANSWER_TIMEOUT_S, body=body)
            return msgspec.json.decode(told, type=kind)
        except NotRunningError:
            if not self._layout.catalogue.exists():
                raise FileNotFoundError(2, "no gateway has ever served from here", str(self._layout.state)) from None
            with self._opened() as holding:
                return here(holding, self._layout)

    @contextmanager
    def _opened(self) -> Iterator[Holding]:
        store = open_store(self._layout)
        try:
            self._give_to_owner()
            yield Holding(stores_of(store), self._gathered.settings.hold)
        finally:
            store.close()

    def _give_to_owner(self) -> None:
        """A file that root has just made is its gateway's, whose it is to write; SQLite sees to those beside it."""
        fd = os.open(self._layout.holds, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            give_to_owner_of(fd, self._layout.state)
        finally:
            os.close(fd)
