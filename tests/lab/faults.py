"""Everything that goes wrong at a source, by name, each to be switched on and off while it runs.

A fault is told nothing of who asks: it changes one source (or its name, or its certificate) and hands back what
undoes it. `flapping` makes any of them come and go.
"""

import lzma
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Literal

from tests.lab.stage import LabSource, Scheme
from tests.simulator import faults as wire
from tests.simulator.flapping import Flapping, Undo
from tests.simulator.server import Where

Group = Literal["connection", "answer", "body", "archive", "names", "TLS", "flapping"]

CUT_AT_BYTES = 1_000  # below the smallest file of the archive that matters, so that every body is struck
ENDLESS_BYTES_S = 2_000_000
HANDSHAKE_DELAY_S = 20.0
RETRY_AFTER_S = 60
FLAP_S = 2.0
INDEX_BOMB_BYTES = 256 << 20
INDEX_BOMB_STREAM_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to fail. `switch_on` strikes one source and returns what heals it."""

    name: str
    group: Group
    switch_on: Callable[[LabSource], Undo]
    scheme: Scheme = "http"
    needs_room: bool = False  # names and addresses of its own
    needs_history: bool = False  # only who has seen the archive before can tell


def answering(fault: wire.Fault, where: Where = None) -> Callable[[LabSource], Undo]:
    """A fault of the answers to these paths."""

    def switch_on(source: LabSource) -> Undo:
        active = source.server.fault(fault, where)
        return lambda: source.server.heal(active)

    return switch_on


def showing(tree: str) -> Callable[[LabSource], Undo]:
    """Another tree of the archive than the honest one."""

    def switch_on(source: LabSource) -> Undo:
        source.server.root = source.trees.before if tree == "before" else source.trees.broken[tree]

        def undo() -> None:
            source.server.root = source.trees.honest

        return undo

    return switch_on


def flapping(fault: Fault, *, on_s: float = FLAP_S, off_s: float = FLAP_S) -> Fault:
    """The same by turns, beginning with on."""

    def switch_on(source: LabSource) -> Undo:
        return Flapping(partial(fault.switch_on, source), on_s=on_s, off_s=off_s).close

    name = f"flapping ({on_s:g} s on, {off_s:g} s off): {fault.name}"
    return Fault(name, "flapping", switch_on, fault.scheme, fault.needs_room, fault.needs_history)


def _refused(source: LabSource) -> Undo:
    source.server.refuse()
    return source.server.accept


def _blackholed(source: LabSource) -> Undo:
    source.server.blackhole()
    return source.server.accept


def _slow_handshake(source: LabSource) -> Undo:
    source.server.handshake_delay_s = HANDSHAKE_DELAY_S
    source.server.drop_connections()

    def undo() -> None:
        source.server.handshake_delay_s = 0.0

    return undo


def _expired_certificate(source: LabSource) -> Undo:
    authority = source.authority
    assert authority is not None
    source.server.speak_tls(authority.expired_context())
    source.server.drop_connections()
    return lambda: source.server.speak_tls(authority.server_context())


def _without_name(source: LabSource) -> Undo:
    assert source.resolver is not None
    source.resolver.absent.add(source.place.name)
    return partial(source.resolver.absent.discard, source.place.name)


def _without_resolver(source: LabSource) -> Undo:
    assert source.resolver is not None
    source.resolver.silent.add(source.place.name)
    return partial(source.resolver.silent.discard, source.place.name)


def _redirected(source: LabSource) -> Undo:
    return answering(wire.Redirect(f"{source.inside}{{target}}"))(source)


def _downgraded(source: LabSource) -> Undo:
    return answering(wire.Redirect(f"http://{source.place.name}{{target}}"))(source)


@cache
def _bomb() -> bytes:
    """Many small streams, one after the other (xz(1) reads them as one file): made in no time."""
    return lzma.compress(bytes(INDEX_BOMB_STREAM_BYTES), preset=1) * (INDEX_BOMB_BYTES // INDEX_BOMB_STREAM_BYTES)


def _bombed(source: LabSource) -> Undo:
    return answering(wire.Substitute(_bomb()), lambda path: "/binary-" in path)(source)


REFUSED = Fault("connection refused", "connection", _refused)
BLACKHOLED = Fault("blackholed: SYN dropped", "connection", _blackholed)
SILENT = Fault("accepted, then silent", "connection", answering(wire.Silence()))
RESET_IN_HEAD = Fault("reset in the head", "connection", answering(wire.ResetInHead()))
RESET_IN_BODY = Fault("reset in mid-body", "connection", answering(wire.ResetInBody(CUT_AT_BYTES)))
TRICKLE = Fault("trickle, 1 kB/s", "body", answering(wire.Trickle(1_000)))
CORRUPT = Fault("corrupt byte", "body", answering(wire.CorruptByte(at=300)))
UNAVAILABLE = Fault("503", "answer", answering(wire.Status(503)))
HTML = Fault("a page of HTML with 200", "answer", answering(wire.HtmlPage()))
TORN = Fault("torn: newest Release over old indices", "archive", showing("torn"))
UNSIGNED = Fault("unsigned", "archive", showing("unsigned"))
STALE = Fault("stale", "archive", showing("before"))

TABLE: tuple[Fault, ...] = (
    REFUSED,
    BLACKHOLED,
    SILENT,
    Fault("name does not resolve", "names", _without_name, needs_room=True),
    Fault("name server silent", "names", _without_resolver, needs_room=True),
    RESET_IN_HEAD,
    RESET_IN_BODY,
    Fault("trickle, 1 B/s", "body", answering(wire.Trickle(1))),
    TRICKLE,
    Fault("cut short, length as cut", "body", answering(wire.Truncate(CUT_AT_BYTES, honest=True))),
    Fault("cut short, whole length promised", "body", answering(wire.Truncate(CUT_AT_BYTES))),
    CORRUPT,
    Fault("one byte too long", "body", answering(wire.Longer(1))),
    Fault("endless body", "body", answering(wire.EndlessBody(bytes_per_s=ENDLESS_BYTES_S))),
    Fault("404", "answer", answering(wire.Status(404))),
    Fault("403", "answer", answering(wire.Status(403))),
    Fault("429", "answer", answering(wire.Status(429))),
    Fault("429 with Retry-After", "answer", answering(wire.Status(429, retry_after=str(RETRY_AFTER_S)))),
    Fault("500", "answer", answering(wire.Status(500))),
    UNAVAILABLE,
    Fault("503 with Retry-After", "answer", answering(wire.Status(503, retry_after=str(RETRY_AFTER_S)))),
    HTML,
    Fault("redirect loop", "answer", answering(wire.RedirectLoop())),
    Fault("redirect to a private address", "answer", _redirected, needs_room=True),
    Fault("redirect from https to http", "TLS", _downgraded, scheme="https", needs_room=True),
    Fault("slow TLS handshake", "TLS", _slow_handshake, scheme="https", needs_room=True),
    Fault("expired certificate", "TLS", _expired_certificate, scheme="https", needs_room=True),
    STALE,
    Fault("older than accepted", "archive", showing("before"), needs_history=True),
    TORN,
    Fault("Date in the future", "archive", showing("future")),
    Fault("Valid-Until has passed", "archive", showing("expired")),
    UNSIGNED,
    Fault("signed by an unknown key", "archive", showing("unknown key")),
    Fault("signed by an expired key", "archive", showing("expired key")),
    Fault("a bad signature beside a good one", "archive", showing("bad second signature")),
    Fault("bomb in place of an index", "archive", _bombed),
    Fault("bomb as a signed index", "archive", showing("signed bomb")),
    flapping(REFUSED),
    flapping(SILENT),
    flapping(TRICKLE),
    flapping(CORRUPT),
    flapping(UNAVAILABLE),
    flapping(STALE),
)
