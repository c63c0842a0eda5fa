"""The data plane's engine: one epoll set of all client sockets, watched by the event loop as a single descriptor.

The loop sees one readable descriptor and calls `_drain`; connections do the rest. Everything that waits (fetches,
adoptions, tunnels) is the loop's. Once a second `_tick` moves the clock, ends what is overdue, counts and logs.
"""

import asyncio
import select
import socket
import time
from collections import Counter
from email.utils import formatdate

from tidegate.gateway.access_log import AccessLog
from tidegate.gateway.answering import Answering, Rooms
from tidegate.gateway.connection import Connection, Phase
from tidegate.gateway.entry import Entry, Shelf
from tidegate.gateway.refusal import Answer
from tidegate.gateway.settings import GatewaySettings
from tidegate.gateway.siblings import Siblings
from tidegate.gateway.target import NotOurs, Routes
from tidegate.gateway.tunnel import open_tunnel, pump
from tidegate.gateway.usage import SWEEP_INTERVAL_S
from tidegate.sources.failure import FetchError
from tidegate.store.catalogue import Catalogue

_READING = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_BOTH = _READING | select.EPOLLOUT
ACCEPTS_MAX = 64
EVENTS_MAX = 512
BUSY_EVENTS = 2
"""From so many at once on, more have come meanwhile: looking again is cheaper than a turn of the event loop."""
POLLS_MAX = 8
TICK_S = 1.0


class Gateway:
    """One worker's data plane. `listener` is non-blocking and listening; `handed` brings other workers' clients."""

    def __init__(
        self,
        listener: socket.socket,
        routes: Routes,
        rooms: Rooms,
        catalogue: Catalogue,
        settings: GatewaySettings,
        log: AccessLog,
        siblings: Siblings | None = None,
    ) -> None:
        self.settings = settings
        self.shelf = Shelf(entries_max=settings.open_files_max, body_bytes_max=settings.body_memory_bytes_max)
        self.now = time.monotonic()
        self.date = b""
        self.access = log
        self.log = log.note
        self.tunnels = 0
        self._listener = listener
        self._routes = routes
        self._rooms = rooms
        self._catalogue = catalogue
        self._siblings = siblings
        self._answering = Answering(rooms, self.shelf, settings, siblings)
        self._connections: dict[int, Connection] = {}
        self._by_peer: Counter[str] = Counter()
        self._turns: list[Connection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._generation = -1
        self._swept_at = self.now
        self._epoll = select.epoll()
        self._listening = False
        self._ticker: asyncio.TimerHandle | None = None

    # Life

    def start(self) -> None:
        """Begin to accept; call inside the loop."""
        loop = asyncio.get_running_loop()
        self._epoll.register(self._listener.fileno(), select.EPOLLIN)
        self._listening = True
        loop.add_reader(self._epoll.fileno(), self._drain)
        if self._siblings is not None:
            loop.add_reader(self._siblings.inbox.fileno(), self._receive)
        self._tick()

    async def stop(self, grace_s: float) -> None:
        """Accept no more, let answers under way go out for at most `grace_s`, then close everything."""
        if self._listening:
            self._epoll.unregister(self._listener.fileno())
            self._listening = False
        deadline = time.monotonic() + grace_s
        for connection in list(self._connections.values()):
            connection.close = True
            if connection.phase is Phase.READING:
                connection.drop()
        while self._connections and time.monotonic() < deadline:  # noqa: ASYNC110 (once, at the end: no event for it)
            await asyncio.sleep(0.02)
        for connection in list(self._connections.values()):
            connection.drop()
        for task in list(self._tasks):
            task.cancel()
        self.sweep()
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._epoll.fileno())
        if self._siblings is not None:
            loop.remove_reader(self._siblings.inbox.fileno())
        if self._ticker is not None:
            self._ticker.cancel()
        self.access.close()
        self._epoll.close()

    @property
    def connections(self) -> int:
        """Open client connections."""
        return len(self._connections)

    def changed(self) -> None:
        """The catalogue has changed: requests may mean something else now."""
        self.shelf.forget_requests()

    def sweep(self) -> None:
        """Tell what clients used since the last time."""
        self._swept_at = self.now
        places = self.shelf.used()
        if places and self._rooms.uses is not None:
            self._rooms.uses.used(places)

    def reconfigure(self, routes: Routes, rooms: Rooms, settings: GatewaySettings) -> None:
        """Answer by other settings from the next request on; connections stay."""
        self.settings, self._routes, self._rooms = settings, routes, rooms
        self._answering = Answering(rooms, self.shelf, settings, self._siblings)
        self.changed()

    # Events

    def _drain(self) -> None:
        find, poll = self._connections.get, self._epoll.poll
        for _ in range(POLLS_MAX):
            events = poll(0, EVENTS_MAX)
            for fd, mask in events:
                connection = find(fd)
                if connection is not None:
                    connection.on_event(mask)
                elif self._listening and fd == self._listener.fileno():
                    self._accept()
            if len(events) < BUSY_EVENTS:
                return

    def _accept(self) -> None:
        for _ in range(ACCEPTS_MAX):
            if len(self._connections) >= self.settings.connections_max:
                # Further clients wait in the backlog: to an apt that is a slow start, not an error.
                self._epoll.modify(self._listener.fileno(), 0)
                return
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except ConnectionError:
                continue  # this client gave up
            except OSError:
                # Descriptors ran out (threat 43). The backlog keeps the others till the next tick: no use in spinning.
                self._epoll.modify(self._listener.fileno(), 0)
                return
            self._add(sock, str(address[0]), b"")

    def _add(self, sock: socket.socket, peer: str, received: bytes) -> None:
        if self._by_peer[peer] >= self.settings.connections_per_client_max:
            sock.close()
            return
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = Connection(self, sock, peer)
        self._connections[sock.fileno()] = connection
        self._by_peer[peer] += 1
        self._epoll.register(sock.fileno(), _READING)
        if received:
            connection.process(received)

    def forget(self, connection: Connection) -> None:
        """A connection ends or leaves: stop watching its descriptor before anybody else has it."""
        fd = connection.sock.fileno()
        if self._connections.pop(fd, None) is None:
            return
        self._epoll.unregister(fd)
        self._by_peer[connection.peer] -= 1
        if not self._by_peer[connection.peer]:
            del self._by_peer[connection.peer]
        if self._listening and len(self._connections) == self.settings.connections_max - 1:
            self._epoll.modify(self._listener.fileno(), select.EPOLLIN)

    def watch_writing(self, connection: Connection, *, wanted: bool) -> None:
        """Be told when a full socket has room. Only then: each acknowledged byte would wake us otherwise."""
        self._epoll.modify(connection.sock.fileno(), _BOTH if wanted else _READING)

    def again(self, connection: Connection) -> None:
        """Let the connection go on sending after the others had their turn."""
        if not self._turns:
            asyncio.get_running_loop().call_soon(self._take_turns)
        self._turns.append(connection)

    def _take_turns(self) -> None:
        turns, self._turns = self._turns, []
        for connection in turns:
            connection.go_on()

    # The clock

    def _tick(self) -> None:
        self.now = time.monotonic()
        self.date = formatdate(usegmt=True).encode()
        self.access.flush()
        generation = self._catalogue.generation()
        if generation != self._generation:
            self._generation = generation
            self.changed()
        self._end_overdue()
        if self.now - self._swept_at >= SWEEP_INTERVAL_S:
            self.sweep()
        if self._listening and len(self._connections) < self.settings.connections_max:
            self._epoll.modify(self._listener.fileno(), select.EPOLLIN)
        self._ticker = asyncio.get_running_loop().call_later(TICK_S, self._tick)

    def _end_overdue(self) -> None:
        now, settings = self.now, self.settings
        shortest = min(settings.header_timeout_s, settings.idle_timeout_s, settings.write_timeout_s)
        for connection in list(self._connections.values()):
            silent = now - connection.since
            if silent <= shortest:
                continue
            match connection.phase:
                case Phase.READING:
                    limit = settings.header_timeout_s if connection.pending else settings.idle_timeout_s
                case Phase.SENDING:
                    limit = settings.write_timeout_s
                case _:
                    continue  # who waits has a time limit of its own
            if silent > limit:
                connection.drop()

    # Requests

    def answer(self, connection: Connection, target: bytes) -> bool:
        """A GET or HEAD that is no plain hit. True when its answer is out."""
        place = self._routes.place(target)
        if isinstance(place, NotOurs):
            return connection.refuse(Answer(place.status, place.why, None, close=place.status == 400), place.why)
        return self._answering.now_or_later(connection, place)

    def damaged(self, entry: Entry | None) -> None:
        """A held blob turned out shorter than it is: drop it from memory, so that it is looked at again."""
        if entry is not None:
            self.shelf.forget(entry)

    def tunnel(self, connection: Connection, target: bytes) -> None:
        """A CONNECT: leave the connection to a tunnel, or refuse it."""
        place = self._routes.tunnel(target, self.settings.tunnel_hosts)
        if self._rooms.fetching.health.offline and not isinstance(place, NotOurs):
            place = NotOurs(403, "no tunnel: this gateway is offline")
        if isinstance(place, NotOurs) or self.tunnels >= self.settings.tunnels_max:
            no = (
                place if isinstance(place, NotOurs) else NotOurs(503, "too many tunnels are open (gateway.tunnels_max)")
            )
            connection.refuse(Answer(no.status, no.why, None, close=True), no.why)
            return
        task = asyncio.get_running_loop().create_task(self._tunnel(connection, *place))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tunnel(self, connection: Connection, host: str, port: int) -> None:
        self.tunnels += 1
        try:
            try:
                far = await open_tunnel(self._rooms.fetching.client, host, port)
            except FetchError as error:
                connection.refuse(Answer(403, f"no tunnel: {error}", None, close=True), str(error))
                return
            if connection.phase is Phase.GONE:
                far.close()
                return
            self.log((connection.peer, connection.line, 200, 0, "tunnel"))
            first = connection.pending
            await pump(connection.leave(), far, first)
        finally:
            self.tunnels -= 1

    # Other workers

    def _receive(self) -> None:
        assert self._siblings is not None
        for sock, peer, received in self._siblings.receive():
            self._add(sock, peer, received)
