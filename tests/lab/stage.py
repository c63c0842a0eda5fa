"""Three sources of one archive, each of an operator of its own, and the switches for their faults."""

import contextlib
import ssl
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

from tests.lab.names import Resolver
from tests.lab.room import Place
from tests.lab.trees import Trees
from tests.simulator.answer import Style
from tests.simulator.flapping import Undo
from tests.simulator.server import SourceServer
from tests.simulator.tls import Authority

if TYPE_CHECKING:
    from tests.lab.faults import Fault

Scheme = Literal["http", "https"]

ROLES = ("first", "second", "third")
FIRST_BYTES_S = (0.0, 0.005, 0.01)
"""How far away each is: the first one is the nearest, so that it stays the one that is asked for choice."""
PREFIX = "/debian"
HTTP_PORT, HTTPS_PORT = 80, 443


@dataclass(frozen=True, slots=True)
class LabSource:
    """One source, with all that its faults are made of."""

    role: str
    server: SourceServer
    trees: Trees
    place: Place
    resolver: Resolver | None
    authority: Authority | None
    inside: str  # an address that no redirect may lead to

    @property
    def url(self) -> str:
        """Its base address, as in a sources.list."""
        return self.server.url


@dataclass(slots=True, eq=False)
class Switch:
    """A fault that is on at some sources; `off` heals it there, once."""

    undo: Sequence[Undo]
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def off(self) -> None:
        """Undo it."""
        with self._lock:
            waiting, self.undo = self.undo, ()
        for undo in waiting:
            undo()


class Stage:
    """Three servers of the honest tree. `strike` any of them, or all, at any time; `heal` all of it."""

    def __init__(
        self,
        trees: Trees,
        places: Sequence[Place] = (Place(), Place(), Place()),
        *,
        scheme: Scheme = "http",
        resolver: Resolver | None = None,
        authority: Authority | None = None,
        inside: Place | None = None,
        folder: Path | None = None,
    ) -> None:
        """`scheme` is the first one's; the others speak http. `inside` is where a server stands that nobody may ask."""
        self.trees = trees
        self.authority = authority
        self._switches: list[Switch] = []
        with contextlib.ExitStack() as opening:
            self.inside: SourceServer | None = None
            if inside is not None and folder is not None:
                self.inside = opening.enter_context(SourceServer(folder, host=inside.host, port=inside.port))
            inner = self.inside.url if self.inside else ""
            sources = []
            for role, place, first_byte_s in zip(ROLES, places, FIRST_BYTES_S, strict=True):
                tls = authority.server_context() if authority and scheme == "https" and role == ROLES[0] else None
                style = Style(first_byte_s=first_byte_s)
                server = _server(trees, place, style, tls)
                opening.enter_context(server)
                if tls is not None and place.port == HTTPS_PORT:  # what a downgrade would lead to
                    opening.enter_context(_server(trees, replace(place, port=HTTP_PORT), style, None))
                sources.append(LabSource(role, server, trees, place, resolver, authority, inner))
            self.sources: tuple[LabSource, ...] = tuple(sources)
            self._closing = opening.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Heal and end the servers."""
        self.heal()
        self._closing.close()

    def source(self, role: str) -> LabSource:
        """The source of this role."""
        return next(source for source in self.sources if source.role == role)

    @property
    def urls(self) -> tuple[str, ...]:
        """Every source's address, the preferred one first."""
        return tuple(source.url for source in self.sources)

    def strike(self, fault: "Fault", *roles: str) -> Switch:
        """Switch a fault on, at these sources or, where none is named, at all."""
        struck = [source for source in self.sources if not roles or source.role in roles]
        undo: list[Undo] = []
        switch = Switch(undo)
        self._switches.append(switch)
        undo.extend(fault.switch_on(source) for source in struck)
        return switch

    def heal(self) -> None:
        """Switch everything off."""
        for switch in reversed(self._switches):
            switch.off()
        self._switches.clear()

    def asked(self) -> dict[str, int]:
        """How many requests each source has had."""
        return {source.role: len(source.server.asked()) for source in self.sources}

    def preferred(self, action: Callable[[], object]) -> LabSource:
        """Whoever gets most requests while something is done: the one that a fault hurts most."""
        before = self.asked()
        action()
        after = self.asked()
        return max(self.sources, key=lambda source: after[source.role] - before[source.role])


def _server(trees: Trees, place: Place, style: Style, tls: ssl.SSLContext | None) -> SourceServer:
    where = {"host": place.host, "name": place.name}
    return SourceServer(trees.honest, prefix=PREFIX, style=style, tls=tls, port=place.port, **where)
