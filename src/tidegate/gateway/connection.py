"""One client's connection: bytes in, answers out, in order.

    READING   a request is awaited; hits are answered here and now
    WAITING   a task owes the answer (something has to be fetched or adopted first)
    SENDING   head and body go out as fast as the client takes them
    GONE      closed, or handed to another worker

The sockets are ours, not the loop's: they stand in one epoll set that the loop watches (server.py), and a hit costs
one recv, one send and one sendfile. Nothing here awaits.
"""

import os
import select
import socket
from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from tidegate.gateway.access_log import LACKING
from tidegate.gateway.answer import REASONS, Form, Part, choose, head_of, refusal_of
from tidegate.gateway.entry import USED, Entry
from tidegate.gateway.refusal import Answer
from tidegate.gateway.request import PLAIN, BadRequestError, Fields, parse_fields, parse_line
from tidegate.store.blobs import Draft

if TYPE_CHECKING:
    from collections.abc import Callable

    from tidegate.gateway.server import Gateway

RECEIVE_BYTES = 8_192
"""A request has 100 to 500 bytes, and Python sets aside for each recv what could come."""
SEND_BYTES = 1 << 20
TURNS = 8
"""Pieces that one connection may send before the others get their turn."""
COMPARE_BYTES = 1 << 20
_READABLE = select.EPOLLIN | select.EPOLLRDHUP
_GONE = select.EPOLLHUP | select.EPOLLERR


class Followed(Protocol):
    """Something that grows while it is sent on: a flight, or an unlisted file that passes through."""

    @property
    def available(self) -> int:
        """Bytes that may be sent, from the start."""
        ...

    @property
    def complete(self) -> bool:
        """All is there, and it is right."""
        ...

    @property
    def failed(self) -> bool:
        """No more will come."""
        ...

    @property
    def draft(self) -> Draft:
        """Where the bytes are; another one when they had to be fetched anew."""
        ...

    def watch(self, wake: "Callable[[], None]") -> None:
        """Be called once, at the next change."""
        ...


class Phase(Enum):
    """See the module."""

    READING = auto()
    WAITING = auto()
    SENDING = auto()
    GONE = auto()


class Connection:
    """See the module. Made and driven by the server."""

    __slots__ = (
        "_armed",
        "_draft",
        "_end",
        "_fd",
        "_fields",
        "_followed",
        "_gateway",
        "_offset",
        "_out",
        "_recv",
        "_send",
        "close",
        "entry",
        "head_only",
        "line",
        "peer",
        "pending",
        "phase",
        "readable",
        "request",
        "since",
        "sock",
    )  # fmt: skip

    def __init__(self, gateway: "Gateway", sock: socket.socket, peer: str) -> None:
        self._gateway = gateway
        self.sock = sock
        self.peer = peer
        self._fd = sock.fileno()
        self._recv = sock.recv
        self._send = sock.send
        self.phase = Phase.READING
        self.pending = b""
        """Bytes received and not yet taken apart; while WAITING it begins behind the request that is answered."""
        self.readable = False
        self.close = False
        self.head_only = False
        self.line = b""
        self.request = b""
        self.since = gateway.now
        """When this phase last made progress (or, for a head that trickles in, began)."""
        self.entry: Entry | None = None
        self._armed = False
        self._fields: Fields = PLAIN
        self._out = b""
        self._followed: Followed | None = None
        self._draft: Draft | None = None
        self._offset = self._end = 0

    # Driven by the server

    def on_event(self, mask: int) -> None:
        """The socket's state changed (edge-triggered)."""
        if self.phase is Phase.READING:
            if mask & _READABLE:
                self._read()
                # Behind a full read, and behind the client's last word, is more that no further event announces.
                self.readable = self.readable or bool(mask & select.EPOLLRDHUP)
                while self.readable and self.phase is Phase.READING:
                    self._read()
            else:
                self.drop()
            return
        if mask & _READABLE:
            self.readable = True
        if mask & _GONE:
            self.drop()
        elif mask & select.EPOLLOUT and self.phase is Phase.SENDING and self._flush():
            self._next()

    def drop(self) -> None:
        """Close, whatever is under way; idempotent."""
        if self.phase is not Phase.GONE:
            self._gateway.forget(self)
            self.sock.close()
            self._let_go()

    def leave(self) -> socket.socket:
        """Give the socket up, open, to a tunnel or another worker."""
        self._gateway.forget(self)
        sock = self.sock
        self._let_go()
        return sock

    def _let_go(self) -> None:
        self.phase = Phase.GONE
        self.entry = self._followed = self._draft = None
        self.pending = self._out = b""

    # Reading

    def _read(self) -> None:
        try:
            data = self._recv(RECEIVE_BYTES)
        except BlockingIOError:
            self.readable = False
            return
        except OSError:
            self.drop()
            return
        if not data:
            self.drop()
            return
        self.readable = len(data) == RECEIVE_BYTES
        self.process(data)

    def _next(self) -> None:
        """An answer is out: go on with what came meanwhile."""
        if self.phase is Phase.READING and self.pending:
            self.process(b"")
        while self.readable and self.phase is Phase.READING:
            self._read()

    def process(self, data: bytes) -> None:
        """Take requests from the bytes and answer them, until one has to wait or the socket is full."""
        gateway = self._gateway
        if self.pending:
            data, self.pending = self.pending + data, b""
        else:
            self.since = gateway.now
        whole = data
        known = gateway.shelf.by_request.get
        while data:
            end = data.find(b"\r\n\r\n") + 4
            if end < 4:
                if data is not whole:
                    self.since = gateway.now  # behind answered ones another head begins
                return self._keep_partial(data)
            if end == len(data):
                request, data = data, b""
            else:
                request, data = data[:end], data[end:]
            hit = known(request)
            if hit is not None:
                entry, line = hit
                gateway.log((self.peer, line, 200, entry.size, "hit"))
                if not self._hit(entry):
                    if self.phase is not Phase.GONE:
                        self.pending = data
                    return None
                continue
            self.pending = data
            if not self._request(request):
                return None
            data, self.pending = self.pending, b""
        return None

    def _keep_partial(self, data: bytes) -> None:
        if len(data) > self._gateway.settings.request_head_bytes_max:
            self.refuse_and_close(431, "the request's head is too long")
        else:
            self.pending = data

    def _hit(self, entry: Entry) -> bool:
        """The full answer from an open blob. True when it is out, False when it goes on later or the client left."""
        entry.used = USED
        head, offset, size = entry.at(self._gateway.date), 0, entry.size
        try:
            sent = self._send(head)
            if sent == len(head):
                if entry.body:
                    return True
                head = b""
                offset = os.sendfile(self._fd, entry.fd, 0, min(SEND_BYTES, size))
                if offset == size:
                    return True
            else:
                head = head[sent:]
        except BlockingIOError:
            pass  # what was tried last did not go out; head and offset say from where to go on
        except OSError:
            self.drop()
            return False
        self.entry = None if entry.body else entry
        return self._begin(head, offset, size)

    def _request(self, request: bytes) -> bool:
        """A request that is not known to be a plain hit. True when its answer is out."""
        if len(request) > self._gateway.settings.request_head_bytes_max:
            self.refuse_and_close(431, "the request's head is too long")
            return False
        line, _, block = request.partition(b"\r\n")
        self.request, self.line = request, line
        try:
            parsed = parse_line(line)
            self._fields = fields = parse_fields(block[:-4], host_required=parsed.keeps)
        except BadRequestError as error:
            self.refuse_and_close(400, str(error))
            return False
        self.close = fields.close or not parsed.keeps
        self.head_only = parsed.method == b"HEAD"
        if parsed.method == b"CONNECT":
            self.phase = Phase.WAITING
            self._gateway.tunnel(self, parsed.target)
            return False
        if parsed.method not in (b"GET", b"HEAD"):
            self.refuse_and_close(405, "only GET, HEAD and CONNECT are answered here")
            return False
        return self._gateway.answer(self, parsed.target)

    @property
    def is_plain(self) -> bool:
        """The request under way is a GET without conditions that keeps the connection: the same again can be a hit."""
        return not self.close and not self.head_only and self._fields == PLAIN

    # Answering

    def wait(self) -> None:
        """A task owes the answer from now on."""
        self.phase = Phase.WAITING
        self.since = self._gateway.now

    def give(self, entry: Entry, how: str) -> bool:
        """Answer from an open blob, as the request's conditions and range want it."""
        part, head = self._head(entry.form, how)
        self.entry = entry if self._sends(part) else None
        return self._begin(head, part.start, part.end if self._sends(part) else part.start)

    def follow(self, followed: Followed, form: Form, how: str) -> bool:
        """Answer from something that is still growing."""
        part, head = self._head(form, how)
        if self._sends(part):
            self._followed, self._draft = followed, followed.draft
        return self._begin(head, part.start, part.end if self._sends(part) else part.start)

    def refuse(self, answer: Answer, why: str, *, lacking: bool = False) -> bool:
        """Say no, with a sentence. `lacking`: we do not have it and could not get it, which is counted apart."""
        self.close = self.close or answer.close
        whole = refusal_of(
            answer.status,
            why,
            date=self._gateway.date,
            reason=answer.reason,
            retry_after_s=answer.retry_after_s,
            close=self.close,
            head_only=self.head_only,
        )
        self._gateway.log((self.peer, self.line, answer.status, 0, f"refused; {LACKING if lacking else ''}{why}"))
        return self._begin(whole, 0, 0)

    def refuse_and_close(self, status: int, why: str) -> None:
        """Say no to what is no proper request; nothing of it is reflected (threat 21)."""
        self.line, self.close, self.pending, self.readable = b"-", True, b"", False
        self.refuse(Answer(status, REASONS[status], None, close=True), why)

    def starts_at(self, form: Form) -> int:
        """The first byte that the request wants of this representation."""
        return choose(form, self._fields, get=not self.head_only).start

    def again(self) -> bytes:
        """The request under way and everything behind it, as it came: for another worker to begin with."""
        return self.request + self.pending

    def resume(self, *, finished: bool) -> None:
        """A task has answered; go on with the next request when the answer is out."""
        if finished:
            self._next()

    def _head(self, form: Form, how: str) -> tuple[Part, bytes]:
        part = choose(form, self._fields, get=not self.head_only)
        size = part.end - part.start if self._sends(part) else 0
        self._gateway.log((self.peer, self.line, part.status, size, how))
        return part, head_of(form, part, date=self._gateway.date, how=how, close=self.close)

    def _sends(self, part: Part) -> bool:
        return part.status in (200, 206) and not self.head_only

    # Sending

    def _begin(self, out: bytes, offset: int, end: int) -> bool:
        self.phase = Phase.SENDING
        self._out, self._offset, self._end = out, offset, end
        self.since = self._gateway.now
        return self._flush()

    def _flush(self) -> bool:
        """Send what the client takes. True when the answer is out and the next request may be read."""
        try:
            if self._out:
                self._out = self._out[self._send(self._out) :]
                if self._out:
                    self._blocked()
                    return False
                self.since = self._gateway.now
            if not self._send_body():
                return False
        except BlockingIOError:
            self._blocked()
            return False
        except OSError:
            self.drop()
            return False
        if self._armed:
            self._armed = False
            self._gateway.watch_writing(self, wanted=False)
        self.entry = self._followed = self._draft = None
        if self.close:
            self.drop()
            return False
        self.phase = Phase.READING
        self.since = self._gateway.now
        return True

    def _blocked(self) -> None:
        if not self._armed:
            self._armed = True
            self._gateway.watch_writing(self, wanted=True)

    def _send_body(self) -> bool:
        if self.entry is None and self._followed is None:
            return True
        for _ in range(TURNS):
            if self._offset >= self._end:
                return True
            source = (self.entry.fd, self._end) if self.entry is not None else self._grown()
            if source is None:
                return False
            fd, limit = source
            sent = os.sendfile(self._fd, fd, self._offset, min(limit - self._offset, SEND_BYTES))
            if sent == 0:  # the file is shorter than its size: bit rot or a foreign hand (threat 39)
                self._gateway.damaged(self.entry)
                self.drop()
                return False
            self._offset += sent
            self.since = self._gateway.now
        if self._offset >= self._end:
            return True
        self._gateway.again(self)
        return False

    def _grown(self) -> tuple[int, int] | None:
        """Descriptor and limit of what may be sent of something followed, or None when there is nothing yet."""
        followed = self._followed
        assert followed is not None
        if followed.failed:
            self.drop()  # cut short, so that no client takes it for whole
            return None
        # The end of a range is held back as the end of the object is: nothing unverified is ever complete.
        limit = self._end if followed.complete else min(followed.available, self._end - 1)
        if followed.draft is not self._draft and limit >= self._offset and not self._same_so_far(followed.draft):
            self.drop()
            return None
        if limit <= self._offset:
            followed.watch(self._wake)
            return None
        return followed.draft.fd, limit

    def _same_so_far(self, draft: Draft) -> bool:
        """Whether a draft begun anew starts with what this client was sent already."""
        assert self._draft is not None
        for start in range(0, self._offset, COMPARE_BYTES):
            count = min(COMPARE_BYTES, self._offset - start)
            if os.pread(self._draft.fd, count, start) != os.pread(draft.fd, count, start):
                return False
        self._draft = draft
        return True

    def _wake(self) -> None:
        if self.phase is Phase.SENDING and self._followed is not None and self._flush():
            self._next()

    def go_on(self) -> None:
        """Its turn again, after the others had theirs."""
        if self.phase is Phase.SENDING and self._flush():
            self._next()
