"""Requests of an attacker: refused, reflected nowhere, and no harm to the next client (threats 19 to 28, and 42)."""

import contextlib
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.gateway.conftest import HELLO, World
from tests.gateway.wire import CutShortError, request, wait_until

GATEWAY_SETTINGS = "[gateway]\naccess_log = true\nheader_timeout_s = 2.0\n"
GOOD = request(f"/debian/{HELLO}")
GET = f"GET /debian/{HELLO} HTTP/1.1\r\n".encode()
HOST = b"Host: gateway.example\r\n"
SMUGGLED = b"GET /debian/dists/stable/InRelease HTTP/1.1\r\nHost: x\r\n\r\n"

TWO_WAYS = {
    "a body by transfer encoding": GET + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "both framings": GET + HOST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + SMUGGLED,
    "an odd transfer encoding": GET + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + SMUGGLED,
    "a transfer encoding behind a tab": GET + HOST + b"Transfer-Encoding:\tchunked\r\n\r\n" + SMUGGLED,
    "a body by length": GET + HOST + b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED,
    "two lengths": GET + HOST + b"Content-Length: 0\r\nContent-Length: 5\r\n\r\n" + SMUGGLED,
    "a negative length": GET + HOST + b"Content-Length: -1\r\n\r\n" + SMUGGLED,
    "a folded field": GET + HOST + b"Accept: a\r\n b\r\n\r\n" + SMUGGLED,
    "a blank before the colon": GET + HOST + b"Transfer-Encoding : chunked\r\n\r\n" + SMUGGLED,
    "a bare line feed between fields": GET + HOST + b"Accept: a\nTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "a bare line feed behind the request line": GET.rstrip() + b"\n" + HOST + b"\r\n\r\n" + SMUGGLED,
    "bare line feeds throughout": GET.replace(b"\r", b"") + HOST.replace(b"\r", b"") + b"\n" + SMUGGLED,
    "a bare carriage return": GET + HOST + b"Accept: a\rTransfer-Encoding: chunked\r\n\r\n" + SMUGGLED,
    "two hosts": GET + HOST + b"Host: archive.example\r\n\r\n" + SMUGGLED,
    "no host": GET + b"Accept: a\r\n\r\n" + SMUGGLED,
    "NUL in a value": GET + HOST + b"Accept: a\0b\r\n\r\n" + SMUGGLED,
    "NUL in the target": b"GET /debian/\0 HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "a field without a name": GET + HOST + b": chunked\r\n\r\n" + SMUGGLED,
    "an empty line before the request": b"\r\n" + GOOD + SMUGGLED,
    "four parts in the request line": b"GET /debian/x y HTTP/1.1\r\n" + HOST + b"\r\n" + SMUGGLED,
    "another version": b"GET / HTTP/2.0\r\n" + HOST + b"\r\n" + SMUGGLED,
    "no version": b"GET /\r\n\r\n" + SMUGGLED,
    "HTTP/2's preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS's greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64) + b"\r\n\r\n" + SMUGGLED,
}


@pytest.fixture(autouse=True)
def _unharmed(world: World) -> None:
    """Whatever the test before did, the next client gets its bytes."""
    assert world.get(HELLO).body == world.body(HELLO)


@pytest.mark.parametrize("data", TWO_WAYS.values(), ids=TWO_WAYS.keys())
def test_request_that_two_readers_take_two_ways_is_400_and_the_end(world: World, data: bytes) -> None:
    with world.wire() as wire:
        wire.send(data)
        reply = wire.read()
        assert (reply.status, reply.reason) == (400, "Bad Request")
        assert reply.headers["connection"] == "close"
        assert wire.rest() == b"", "nothing behind it is answered"


def test_bad_request_behind_a_good_one_does_not_spoil_its_answer(world: World) -> None:
    with world.wire() as wire:
        wire.send(GOOD + TWO_WAYS["both framings"])
        good = wire.read()
        assert good.body == world.body(HELLO)
        assert wire.read().status == 400
        assert wire.rest() == b""


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "G", "PROPFIND", '"'])
def test_other_method_is_405_and_the_end(world: World, method: str) -> None:
    with world.wire() as wire:
        wire.send(request(f"/debian/{HELLO}", method=method) + SMUGGLED)
        reply = wire.read()
        assert reply.status == 405
        assert wire.rest() == b""


def test_head_of_any_length_is_taken_up_to_the_bound_and_not_beyond(world: World) -> None:
    with world.wire() as wire:
        assert wire.ask(f"/debian/{HELLO}", "X-Long: " + "a" * 15_000).status == 200
        wire.send(request(f"/debian/{HELLO}", "X-Long: " + "a" * 17_000))
        assert wire.read().status == 431
        assert wire.rest() == b""


def test_head_without_end_is_cut_off(world: World) -> None:
    with world.wire() as wire:
        wire.send(GET + HOST)
        # Where the gateway closes before it has read all, the answer may be lost on the way; the end is not.
        with contextlib.suppress(ConnectionError):
            for number in range(10_000):
                wire.send(b"X-%d: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" % number)
            pytest.fail("nobody stopped it")
        with contextlib.suppress(CutShortError):
            assert wire.read().status == 431


TRAVERSALS = [
    *("/debian/../../../etc/passwd", "/debian/pool/../../etc/passwd", "/debian/./../x", "/debian/pool/.."),
    *("/debian/%2e%2e/%2e%2e/etc/passwd", "/debian/%2E%2E/x", "/debian/.%2e/x", "/debian/%252e%252e/x"),
    *("/debian/pool%2fmain/x", "/debian/pool%5c..%5cx", "/debian/pool//main/x", "/debian/pool/%00"),
    *("/debian/%c0%ae%c0%ae/x", "/debian/%ff", "/debian/%", "/debian/%2", "/debian/%zz"),
    *("http://archive.example/debian/../x", "/archive.example/debian/%2e%2e/x", "/HTTPS///archive.example/../x"),
    "/debian/" + "a" * 3000,
    "/debian/" + "a/" * 2000,
    "/debian/" + "b" * 300,
]


@pytest.mark.parametrize("target", TRAVERSALS, ids=range(len(TRAVERSALS)))
def test_path_that_leads_out_or_has_two_spellings_is_400_and_never_asked_for(world: World, target: str) -> None:
    before = len(world.server.asked())
    with world.wire() as wire:
        reply = wire.ask(target)
    assert reply.status in (400, 403)
    assert b"root:" not in reply.body
    assert len(world.server.asked()) == before


SPLITS = [
    "%0d%0aSet-Cookie:%20a=b",
    "%0d%0a%0d%0a<html>",
    "%0aX:1",
    "%E5%98%8A%E5%98%8DX:1",
    "%u000d%u000a",
    "%22%3e%3cscript%3e",
]


@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize(
    "where",
    [
        *("/{}", "/debian/{}", "/debian/{}/x", "/debian/dists/{}/InRelease", "/debian/dists/stable/{}"),
        *("http://{}/debian/x", "http://archive.example/{}", "/HTTPS///{}/x", "/debian/pool/main/{}.deb"),
    ],
)
def test_url_cannot_split_an_answer(world: World, where: str, split: str) -> None:
    with world.wire() as wire:
        reply = wire.ask(where.format(split), "User-Agent: Debian APT-HTTP/1.3 (2.6.1)")
        assert 400 <= reply.status < 500
        allowed = {"date", "content-type", "content-length", "x-tidegate", "connection", "retry-after"}
        assert set(reply.headers) <= allowed
        assert reply.headers["content-type"].startswith("text/plain")
        assert b"<" not in reply.body


@pytest.mark.parametrize(
    "target", ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.1:22/", "http://[::1]/"]
)
def test_it_is_no_open_proxy(world: World, target: str) -> None:
    with world.wire() as wire:
        reply = wire.ask(target)
        assert reply.status == 403
        assert "not a source of any archive" in reply.reason


def test_answer_to_the_proxys_form_does_not_depend_on_the_host_beside_it(world: World) -> None:
    with world.wire() as wire:
        ours = wire.ask(f"http://archive.example/debian/{HELLO}", "Host: evil.example")
        theirs = wire.ask(f"http://evil.example/debian/{HELLO}", "Host: archive.example")
    assert ours.body == world.body(HELLO)
    assert theirs.status == 403


def test_names_that_no_index_lists_ask_nothing_of_the_source(world: World) -> None:
    with world.wire() as wire:
        assert wire.ask("/debian/pool/main/n/no/no_1_amd64.deb").status == 404
        before = len(world.server.asked())
        for number in range(200):
            assert wire.ask(f"/debian/pool/main/n/no/no{number}_1_amd64.deb").status == 404
            assert wire.ask(f"/debian/dists/stable/main/binary-amd64/Packages.{number}").status == 404
    assert len(world.server.asked()) == before


mutations = st.lists(
    st.tuples(
        st.integers(0, len(GOOD) - 1),
        st.sampled_from([b"", b"\0", b"\r", b"\n", b"\r\n", b" ", b":", b"\x1b[31m", b"%", b"/", b"\xff", b"HTTP/1.1"]),
    ),
    min_size=1,
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mutations)
def test_any_bytes_get_whole_answers_or_the_end(world: World, mutations: list[tuple[int, bytes]]) -> None:
    data = GOOD
    for place, piece in mutations:
        data = data[:place] + piece + data[place + 1 :]
    with world.wire() as wire:
        wire.send(data + b"\r\n\r\n" + GOOD)
        reply = wire.read()
        while reply.status == 200 and reply.headers.get("connection") != "close":
            assert reply.body == world.body(HELLO)
            if len(wire.buffer) == 0 and reply.status == 200:
                break
            reply = wire.read()
        assert reply.status in (200, 206, 304, 400, 403, 404, 405, 431)


def test_whatever_came_the_log_is_json_of_visible_characters(world: World) -> None:
    with world.wire() as wire:
        wire.send(b"GET /\x1b]0;owned\x07 HTTP/1.1\r\nHost: \x1b[31m\r\n\r\n")
        assert wire.read().status == 400
    with world.wire() as wire:
        assert wire.ask("/debian/%1b%5b31m/x", "User-Agent: \x1b[31m").status == 400
    with world.wire() as wire:
        assert wire.ask('http://"/x').status == 400
    with world.wire() as wire:
        wire.ask("/debian/the-last-one")
    wait_until(lambda: "/debian/the-last-one" in world.gateway.log)
    log = (world.gateway.root / "gateway.log").read_bytes()
    assert not any((byte < 0x20 and byte != 0x0A) or byte == 0x7F for byte in log)
    lines = [json.loads(line) for line in log.decode().splitlines()]
    answered = [line for line in lines if line["event"] == "answered"]
    assert answered
    assert {line["client"] for line in answered} == {"127.0.0.1"}
