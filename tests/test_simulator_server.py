"""Each fault of the simulated source does what it says. Looked at through bare sockets."""

import contextlib
import email.utils
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.simulator import faults
from tests.simulator.answer import Style
from tests.simulator.archive import SimulatedArchive
from tests.simulator.flapping import Flapping
from tests.simulator.server import SourceServer
from tests.simulator.tls import Authority

TIMEOUT_S = 10.0
KNOCK_S = 0.2
BODY = bytes(range(256)) * 400  # 102,400 bytes
MOMENT = 1_700_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SourceServer]:
    root = tmp_path / "tree"
    root.mkdir()
    (root / "body").write_bytes(BODY)
    (root / "other").write_bytes(b"other\n")
    os.utime(root / "body", (MOMENT, MOMENT))
    with SourceServer(root, prefix="/d") as made:
        yield made


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back, as far as it came: `end` is "close", "reset" or "silence" where nothing bounded it."""

    head: str
    body: bytes
    end: str = ""

    @property
    def status(self) -> int:
        return int(self.head.split(" ")[1])

    def header(self, name: str) -> str | None:
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None


@contextlib.contextmanager
def connected(server: SourceServer, timeout_s: float = TIMEOUT_S) -> Iterator[socket.socket]:
    with socket.create_connection((server.host, server.port), timeout_s) as connection:
        yield connection


def ask(connection: socket.socket, target: str = "/d/body", *headers: str, method: str = "GET") -> None:
    lines = [f"{method} {target} HTTP/1.1", "Host: source.example", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())


def drain(connection: socket.socket, limit: int = 1 << 20) -> Seen:
    """Read until the end, whatever the end is."""
    data, end = b"", "limit"
    while len(data) < limit:
        try:
            block = connection.recv(65_536)
        except ConnectionResetError:
            end = "reset"
            break
        except TimeoutError:
            end = "silence"
            break
        if not block:
            end = "close"
            break
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    return Seen(head.decode(), body, end)


def once(server: SourceServer, target: str = "/d/body", *headers: str, method: str = "GET") -> Seen:
    with connected(server) as connection:
        ask(connection, target, "Connection: close", *headers, method=method)
        return drain(connection)


def test_a_file_is_served_whole_with_length_and_date(server: SourceServer) -> None:
    seen = once(server)
    assert (seen.status, seen.body, seen.end) == (200, BODY, "close")
    assert seen.header("Content-Length") == str(len(BODY))
    assert seen.header("Last-Modified") == email.utils.formatdate(MOMENT, usegmt=True)


def test_every_request_is_recorded_with_what_was_sent(server: SourceServer) -> None:
    once(server, "/d/body", "Range: bytes=10-19")
    server.wait_for(lambda: server.requests[-1].done)
    (request,) = server.asked("body")
    assert (request.method, request.target, request.range) == ("GET", "/d/body", "bytes=10-19")
    assert (request.status, request.sent_bytes) == (206, 10)


def test_one_connection_carries_pipelined_requests_in_order(server: SourceServer) -> None:
    with connected(server) as connection:
        connection.sendall(b"GET /d/other HTTP/1.1\r\n\r\nGET /d/body HTTP/1.1\r\nConnection: close\r\n\r\n")
        seen = drain(connection)
    assert seen.body.startswith(b"other\nHTTP/1.1 200 OK\r\n")
    assert seen.body.endswith(BODY)
    assert server.accepted_connections == 1


@pytest.mark.parametrize(
    ("wanted", "first", "last"),
    [("bytes=0-0", 0, 0), ("bytes=5-9", 5, 9), ("bytes=102000-", 102_000, 102_399), ("bytes=-7", 102_393, 102_399)],
)
def test_a_range_is_answered_with_that_part(server: SourceServer, wanted: str, first: int, last: int) -> None:
    seen = once(server, "/d/body", f"Range: {wanted}")
    assert (seen.status, seen.body) == (206, BODY[first : last + 1])
    assert seen.header("Content-Range") == f"bytes {first}-{last}/{len(BODY)}"


def test_a_range_beyond_the_end_is_not_satisfiable(server: SourceServer) -> None:
    assert once(server, "/d/body", "Range: bytes=102400-").status == 416


def test_if_range_with_another_date_gets_the_whole(server: SourceServer) -> None:
    other = email.utils.formatdate(MOMENT - 5, usegmt=True)
    assert once(server, "/d/body", "Range: bytes=5-", f"If-Range: {other}").status == 200
    same = email.utils.formatdate(MOMENT, usegmt=True)
    assert once(server, "/d/body", "Range: bytes=5-", f"If-Range: {same}").status == 206


def test_an_unchanged_file_is_304_and_the_connection_goes_on(server: SourceServer) -> None:
    with connected(server) as connection:
        ask(connection, "/d/body", f"If-Modified-Since: {email.utils.formatdate(MOMENT, usegmt=True)}")
        ask(connection, "/d/other", "Connection: close")
        seen = drain(connection)
    assert seen.status == 304
    assert seen.body.startswith(b"HTTP/1.1 200 OK")


def test_a_poor_server_sends_no_validators_and_ignores_ranges(server: SourceServer) -> None:
    server.style = Style(last_modified=False, accept_ranges=False, conditional=False)
    seen = once(server, "/d/body", "Range: bytes=5-", "If-Modified-Since: Mon, 01 Jan 2035 00:00:00 GMT")
    assert (seen.status, seen.body) == (200, BODY)
    assert (seen.header("Last-Modified"), seen.header("Accept-Ranges")) == (None, None)


def test_chunked_framing_carries_the_same_bytes(server: SourceServer) -> None:
    server.style = Style(framing="chunked")
    seen = once(server)
    assert seen.header("Content-Length") is None
    rest, joined = seen.body, b""
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        joined, rest = joined + rest[: int(size, 16)], rest[int(size, 16) + 2 :]
    assert joined == BODY


def test_a_server_without_keep_alive_closes_after_each_answer(server: SourceServer) -> None:
    server.style = replace(server.style, keep_alive=False)
    with connected(server) as connection:
        ask(connection)
        seen = drain(connection)
    assert (seen.body, seen.end, seen.header("Connection")) == (BODY, "close", "close")


def test_head_has_the_headers_and_no_body(server: SourceServer) -> None:
    seen = once(server, method="HEAD")
    assert (seen.status, seen.body, seen.header("Content-Length")) == (200, b"", str(len(BODY)))


def test_nothing_outside_the_tree_is_served(server: SourceServer) -> None:
    (server.root.parent / "secret").write_text("secret")
    assert once(server, "/d/../secret").status == 404
    assert once(server, "/d/%2e%2e/secret").status == 404


def test_refused_connections_are_refused_until_healed_and_on_the_same_port(server: SourceServer) -> None:
    with connected(server) as old:
        ask(old)
        server.wait_for(lambda: len(server.requests) == 1)
        server.refuse()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.host, server.port), TIMEOUT_S)
        assert drain(old).end in ("close", "reset")
    server.heal()
    assert once(server).status == 200


def test_silence_after_the_request_is_silence(server: SourceServer) -> None:
    server.fault(faults.Silence(), "body")
    with connected(server, timeout_s=0.2) as connection:
        ask(connection)
        server.wait_for(lambda: len(server.requests) == 1)
        assert drain(connection) == Seen("", b"", "silence")
    assert once(server, "/d/other").status == 200


def test_a_reset_in_the_head_cuts_it_there(server: SourceServer) -> None:
    server.fault(faults.ResetInHead(after_bytes=12))
    seen = once(server)
    assert (seen.head[:12], seen.end) in (("HTTP/1.1 200", "reset"), ("", "reset"))


def test_a_reset_in_the_body_comes_after_so_many_bytes(server: SourceServer) -> None:
    server.fault(faults.ResetInBody(after_bytes=1000))
    seen = once(server)
    assert seen.end == "reset"
    assert server.requests[0].sent_bytes == 1000
    assert BODY.startswith(seen.body)


def test_a_trickle_keeps_its_rate(server: SourceServer) -> None:
    server.fault(faults.Trickle(bytes_per_s=20_000))
    begun = time.monotonic()
    seen = once(server, "/d/body", "Range: bytes=0-9999")
    assert seen.body == BODY[:10_000]
    assert 0.3 < time.monotonic() - begun < 3.0


def test_a_truncated_body_ends_early_under_a_length_that_lies(server: SourceServer) -> None:
    server.fault(faults.Truncate(after_bytes=100))
    seen = once(server)
    assert (seen.body, seen.end, seen.header("Content-Length")) == (BODY[:100], "close", str(len(BODY)))


def test_a_truncated_body_may_state_its_true_length(server: SourceServer) -> None:
    server.fault(faults.Truncate(after_bytes=100, honest=True))
    seen = once(server)
    assert (seen.body, seen.header("Content-Length")) == (BODY[:100], "100")


def test_a_corrupt_byte_is_the_only_difference_and_follows_ranges(server: SourceServer) -> None:
    server.fault(faults.CorruptByte(at=70_000))
    body = once(server).body
    assert [i for i in range(len(BODY)) if body[i] != BODY[i]] == [70_000]
    assert len(body) == len(BODY)
    assert once(server, "/d/body", "Range: bytes=70001-").body == BODY[70_001:]
    assert once(server, "/d/body", "Range: bytes=69990-").body[10] == BODY[70_000] ^ 0xFF


@pytest.mark.parametrize("declared", [True, False])
def test_an_endless_body_never_ends(server: SourceServer, declared: bool) -> None:
    server.fault(faults.EndlessBody(declared))
    with connected(server) as connection:
        ask(connection)
        seen = drain(connection, limit=3 << 20)
    assert seen.end == "limit"
    assert seen.body.startswith(BODY + bytes(1000))
    assert seen.header("Content-Length") == (str(len(BODY)) if declared else None)


@pytest.mark.parametrize("code", [403, 404, 429, 500, 503])
def test_a_status_is_given_with_its_retry_after(server: SourceServer, code: int) -> None:
    server.fault(faults.Status(code, "Simulated sorrow", retry_after="7"))
    seen = once(server)
    assert seen.head.startswith(f"HTTP/1.1 {code} Simulated sorrow\r\n")
    assert seen.header("Retry-After") == "7"


def test_a_captive_portal_answers_200_with_a_page(server: SourceServer) -> None:
    server.fault(faults.HtmlPage())
    seen = once(server)
    assert (seen.status, seen.body) == (200, faults.HTML)


def test_a_redirect_names_the_place_and_a_loop_never_arrives(server: SourceServer) -> None:
    with server.faulty(faults.Redirect("http://elsewhere.example{target}", code=307)):
        seen = once(server)
        assert (seen.status, seen.header("Location")) == (307, "http://elsewhere.example/d/body")
    server.fault(faults.RedirectLoop())
    target = "/d/body"
    for _ in range(5):
        seen = once(server, target)
        assert seen.status == 302
        again = seen.header("Location")
        assert again is not None
        assert again != target
        target = again


def test_a_shifted_range_comes_from_elsewhere_than_it_says(server: SourceServer) -> None:
    server.fault(faults.ShiftedRange(by_bytes=3))
    seen = once(server, "/d/body", "Range: bytes=100-199")
    assert seen.header("Content-Range") == f"bytes 100-199/{len(BODY)}"
    assert seen.body == BODY[97:197]


def test_other_bytes_raw_answers_and_extra_headers_are_given_as_they_are(server: SourceServer) -> None:
    with server.faulty(faults.Substitute(b"other view\n")):
        assert once(server).body == b"other view\n"
    with server.faulty(faults.RawAnswer(b"HTTP/1.1 200 OK\r\n obs: fold\r\n\r\nx")):
        assert once(server).head == "HTTP/1.1 200 OK\r\n obs: fold"
    with server.faulty(faults.ExtraHeaders((("Set-Cookie", "a=b"),))):
        assert once(server).header("Set-Cookie") == "a=b"


def test_a_held_body_stalls_at_its_byte_until_released(server: SourceServer) -> None:
    gate = server.hold(after_bytes=500, where="body")
    with connected(server) as connection:
        ask(connection, "/d/body", "Connection: close")
        server.wait_for(lambda: gate.held == 1)
        assert server.requests[0].sent_bytes == 500
        assert not server.requests[0].done
        server.release()
        assert drain(connection).body == BODY


def test_a_held_head_keeps_the_client_waiting_for_its_first_byte(server: SourceServer) -> None:
    gate = server.hold(after_bytes=None)
    with connected(server) as connection:
        ask(connection, "/d/body", "Connection: close")
        server.wait_for(lambda: gate.held == 1)
        assert server.requests[0].status == 0
        gate.release()
        assert drain(connection).status == 200


def test_a_fault_strikes_only_its_paths_and_only_so_often(server: SourceServer) -> None:
    server.fault(faults.Status(503), lambda path: path == "body", times=2)
    assert [once(server).status for _ in range(3)] == [503, 503, 200]
    assert once(server, "/d/other").status == 200


def test_of_several_faults_the_newest_strikes_and_all_heal(server: SourceServer) -> None:
    server.fault(faults.Status(500))
    newer = server.fault(faults.Status(403))
    assert once(server).status == 403
    server.heal(newer)
    assert once(server).status == 500
    server.heal()
    assert once(server).status == 200


def test_the_tree_may_be_switched_while_the_server_runs(archive: SimulatedArchive, source_server: SourceServer) -> None:
    before = once(source_server, "/debian/dists/stable/InRelease").body
    archive.publish()
    after = once(source_server, "/debian/dists/stable/InRelease").body
    assert before != after == archive.read("dists/stable/InRelease")


def test_sixty_four_clients_at_once_all_get_their_bytes(server: SourceServer) -> None:
    gate = server.hold(after_bytes=10)
    bodies: list[bytes] = []
    clients = [threading.Thread(target=lambda: bodies.append(once(server).body)) for _ in range(64)]
    for client in clients:
        client.start()
    server.wait_for(lambda: gate.held == 64)
    server.release()
    for client in clients:
        client.join(TIMEOUT_S)
    assert bodies == [BODY] * 64


def test_closing_ends_every_thread_in_the_midst_of_anything(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(bytes(50 << 20))
    before = threading.active_count()
    server = SourceServer(tmp_path)
    server.fault(faults.Silence(), "silent")
    gate = server.hold(5, "body")
    with contextlib.ExitStack() as stack:
        for target in ("/silent", "/body", "/none"):
            ask(stack.enter_context(connected(server)), target)
        unread = stack.enter_context(connected(server))
        server.wait_for(lambda: gate.held == 1 and len(server.requests) == 3)
        server.fault(faults.EndlessBody(), "body")
        ask(unread, "/body")
        server.wait_for(lambda: server.requests[-1].sent_bytes > 100_000)
        server.close()
    assert threading.active_count() == before


def test_a_server_with_a_certificate_speaks_https(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "source.example")
    (tmp_path / "body").write_bytes(BODY)
    with SourceServer(tmp_path, tls=authority.server_context()) as server:
        assert server.url.startswith("https://")
        context = authority.client_context()
        with (
            connected(server) as plain,
            context.wrap_socket(plain, server_hostname="source.example") as connection,
        ):
            ask(connection, "/body", "Connection: close")
            assert drain(connection).body == BODY


def test_a_blackholed_source_drops_what_knocks_and_falls_silent_where_it_stands(server: SourceServer) -> None:
    gate = server.hold(after_bytes=500, where="body")
    with connected(server) as connection:
        ask(connection, "/d/body", "Connection: close")
        server.wait_for(lambda: gate.held == 1)
        server.blackhole()
        gate.release()
        with pytest.raises(TimeoutError):
            socket.create_connection((server.host, server.port), KNOCK_S)
        assert server.requests[0].sent_bytes == 500
        server.heal()
        assert drain(connection).body == BODY, "what was under way goes on"
    assert once(server).body == BODY


def test_a_source_may_be_blackholed_and_refuse_in_any_order(server: SourceServer) -> None:
    server.blackhole()
    server.refuse()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((server.host, server.port), TIMEOUT_S)
    server.blackhole()
    with pytest.raises(TimeoutError):
        socket.create_connection((server.host, server.port), KNOCK_S)
    server.accept()
    assert once(server).status == 200


def test_a_body_that_is_too_long_says_so_honestly(server: SourceServer) -> None:
    with server.faulty(faults.Longer(3)):
        answer = once(server)
        assert answer.body == BODY + bytes(3)
        assert answer.header("Content-Length") == str(len(BODY) + 3)


def test_an_expired_certificate_can_be_shown_meanwhile(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "source.example")
    (tmp_path / "body").write_bytes(BODY)
    with SourceServer(tmp_path, tls=authority.server_context()) as server:
        server.speak_tls(authority.expired_context())
        with connected(server) as plain, pytest.raises(ssl.SSLCertVerificationError, match="expired"):
            authority.client_context().wrap_socket(plain, server_hostname="source.example")


def test_a_handshake_may_be_slower_than_its_client_is_patient(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "source.example")
    with SourceServer(tmp_path, tls=authority.server_context()) as server:
        server.handshake_delay_s = 60.0
        with connected(server) as plain:
            plain.settimeout(KNOCK_S)
            with pytest.raises(TimeoutError):
                authority.client_context().wrap_socket(plain, server_hostname="source.example")


def test_any_fault_can_come_and_go_by_turns_and_is_off_in_the_end(server: SourceServer) -> None:
    def switch_on() -> Callable[[], None]:
        active = server.fault(faults.Status(503))
        return lambda: server.heal(active)

    with Flapping(switch_on, on_s=0.01, off_s=0.01) as flapping:
        statuses: set[int] = set()
        while statuses != {200, 503} or flapping.turns < 2:
            statuses.add(once(server).status)
    assert once(server).status == 200
