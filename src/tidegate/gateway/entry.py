"""Open blobs at hand: a descriptor and a ready-made head, so that a hit is two system calls."""

import os
import threading
from queue import SimpleQueue

from tidegate.gateway.answer import Form, content_type, http_date
from tidegate.gateway.usage import Usage, Where

BODY_KEPT_BYTES_MAX = 16_384
REQUEST_KEPT_BYTES_MAX = 1_024
SLOW_CLOSE_BYTES = 64 << 20
PLACES_PER_ENTRY_MAX = 4
"""One blob may be listed by several archives and under several paths; hardly any is by more."""
IDLE, NOTED, USED = range(3)
"""What an entry was used for since the shelf last made room: nothing, something that was noted, something new."""


class _Closer:
    """Closes large files in a thread: the last descriptor of a deleted 500 MB file takes over 100 ms to close.

    The thread is begun before there is anything to close: an interpreter that ends closes what is still open, and would
    wait for ever for a thread that begins then.
    """

    def __init__(self) -> None:
        self._descriptors: SimpleQueue[int] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="closer", daemon=True)
            self._thread.start()

    def close(self, fd: int) -> None:
        self._descriptors.put(fd)

    def _run(self) -> None:
        while True:
            os.close(self._descriptors.get())


_CLOSER = _Closer()


class Entry:
    """A held blob, open. Its descriptor closes with its last user, whether the shelf or a connection."""

    __slots__ = ("body", "date", "fd", "form", "full", "head_1", "head_2", "named", "places", "size", "used")

    def __init__(self, fd: int, form: Form, *, keep_body: bool) -> None:
        """Takes the descriptor over. `keep_body`: small bytes may stay in memory, to go out with their head."""
        self.fd = fd
        self.form = form
        self.size = form.size
        self.used = USED
        self.places: tuple[Where, ...] = ()
        """Where it was asked for as an artifact."""
        self.named = os.fstat(fd).st_nlink > 0
        """False for what a full disk could not take, and is in memory only."""
        self.date = b""
        self.full = b""
        self.head_1 = b"HTTP/1.1 200 OK\r\nDate: "
        self.head_2 = (
            f"\r\nContent-Type: {form.content_type}\r\nContent-Length: {form.size}"
            f"\r\nLast-Modified: {form.last_modified}\r\nETag: {form.etag}"
            "\r\nAccept-Ranges: bytes\r\nX-Tidegate: hit\r\n\r\n"
        ).encode()
        if self.size >= SLOW_CLOSE_BYTES:
            _CLOSER.begin()
        self.body = keep_body and form.size <= BODY_KEPT_BYTES_MAX
        if self.body:
            self.head_2 += os.pread(fd, form.size, 0)

    @property
    def was_removed(self) -> bool:
        """Whether only we still have these bytes: whoever keeps house removed them, and waits for their room."""
        return self.named and os.fstat(self.fd).st_nlink == 0

    def asked_at(self, place: Where) -> None:
        """A client asked for this blob as the artifact at this place."""
        if place not in self.places and len(self.places) < PLACES_PER_ENTRY_MAX:
            self.places = (*self.places, place)

    def at(self, date: bytes) -> bytes:
        """The head of a full answer at this second; with the body behind it, where that is kept."""
        if self.date is not date:
            self.full = self.head_1 + date + self.head_2
            self.date = date
        return self.full

    def __del__(self) -> None:
        if self.size >= SLOW_CLOSE_BYTES:
            _CLOSER.close(self.fd)
        else:
            os.close(self.fd)


def form_of(path: str, digest: bytes, size: int, date: int) -> Form:
    """The representation of a listed artifact."""
    return Form(size, f'"{digest.hex()}"', http_date(date), content_type(path))


class Shelf:
    """A bounded set of entries, by what they are and by what was asked. Second chance: what was used since stays."""

    def __init__(self, *, entries_max: int, body_bytes_max: int) -> None:
        self.by_request: dict[bytes, tuple[Entry, bytes]] = {}
        """Plain requests answered before, to their entry and request line: clients repeat themselves and each other."""
        self._requests_of: dict[Entry, set[bytes]] = {}
        """The same the other way round, so that dropping an entry costs no look at what is remembered of the others."""
        self._by_form: dict[tuple[str, str], Entry] = {}
        self.usage = Usage()
        self._entries_max = entries_max
        self._body_bytes_max = body_bytes_max
        self._body_bytes = 0

    def entry(self, form: Form) -> Entry | None:
        """The open blob of this form, if it is at hand."""
        entry = self._by_form.get((form.etag, form.last_modified))
        if entry is not None:
            entry.used = USED
        return entry

    def put(self, fd: int, form: Form) -> Entry:
        """Shelve an open blob; takes the descriptor over."""
        while len(self._by_form) >= self._entries_max:
            self._evict()
        keep_body = self._body_bytes + form.size <= self._body_bytes_max
        entry = self._by_form[form.etag, form.last_modified] = Entry(fd, form, keep_body=keep_body)
        if entry.body:
            self._body_bytes += entry.size
        return entry

    def remember(self, request: bytes, entry: Entry, line: bytes) -> None:
        """Answer this very request, byte for byte, with this entry, until `forget_requests` or eviction.

        One longer than REQUEST_KEPT_BYTES_MAX is not remembered: no apt writes such, and they would fill the memory.
        """
        if len(request) > REQUEST_KEPT_BYTES_MAX:
            return
        if request in self.by_request:
            self._forget_request(request)
        while len(self.by_request) >= 2 * self._entries_max:
            self._forget_request(next(iter(self.by_request)))
        self.by_request[request] = (entry, line)
        self._requests_of.setdefault(entry, set()).add(request)

    def forget_requests(self) -> None:
        """After an adoption a path may mean something else; open blobs stay at hand."""
        self.by_request.clear()
        self._requests_of.clear()

    def used(self) -> tuple[Where, ...]:
        """Where artifacts were asked for since this was last called; lets go of what was removed and is not used."""
        removed = [entry for entry in self._by_form.values() if entry.used != USED and entry.was_removed]
        for entry in self._by_form.values():
            self._note(entry)
        for entry in removed:
            self.forget(entry)
        return self.usage.take()

    def _note(self, entry: Entry) -> None:
        if entry.used == USED:
            entry.used = NOTED
            self.usage.add(entry.places)

    def forget(self, entry: Entry) -> None:
        """Take one entry off the shelf, unless it is gone already and another stands in its place."""
        key = (entry.form.etag, entry.form.last_modified)
        if self._by_form.get(key) is entry:
            del self._by_form[key]
            self._dropped(entry)

    def _evict(self) -> None:
        for _ in range(len(self._by_form)):
            key = next(iter(self._by_form))
            entry = self._by_form.pop(key)
            if entry.used == IDLE:
                break
            self._note(entry)
            entry.used = IDLE
            self._by_form[key] = entry
        else:
            entry = self._by_form.pop(next(iter(self._by_form)))
        self._dropped(entry)

    def _dropped(self, entry: Entry) -> None:
        self._note(entry)
        if entry.body:
            self._body_bytes -= entry.size
        for request in self._requests_of.pop(entry, ()):
            del self.by_request[request]

    def _forget_request(self, request: bytes) -> None:
        entry, _ = self.by_request.pop(request)
        requests = self._requests_of[entry]
        requests.remove(request)
        if not requests:
            del self._requests_of[entry]
