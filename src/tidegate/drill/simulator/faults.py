"""What can go wrong between a source and whoever asks it, as values. `SourceServer` plays them."""

import threading
from dataclasses import dataclass, field

HTML = b"<html><head><title>Welcome</title></head><body>Please log in to the network.</body></html>\n"


@dataclass(frozen=True, slots=True)
class Silence:
    """The request is read and never answered; the connection stays open until the server closes."""


@dataclass(frozen=True, slots=True)
class ResetInHead:
    """The connection is reset after this many bytes of the answer's head."""

    after_bytes: int = 12


@dataclass(frozen=True, slots=True)
class ResetInBody:
    """The connection is reset after this many bytes of the body."""

    after_bytes: int


@dataclass(frozen=True, slots=True)
class Trickle:
    """The body comes this slowly. Head at once."""

    bytes_per_s: int


@dataclass(frozen=True, slots=True)
class Truncate:
    """Only this much of the body comes, then an orderly close.

    `honest` states the shorter length in Content-Length; else the head promises the whole.
    """

    after_bytes: int
    honest: bool = False


@dataclass(frozen=True, slots=True)
class CorruptByte:
    """The byte at this place of the file (not of the range) is another; size as it should be."""

    at: int


@dataclass(frozen=True, slots=True)
class EndlessBody:
    """After the file's bytes come zeros without end, until the client goes.

    `declared` promises the true Content-Length all the same and sends on beyond it; else no length is given.
    `bytes_per_s` bounds the zeros, for clients that would take them until a disk is full.
    """

    declared: bool = False
    bytes_per_s: int | None = None


@dataclass(frozen=True, slots=True)
class Longer:
    """The file with so many zeros after it, all of it honestly declared."""

    by_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Status:
    """An answer with this status and a short body."""

    code: int
    reason: str = ""
    retry_after: str = ""
    body: bytes = b"simulated\n"


@dataclass(frozen=True, slots=True)
class HtmlPage:
    """A captive portal: 200 and a page, whatever was asked for."""

    body: bytes = HTML


@dataclass(frozen=True, slots=True)
class Redirect:
    """To another place; `{target}` in it stands for the request's own path."""

    to: str
    code: int = 302


@dataclass(frozen=True, slots=True)
class RedirectLoop:
    """Each answer redirects to the same path with one more query."""

    code: int = 302


@dataclass(frozen=True, slots=True)
class Substitute:
    """200 with other bytes: a split view, a poisoned mirror."""

    body: bytes


@dataclass(frozen=True, slots=True)
class ShiftedRange:
    """A range request is answered 206 with bytes that begin elsewhere than Content-Range says."""

    by_bytes: int = 1


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """These bytes, exactly, instead of an answer; then close. For hostile heads."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ExtraHeaders:
    """The true answer with these header lines added."""

    headers: tuple[tuple[str, str], ...]


@dataclass(slots=True, eq=False)
class Hold:
    """The body stalls after this many bytes until `release`.

    `after_bytes=None` stalls before the head. For deterministic tests of streaming and of single flight:
    `server.wait_for(lambda: gate.held == 1)`, look, `gate.release()`.
    """

    after_bytes: int | None = 0
    held: int = 0  # answers that wait here now
    opened: threading.Event = field(default_factory=threading.Event)

    def release(self) -> None:
        """Let all that wait, and all that come, pass."""
        self.opened.set()


Fault = (
    Silence
    | ResetInHead
    | ResetInBody
    | Trickle
    | Truncate
    | CorruptByte
    | EndlessBody
    | Longer
    | Status
    | HtmlPage
    | Redirect
    | RedirectLoop
    | Substitute
    | ShiftedRange
    | RawAnswer
    | ExtraHeaders
    | Hold
)
