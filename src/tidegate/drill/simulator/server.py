"""An HTTP/1.1 source on loopback that records every request and fails on command.

One blocking thread for each connection: sendfile keeps it fast, and a fault is a few plain lines.
"""

import contextlib
import fnmatch
import socket
import ssl
import threading
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from tidegate.drill.simulator.answer import Answer, GoneError, Request, Style
from tidegate.drill.simulator.faults import Fault, Hold

Where = str | Callable[[str], bool] | None

HEAD_BYTES_MAX = 65_536
CLIENT_TIMEOUT_S = 60.0
JOIN_TIMEOUT_S = 5.0
WAIT_TIMEOUT_S = 10.0
BACKLOG = 1024
DEFAULT_PORTS = {"http": 80, "https": 443}
PLUG_TIMEOUT_S = 5.0
THREADS_SWEEP = 256  # forget ended threads once in so many connections


@dataclass(slots=True, eq=False)
class ActiveFault:
    """A fault that has been switched on."""

    fault: Fault
    where: Callable[[str], bool]
    times_left: int | None


class SourceServer:
    """Serves a directory at `url` in threads of its own. A context manager; `close` ends it at once.

    `prefix` is the path it lives under (`/debian`). `root` may be a symlink that is switched meanwhile:
    it is resolved anew for each request. With `tls` it speaks https. `port` 0 is any; `name` stands in `url`
    in place of the address, for clients that can resolve it.
    """

    def __init__(
        self,
        root: Path,
        *,
        prefix: str = "",
        style: Style | None = None,
        tls: ssl.SSLContext | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        name: str = "",
    ) -> None:
        self.root = root
        self.prefix = prefix.rstrip("/")
        self.style = style or Style()
        self.requests: list[Request] = []
        self.handshake_delay_s = 0.0
        """So long a connection waits before the server's side of its TLS handshake begins."""
        self._tls = tls
        self.moving = threading.Event()  # cleared: whatever is under way stands still
        self.moving.set()
        self._plugs: list[socket.socket] = []  # what fills the queue of a listener that drops the rest
        self._faults: list[ActiveFault] = []
        self._changed = threading.Condition()
        self.closing = threading.Event()
        self._connections: dict[int, socket.socket] = {}
        self._accepted = 0
        self._threads: list[threading.Thread] = []
        self._socket = _bound(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        scheme = "https" if tls else "http"
        shown = "" if self.port == DEFAULT_PORTS[scheme] else f":{self.port}"
        self.url = f"{scheme}://{name or host}{shown}{self.prefix}"
        self._listen()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Faults

    def fault(self, fault: Fault, where: Where = None, *, times: int | None = None) -> ActiveFault:
        """Switch a fault on for the paths `where` says (a glob, a predicate on the path, None: all).

        `times` bounds how many answers it strikes. Of several that fit, the newest strikes.
        """
        active = ActiveFault(fault, _predicate(where), times)
        with self._changed:
            self._faults.append(active)
        return active

    @contextlib.contextmanager
    def faulty(self, fault: Fault, where: Where = None, *, times: int | None = None) -> Iterator[ActiveFault]:
        """The same for the length of a block."""
        active = self.fault(fault, where, times=times)
        try:
            yield active
        finally:
            self.heal(active)

    def hold(self, after_bytes: int | None = 0, where: Where = None) -> Hold:
        """Stall matching answers after so many bytes of body (None: before the head) until released."""
        gate = Hold(after_bytes)
        self.fault(gate, where)
        return gate

    def release(self) -> None:
        """Open every gate."""
        with self._changed:
            gates = [a.fault for a in self._faults if isinstance(a.fault, Hold)]
        for gate in gates:
            gate.release()

    def heal(self, active: ActiveFault | None = None) -> None:
        """Switch one fault off, or all of them; gates open, and the port listens again."""
        with self._changed:
            gone = [a for a in self._faults if active is None or a is active]
            self._faults = [a for a in self._faults if a not in gone]
        for old in gone:
            if isinstance(old.fault, Hold):
                old.fault.release()
        if active is None:
            self.accept()

    def refuse(self) -> None:
        """Refuse connections from now on, and drop those that are open. The port stays ours."""
        if self._listening or self._plugs:
            self._take_port()
        self.moving.set()
        self.drop_connections()

    def blackhole(self) -> None:
        """Drop every SYN from now on; what is under way falls silent where it stands. The port stays ours.

        A listener whose queue is full drops whatever else comes (listen(2)), so nobody needs a firewall for this.
        """
        self.moving.clear()
        if self._plugs:
            return
        self._take_port()
        self._socket.listen(0)  # which is room for one
        plug = socket.create_connection((self.host, self.port), PLUG_TIMEOUT_S)
        self._plugs.append(plug)

    def accept(self) -> None:
        """Listen again after `refuse` or `blackhole`; what had fallen silent goes on."""
        self.moving.set()
        if not self._listening:
            if self._plugs:
                self._take_port()
            self._listen()

    def speak_tls(self, context: ssl.SSLContext) -> None:
        """Show another certificate to whoever connects from now on. For a server that was begun with TLS."""
        assert self._tls is not None, "a server keeps its scheme"
        self._tls = context

    def drop_connections(self) -> None:
        """End every open connection, whatever it is doing."""
        with self._changed:
            connections = list(self._connections.values())
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)  # wakes its thread, which closes it

    # What was asked

    def wait_for(self, condition: Callable[[], bool], timeout_s: float = WAIT_TIMEOUT_S) -> None:
        """Wait until `condition` holds; looked at after each request, each block sent, each gate reached."""
        with self._changed:
            held = self._changed.wait_for(condition, timeout_s)
        assert held, f"not within {timeout_s} s; requests: {[r.target for r in self.requests]}"

    def asked(self, where: Where = None) -> list[Request]:
        """The requests so far for these paths, oldest first."""
        fits = _predicate(where)
        with self._changed:
            return [request for request in self.requests if fits(request.path)]

    def forget(self) -> None:
        """Empty the record."""
        with self._changed:
            self.requests.clear()

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        with self._changed:
            return len(self._connections)

    @property
    def accepted_connections(self) -> int:
        """How many connections there have been."""
        return self._accepted

    def close(self) -> None:
        """Stop listening, drop all connections, and end every thread."""
        self.closing.set()
        with self._changed:
            gates = [a.fault for a in self._faults if isinstance(a.fault, Hold)]
        for gate in gates:
            gate.release()
        self.moving.set()
        if self._listening:
            self._stop_listening()
        self._unplug()
        self._socket.close()
        self.drop_connections()
        for thread in self._threads:
            thread.join(JOIN_TIMEOUT_S)
            assert not thread.is_alive(), "a connection's thread did not end"

    # Connections

    def _listen(self) -> None:
        self._socket.listen(BACKLOG)
        self._listening = True
        self._listener = threading.Thread(target=self._accept_loop, args=(self._socket,), daemon=True)
        self._listener.start()

    def _stop_listening(self) -> None:
        self._listening = False
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread in accept
        self._socket.close()
        self._listener.join(JOIN_TIMEOUT_S)  # from here on no connection is added

    def _take_port(self) -> None:
        """A fresh socket on our port that does not listen, in place of the one that does."""
        reserved = _bound(self.host, self.port)
        if self._listening:
            self._stop_listening()
        self._unplug()
        self._socket.close()
        self._socket = reserved

    def _unplug(self) -> None:
        for plug in self._plugs:
            plug.close()
        self._plugs.clear()

    def _accept_loop(self, listener: socket.socket) -> None:
        while not self.closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._changed:
                self._accepted += 1
                number = self._accepted
                self._connections[number] = connection
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            thread.start()
            if number % THREADS_SWEEP == 0:
                self._threads = [thread for thread in self._threads if thread.is_alive()]
            self._threads.append(thread)

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            connection.settimeout(CLIENT_TIMEOUT_S)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                self.closing.wait(self.handshake_delay_s)
                connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
                with self._changed:
                    self._connections[number] = connection  # known before it may block
                connection.do_handshake()
            buffer = b""
            while not self.closing.is_set():
                head, buffer = _read_head(connection, buffer)
                request = self._parsed(head, number)
                with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                try:
                    keep = self._answer(connection, request).give()
                finally:
                    with self._changed:
                        request.done = True
                        self._changed.notify_all()
                if not keep:
                    break
        except (OSError, GoneError):
            pass
        finally:
            with self._changed:
                self._connections.pop(number, None)
                self._changed.notify_all()
            connection.close()

    def _parsed(self, head: bytes, connection: int) -> Request:
        lines = head.decode("latin-1").split("\r\n")
        method, _, rest = lines[0].partition(" ")
        target = rest.partition(" ")[0]
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        bare = urllib.parse.urlsplit(target).path if "://" in target else target.partition("?")[0]
        path = urllib.parse.unquote(bare)
        inside = path.removeprefix(self.prefix).lstrip("/") if path.startswith(self.prefix + "/") else path
        return Request(method, target, inside, headers, connection)

    def _answer(self, connection: socket.socket, request: Request) -> Answer:
        request.fault = self._fault_for(request.path)
        return Answer(self, self.root, self.style, connection, request, request.fault)

    def _fault_for(self, path: str) -> Fault | None:
        with self._changed:
            for active in reversed(self._faults):
                if active.times_left != 0 and active.where(path):
                    if active.times_left is not None:
                        active.times_left -= 1
                    return active.fault
        return None

    def note(self, request: Request, sent: int = 0, status: int | None = None) -> None:
        """Record an answer's progress and wake whoever waits for it."""
        with self._changed:
            request.sent_bytes += sent
            if status is not None:
                request.status = status
            self._changed.notify_all()

    def wait_at(self, gate: Hold) -> None:
        """Wait until the gate opens."""
        if gate.opened.is_set():
            return
        with self._changed:
            gate.held += 1
            self._changed.notify_all()
        gate.opened.wait()
        with self._changed:
            gate.held -= 1
            self._changed.notify_all()


def _bound(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)  # so a refusing socket can take the port over
    made.bind((host, port))
    return made


def _predicate(where: Where) -> Callable[[str], bool]:
    if where is None:
        return lambda _: True
    if isinstance(where, str):
        pattern = where
        return lambda path: fnmatch.fnmatchcase(path, pattern)
    return where


def _read_head(connection: socket.socket, buffer: bytes) -> tuple[bytes, bytes]:
    while b"\r\n\r\n" not in buffer:
        block = connection.recv(65_536)
        if not block or len(buffer) > HEAD_BYTES_MAX:
            raise GoneError
        buffer += block
    head, _, rest = buffer.partition(b"\r\n\r\n")
    return head, rest
