"""HTTP as apt speaks it, over real sockets: in order, kept alive, in parts, conditional (RFC 9110 and 9112)."""

import email.utils
import os
import signal
import socket

import pytest

from tests.gateway.conftest import BY_HASH, HELLO, LARGE, World
from tests.gateway.wire import Wire, request, wait_until

INRELEASE = "dists/stable/InRelease"
ARCHIVE = "http://archive.example/debian"


@pytest.fixture(autouse=True)
def _held(world: World) -> None:
    for path in (HELLO, LARGE):
        assert world.get(path).status == 200


# Many requests on one connection


@pytest.mark.parametrize("count", [10, 1000, 5000])
def test_pipelined_requests_are_all_answered_in_order(world: World, count: int) -> None:
    paths = [HELLO, INRELEASE, "pool/main/nobody_1_amd64.deb", LARGE if count == 10 else HELLO]
    asked = [paths[number % len(paths)] for number in range(count)]
    with world.wire() as wire:
        wire.send(b"".join(request(f"/debian/{path}") for path in asked))
        for path in asked:
            reply = wire.read()
            if path.endswith("nobody_1_amd64.deb"):
                assert reply.status == 404
            else:
                assert reply.status == 200
                assert reply.body == world.body(path)
    world.oracle.check(HELLO, world.body(HELLO))
    world.oracle.check(INRELEASE, world.body(INRELEASE))


def test_requests_that_came_all_at_once_are_answered_to_the_last(world: World) -> None:
    count = 2000
    with world.wire() as wire:
        os.kill(world.gateway.pid, signal.SIGSTOP)  # so that it finds more than it reads in one go
        try:
            wire.send(b"".join(request(f"/debian/{HELLO}", "Range: bytes=0-0") for _ in range(count)))
        finally:
            os.kill(world.gateway.pid, signal.SIGCONT)
        assert [wire.read().body for _ in range(count)] == [world.body(HELLO)[:1]] * count


def test_pipelined_misses_and_hits_keep_their_order(world: World) -> None:
    cold = [f"pool/main/c/cold{number}/cold{number}_1.0_amd64.deb" for number in range(5)]
    asked = [path for pair in zip(cold, [HELLO] * 5, strict=True) for path in pair]
    with world.wire() as wire:
        wire.send(b"".join(request(f"{ARCHIVE}/{path}") for path in asked))
        for path in asked:
            reply = wire.read()
            assert reply.status == 200
            world.oracle.check(path, reply.body)
            assert reply.body == world.body(path)


def test_connection_is_kept_over_answers_of_every_kind(world: World) -> None:
    with world.wire() as wire:
        statuses = [
            wire.ask(f"/debian/{HELLO}").status,
            wire.ask(f"/debian/{HELLO}", method="HEAD").status,
            wire.ask(f"/debian/{HELLO}", "Range: bytes=0-3").status,
            wire.ask(f"/debian/{HELLO}", "Range: bytes=99999999-").status,
            wire.ask(f"/debian/{HELLO}", "If-None-Match: *").status,
            wire.ask("/debian/pool/main/nobody_1_amd64.deb").status,
            wire.ask("http://elsewhere.example/debian/x", "User-Agent: Debian APT-HTTP/1.3 (2.6.1)").status,
            wire.ask(f"/debian/{INRELEASE}").status,
        ]
        assert statuses == [200, 200, 206, 416, 304, 404, 403, 200]
        assert not wire.is_ended()


def test_connection_ends_after_the_answer_that_was_asked_to_be_the_last(world: World) -> None:
    with world.wire() as wire:
        wire.send(request(f"/debian/{HELLO}", "Connection: close") + request(f"/debian/{HELLO}"))
        reply = wire.read()
        assert reply.headers["connection"] == "close"
        assert reply.body == world.body(HELLO)
        assert wire.rest() == b""


@pytest.mark.parametrize("path", [HELLO, LARGE, INRELEASE])
def test_client_of_http_1_0_gets_its_answer_and_the_close(world: World, path: str) -> None:
    with world.wire() as wire:
        reply = wire.ask(f"/debian/{path}", version="1.0")
        world.oracle.check(path, reply.body)
        assert reply.headers["connection"] == "close"
        assert wire.rest() == b""


def test_balancers_check_of_http_1_0_needs_no_host(world: World) -> None:
    for fields in (b"", b"User-Agent: check\r\n"):
        with world.wire() as wire:
            wire.send(f"GET /debian/{INRELEASE} HTTP/1.0\r\n".encode() + fields + b"\r\n")
            reply = wire.read()
            assert reply.status == 200
            world.oracle.check(INRELEASE, reply.body)
            assert wire.rest() == b""


@pytest.mark.parametrize("path", [HELLO, LARGE, "pool/main/c/cold7/cold7_1.0_amd64.deb"])
def test_client_that_says_no_more_gets_its_answer_and_then_the_close(world: World, path: str) -> None:
    with world.wire() as wire:
        wire.send(request(f"/debian/{path}"))
        wire.socket.shutdown(socket.SHUT_WR)
        reply = wire.read()
        world.oracle.check(path, reply.body)
        assert wire.rest() == b""


def test_request_that_comes_byte_by_byte_is_answered(world: World) -> None:
    with world.wire() as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in request(f"/debian/{HELLO}", "Range: bytes=1-4"):
            wire.send(bytes([byte]))
        reply = wire.read()
        assert (reply.status, reply.body) == (206, world.body(HELLO)[1:5])


def test_requests_cut_anywhere_are_answered_as_if_whole(world: World) -> None:
    three = request(f"/debian/{HELLO}", "Range: bytes=0-1") * 3
    for place in range(1, len(three), 7):
        with world.wire() as wire:
            wire.send(three[:place])
            wire.send(three[place:])
            assert [wire.read().body for _ in range(3)] == [world.body(HELLO)[:2]] * 3


def test_head_says_what_get_would_and_sends_no_body(world: World) -> None:
    with world.wire() as wire:
        for path in (HELLO, LARGE, INRELEASE):
            head = wire.ask(f"/debian/{path}", method="HEAD")
            get = wire.ask(f"/debian/{path}")
            changing = {"date", "x-tidegate"}
            assert {k: v for k, v in head.headers.items() if k not in changing} == {
                k: v for k, v in get.headers.items() if k not in changing
            }
            assert int(head.headers["content-length"]) == len(get.body)


# Parts


@pytest.mark.parametrize("path", [HELLO, LARGE])
@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 9), (100, 499), (700, None), (None, 5)])
def test_part_is_the_very_bytes_that_were_asked_for(
    world: World, path: str, first: int | None, last: int | None
) -> None:
    whole = world.body(path)
    text = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    expected = whole[-5:] if first is None else whole[first : None if last is None else last + 1]
    reply = world.get(path, f"Range: {text}")
    assert reply.status == 206
    assert reply.body == expected
    start = len(whole) - 5 if first is None else first
    assert reply.headers["content-range"] == f"bytes {start}-{start + len(expected) - 1}/{len(whole)}"


def test_interrupted_download_goes_on_by_date_as_apt_does_it_and_by_etag(world: World) -> None:
    whole = world.get(LARGE)
    for validator in (whole.headers["last-modified"], whole.headers["etag"]):
        rest = world.get(LARGE, "Range: bytes=1000-", f"If-Range: {validator}")
        assert rest.status == 206
        assert whole.body[:1000] + rest.body == world.body(LARGE)


@pytest.mark.parametrize("validator", ["Thu, 01 Jan 1970 00:00:00 GMT", '"other"', "nonsense"])
def test_download_of_other_bytes_begins_anew(world: World, validator: str) -> None:
    reply = world.get(LARGE, "Range: bytes=1000-", f"If-Range: {validator}")
    assert (reply.status, len(reply.body)) == (200, len(world.body(LARGE)))


def test_range_beyond_the_end_is_416_with_the_size(world: World) -> None:
    size = len(world.body(HELLO))
    reply = world.get(HELLO, f"Range: bytes={size}-")
    assert (reply.status, reply.body) == (416, b"")
    assert reply.headers["content-range"] == f"bytes */{size}"


def test_several_ranges_are_answered_with_the_whole(world: World) -> None:
    many = ",".join(f"{number}-{number}" for number in range(500))
    assert world.get(LARGE, f"Range: bytes={many}").status == 200


# Conditions


@pytest.mark.parametrize("path", [HELLO, INRELEASE])
def test_client_that_has_these_bytes_is_told_so(world: World, path: str) -> None:
    whole = world.get(path)
    for field in (
        f"If-Modified-Since: {whole.headers['last-modified']}",
        f"If-None-Match: {whole.headers['etag']}",
        f"If-None-Match: W/{whole.headers['etag']}",
    ):
        reply = world.get(path, field, "Cache-Control: max-age=0")
        assert (reply.status, reply.body) == (304, b"")
        assert reply.headers["etag"] == whole.headers["etag"]


def test_client_with_a_later_date_of_another_server_gets_the_bytes(world: World) -> None:
    assert world.get(INRELEASE, f"If-Modified-Since: {email.utils.formatdate(usegmt=True)}").status == 200


# What an answer depends on


def test_release_is_dated_as_it_says_itself(world: World) -> None:
    reply = world.get(INRELEASE)
    moment = email.utils.parsedate_to_datetime(reply.headers["last-modified"]).timestamp()
    assert moment == world.archive.release_date()


@pytest.mark.parametrize(
    "fields",
    [
        ("Host: elsewhere.example",),
        ("Host: 127.0.0.1:1",),
        ("Host: archive.example", "X-Forwarded-Host: evil.example", "X-Original-URL: /etc/passwd"),
        ("Cache-Control: no-store", "Pragma: no-cache", "Accept-Encoding: gzip", "Accept: text/html"),
        ("Via: 1.1 other", "Authorization: Basic eDp5", "Cookie: a=b"),
    ],
)
def test_no_header_changes_what_a_name_means(world: World, fields: tuple[str, ...]) -> None:
    for path in (HELLO, INRELEASE):
        plain, other, after = world.get(path), world.get(path, *fields), world.get(path)
        assert plain.body == other.body == after.body
        assert plain.headers["etag"] == other.headers["etag"] == after.headers["etag"]


def test_name_with_a_query_is_no_name_at_all(world: World) -> None:
    assert world.get(f"{HELLO}?x=y").status == 400
    assert world.get(HELLO).body == world.body(HELLO)


def test_all_ways_in_give_the_same_bytes(world: World) -> None:
    source = world.server.url.removeprefix("http://")
    ways = [f"/debian/{HELLO}", f"{ARCHIVE}/{HELLO}", f"/archive.example/debian/{HELLO}", f"/{source}/{HELLO}"]
    ways += [f"{world.server.url}/{HELLO}", f"http://ARCHIVE.example:80/debian/{HELLO}"]
    with world.wire() as wire:
        replies = [wire.ask(way) for way in ways]
    world.oracle.check(HELLO, replies[0].body)
    assert {reply.body for reply in replies} == {world.body(HELLO)}
    assert len({reply.headers["last-modified"] for reply in replies}) == 1


def test_by_hash_name_gives_its_digest_or_nothing(world: World) -> None:
    right = world.archive.by_hash_path("dists/stable/main/binary-amd64/Packages.xz")
    assert world.get(right).status == 200
    wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
    before = len(world.server.asked())
    assert world.get(wrong).status == 404
    assert world.get(f"{BY_HASH}{'0' * 63}").status in (400, 404)
    assert len(world.server.asked()) == before, "nothing is fetched for a digest that no Release lists"


def test_name_with_escapes_is_the_name_without(world: World) -> None:
    plain = "pool/main/libg/libgreet1/libgreet1_1.0+ds-1~sim1_amd64.deb"
    assert world.get(plain).body == world.body(plain)
    with world.wire() as wire:
        escaped = wire.ask(f"/debian/{plain.replace('+', '%2b').replace('~', '%7e')}")
    assert escaped.body == world.body(plain)


def test_hit_never_asks_the_source(world: World) -> None:
    before = len(world.server.asked())
    for _ in range(3):
        for path in (HELLO, LARGE, INRELEASE):
            assert world.get(path, "Cache-Control: max-age=0", "Pragma: no-cache").how == "hit"
    assert len(world.server.asked()) == before


def test_answers_say_how_they_were_come_by(world: World) -> None:
    path = "pool/main/c/cold9/cold9_1.0_amd64.deb"
    assert world.get(path).how in ("wait", "stream")
    assert world.get(path).how == "hit"
    reply = world.get("pool/main/n/nobody/nobody_1_amd64.deb")
    assert reply.how == "refused"
    assert reply.reason in reply.headers["x-tidegate"]
    assert reply.reason in reply.body.decode()


def test_unlisted_file_passes_through_and_says_so(world: World) -> None:
    world.archive.replace("README", b"read me\n")
    with world.wire() as wire:
        reply = wire.ask("/debian/README")
        assert (reply.status, reply.body, reply.how) == (200, b"read me\n", "pass")
        world.archive.replace("README", b"changed\n")
        assert wire.ask("/debian/README").body == b"changed\n", "it is kept nowhere"


def test_package_is_no_longer_served_as_damaged_once_it_is_found_out(world: World) -> None:
    path = "pool/main/c/cold11/cold11_1.0_amd64.deb"
    etag = world.get(path).headers["etag"].strip('"')
    blob = world.gateway.state / "cache/blobs" / etag[:2] / etag[2:]
    wait_until(blob.exists)  # the answer is out when the bytes are right, the blob is there when they are durable
    blob.write_bytes(blob.read_bytes()[:100])
    world.gateway.restart()
    reply = world.get(path)
    assert reply.status == 200  # `get` holds its bytes to what is signed; scrubbing may have fetched it again already
    assert reply.how in ("wait", "stream", "hit")
    wait_until(lambda: blob.stat().st_size == len(reply.body))


def test_clients_come_and_go_without_a_trace(world: World) -> None:
    wires = [Wire(world.gateway.port) for _ in range(50)]
    for wire in wires:
        wire.send(request(f"/debian/{LARGE}")[:40])
        wire.close()
    wait_until(lambda: world.gateway.status()["traffic"]["connections"] == 0)
