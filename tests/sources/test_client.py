"""The HTTP client against sources that fail in every known way: threats 15, 18, 20, 22 to 26."""

import asyncio
import contextlib
import itertools
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.simulator.answer import Framing, Style
from tests.simulator.faults import (
    EndlessBody,
    ExtraHeaders,
    Fault,
    RawAnswer,
    Redirect,
    RedirectLoop,
    ResetInBody,
    ResetInHead,
    Silence,
    Status,
    Trickle,
    Truncate,
)
from tests.simulator.server import SourceServer
from tests.simulator.tls import Authority
from tests.sources.conftest import ServerFactory
from tests.sources.sinks import SHORT_S, Collected, at, client, get, scripted, settings
from tests.store.drafts import assert_descriptors_return_to, open_descriptors
from tidegate.sources.archive import Endpoint, Reach, endpoint_of
from tidegate.sources.client import Client
from tidegate.sources.failure import Failure, FetchError

Publish = Callable[[str, int], bytes]
SIZE = 300_000
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def body(publish: Publish) -> bytes:
    return publish("file", SIZE)


async def failure_of(asking: Client, server: SourceServer, path: str = "file") -> FetchError:
    with pytest.raises(FetchError) as raised:
        await get(asking, server, path)
    return raised.value


# What goes well


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_a_file_comes_whole_in_every_framing(body: bytes, serve: ServerFactory, framing: Framing) -> None:
    server = serve(style=Style(framing=framing))
    async with client() as asking:
        for _ in range(3):
            answer = await get(asking, server)
            assert answer.body == body
            assert [head.status for head in answer.heads] == [200]
            assert answer.heads[0].length == (SIZE if framing == "length" else None)
    assert server.accepted_connections == (3 if framing == "close" else 1)


async def test_an_empty_file_and_an_unchanged_one_keep_the_connection(publish: Publish, server: SourceServer) -> None:
    publish("empty", 0)
    async with client() as asking:
        empty = await get(asking, server, "empty")
        assert empty.body == b""
        modified = empty.heads[0].headers["last-modified"]
        unchanged = await get(asking, server, "empty", If_Modified_Since=modified)
        assert unchanged.heads[0].status == 304
        assert (await get(asking, server, "empty")).heads[0].status == 200
    assert server.accepted_connections == 1


async def test_the_request_says_who_asks_and_carries_nothing_else(body: bytes, server: SourceServer) -> None:
    """Threat 25: there are no credentials that could follow a redirect."""
    server.fault(Redirect("/file?moved"), "file", times=1)
    async with client() as asking:
        await get(asking, server, Range="bytes=5-")
    assert len(server.asked()) == 2
    for request in server.asked():
        assert set(request.headers) <= {"host", "user-agent", "accept", "range"}
        assert request.headers["host"] == f"127.0.0.1:{server.port}"
        assert request.headers["user-agent"].startswith("tidegate/")


async def test_requests_at_once_are_bounded_for_each_source(publish: Publish, server: SourceServer) -> None:
    publish("file", 10)
    gate = server.hold(None)
    async with client(connections_per_source_max=3) as asking:
        tasks = [asyncio.create_task(get(asking, server)) for _ in range(10)]
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 3)
        assert server.open_connections == 3
        gate.release()
        await asyncio.gather(*tasks)
    assert server.accepted_connections == 3


# What fails


async def test_a_refused_connection_is_unreachable_and_names_the_address(server: SourceServer) -> None:
    server.refuse()
    async with client() as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.UNREACHABLE
    assert "127.0.0.1" in error.evidence
    assert "refused" in error.evidence


async def test_a_name_that_does_not_resolve_is_told(server: SourceServer) -> None:
    async with client() as asking:
        with pytest.raises(FetchError) as raised:
            await asking.get(Endpoint("http", "no-such-host.invalid", 80, Reach.PUBLIC), "/", {}, Collected())
    assert raised.value.failure is Failure.UNRESOLVED


async def test_a_silent_source_is_left_after_the_first_byte_timeout(body: bytes, server: SourceServer) -> None:
    server.fault(Silence())
    async with client(first_byte_timeout_s=SHORT_S) as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.SILENT


async def test_a_head_that_comes_byte_by_byte_is_no_way_round_the_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for letter in itertools.cycle(b"HTTP/1.1 200 OK"):
            writer.write(bytes([letter]))
            await writer.drain()
            await asyncio.sleep(0.02)

    async with scripted(drip) as endpoint, client(first_byte_timeout_s=SHORT_S) as asking:
        with pytest.raises(FetchError) as raised:
            await asking.get(endpoint, "/", {}, Collected())
    assert raised.value.failure is Failure.SILENT


async def test_a_source_that_stalls_in_mid_body_is_left(body: bytes, server: SourceServer) -> None:
    server.hold(1000)
    async with client(silence_timeout_s=SHORT_S) as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.STALLED


async def test_a_source_below_the_minimum_rate_is_left_though_it_never_falls_silent(
    body: bytes, server: SourceServer
) -> None:
    """Threat 18."""
    server.fault(Trickle(2000))
    async with client(rate_min_bytes_s=10_000, rate_window_s=SHORT_S) as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.SLOW
    assert "below 10,000 B/s" in error.evidence


@pytest.mark.parametrize("fault", [ResetInHead(), ResetInBody(0), ResetInBody(1000), Truncate(0), Truncate(1000)])
async def test_an_answer_that_breaks_off_is_cut(body: bytes, server: SourceServer, fault: Fault) -> None:
    server.fault(fault)
    async with client() as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.CUT


@pytest.mark.parametrize(
    "raw",
    [
        b"\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/9.9 200 OK\r\nContent-Length: 1\r\n\r\nx",
        OK + b"no colon\r\n\r\n",
        OK + b"Content-Length: -1\r\n\r\n",
        OK + b"Content-Length: +4\r\n\r\nbody",
        OK + b"Content-Length: 0x4\r\n\r\nbody",
        OK + b"Content-Length: 4, 4\r\n\r\nbody",
        OK + b"Content-Length: 4 4\r\n\r\nbody",
        OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nbody",
        OK + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody",
        OK + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: identity\r\n\r\nbody",
        OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\n-4\r\nbody\r\n0\r\n\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nbody\r\n0\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" + OK + b"Content-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    ],
)
async def test_an_answer_that_is_not_plain_http_is_malformed(server: SourceServer, raw: bytes) -> None:
    """Threat 20, from the other side: two readings of one answer are none."""
    server.fault(RawAnswer(raw))
    async with client(first_byte_timeout_s=5.0) as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.MALFORMED
    assert error.evidence


async def test_bytes_behind_a_declared_body_are_not_taken_and_end_the_connection(server: SourceServer) -> None:
    server.fault(RawAnswer(OK + b"Content-Length: 4\r\n\r\nbodyHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"))
    async with client(first_byte_timeout_s=5.0) as asking:
        assert [bytes((await get(asking, server)).body) for _ in range(2)] == [b"body", b"body"]


@pytest.mark.parametrize(
    "raw",
    [
        OK.replace(b"\r\n", b"\n") + b"Content-Length: 4\n\nbody",
        OK + b"Content-Length: 4\r\nX: a\r\n folded\r\n\r\nbody",
        OK + b"X: \x00\r\nContent-Length: 4\r\n\r\nbody",
        OK + b"X Y: z\r\nContent-Length: 4\r\n\r\nbody",
        OK + b"Content-Length : 4\r\n\r\nbody",
        b"",
    ],
)
async def test_a_doubtful_head_never_becomes_other_bytes_than_its_body(server: SourceServer, raw: bytes) -> None:
    server.fault(RawAnswer(raw))
    async with client(first_byte_timeout_s=5.0) as asking:
        try:
            answer = await get(asking, server)
        except FetchError as error:
            assert error.failure in (Failure.MALFORMED, Failure.CUT)  # noqa: PT017 (either end is right)
        else:
            assert answer.body == b"body"


@pytest.mark.parametrize("size", [70_000, 250_000, 5_000_000])
async def test_a_huge_head_is_cut_off(server: SourceServer, size: int) -> None:
    server.fault(RawAnswer(OK + b"X: " + b"y" * size + b"\r\nContent-Length: 4\r\n\r\nbody"))
    async with client() as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.OVERSIZED


async def test_a_head_of_many_lines_is_taken_up_to_the_bound(body: bytes, server: SourceServer) -> None:
    server.fault(ExtraHeaders(tuple((f"X-{number}", "y" * 50) for number in range(500))))
    async with client() as asking:
        assert (await get(asking, server)).body == body


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_what_a_sink_raises_is_what_the_caller_sees(body: bytes, serve: ServerFactory, framing: Framing) -> None:
    server = serve(style=Style(framing=framing))
    async with client() as asking:
        with pytest.raises(OSError, match="no room for more"):
            await asking.get(at(server), "/file", {}, Collected(bytes_max=1000))
        assert (await get(asking, server)).body == body
    assert server.accepted_connections == 2


@pytest.mark.parametrize("declared", [True, False])
async def test_an_endless_body_ends_where_the_sink_says(body: bytes, server: SourceServer, declared: bool) -> None:
    """Threat 15."""
    server.fault(EndlessBody(declared=declared))
    async with client() as asking:
        sink = Collected(bytes_max=2 * SIZE)
        if declared:
            # What comes behind the declared end is refused with it, or, when it comes later, ends the connection.
            with contextlib.suppress(FetchError):
                await asking.get(at(server), "/file", {}, sink)
            await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
        else:
            with pytest.raises(OSError, match="no room"):
                await asking.get(at(server), "/file", {}, sink)
    assert sink.body[:SIZE].startswith(body[: len(sink.body)])
    assert len(sink.body) <= (SIZE if declared else 2 * SIZE + 262_144)


# Redirects


async def test_a_redirect_is_followed_and_its_own_body_left_alone(
    body: bytes, server: SourceServer, serve: ServerFactory
) -> None:
    other = serve()
    server.fault(Redirect(f"http://127.0.0.1:{other.port}{{target}}"))
    async with client() as asking:
        answer = await get(asking, server)
    assert answer.body == body
    assert [head.status for head in answer.heads] == [200]


async def test_a_redirect_loop_ends_after_the_allowed_hops(server: SourceServer) -> None:
    server.fault(RedirectLoop())
    async with client(redirects_max=3) as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.REDIRECT
    assert len(server.asked()) == 4


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1:{port}/secret",
        "http://localhost:{port}/secret",
        "http://127.1:{port}/secret",
        "http://0x7f000001:{port}/secret",
        "http://2130706433:{port}/secret",
        "http://[::1]:{port}/secret",
        "http://[::ffff:127.0.0.1]:{port}/secret",
        "http://0:{port}/secret",
        "http://169.254.169.254/latest/meta-data/",
        "http://10.0.0.1/",
        "http://[fd00:ec2::254]/latest/meta-data/",
    ],
)
async def test_a_redirect_to_this_machine_or_its_site_is_refused(
    server: SourceServer, serve: ServerFactory, publish: Publish, location: str
) -> None:
    """Threats 23 and 24: here the first host is `127.0.0.2`, which somebody configured."""
    publish("secret", 10)
    inside = serve()
    outside = serve(host="127.0.0.2")
    outside.fault(Redirect(location.format(port=inside.port)))
    async with client(connect_timeout_s=2.0) as asking:
        error = await failure_of(asking, outside)
        assert error.failure is Failure.FORBIDDEN_ADDRESS
    assert inside.asked() == []


async def test_a_kept_connection_to_a_private_place_is_no_way_in_for_a_redirect(
    serve: ServerFactory, publish: Publish
) -> None:
    """Threat 24: a source of this site is in use, and a stranger sends us there."""
    publish("secret", 10)
    inside, outside = serve(), serve(host="127.0.0.2")
    private = endpoint_of(f"http://localhost:{inside.port}", Reach.ANY)[0]
    outside.fault(Redirect(f"http://localhost:{inside.port}/secret"))
    async with client() as asking:
        await asking.get(private, "/secret", {}, Collected())
        inside.forget()
        error = await failure_of(asking, outside)
        assert error.failure is Failure.FORBIDDEN_ADDRESS
    assert inside.asked() == []


async def test_a_redirect_whose_body_never_ends_is_left(server: SourceServer) -> None:
    """Threat 15."""
    head = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nTransfer-Encoding: chunked\r\n\r\n"
    server.fault(
        RawAnswer(head + b"10000\r\n" + bytes(0x10000) + b"\r\n" + (b"40000\r\n" + bytes(0x40000) + b"\r\n") * 40)
    )
    async with client() as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.OVERSIZED


# TLS


async def test_https_with_a_certificate_that_is_trusted_goes_well(
    body: bytes, serve: ServerFactory, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = serve(tls=authority.server_context())
    async with client(tls_ca_file=str(authority.certificate)) as asking:
        assert (await get(asking, server)).body == body
        assert (await get(asking, server)).body == body
    assert server.accepted_connections == 1


async def test_https_with_a_certificate_of_nobody_is_refused_and_nothing_is_asked(
    body: bytes, serve: ServerFactory, tmp_path: Path
) -> None:
    server = serve(tls=Authority(tmp_path).server_context())
    async with client() as asking:
        error = await failure_of(asking, server)
    assert error.failure is Failure.TLS
    assert "certificate" in error.evidence.lower()
    assert server.asked() == []


async def test_https_with_a_certificate_for_another_name_is_refused(
    body: bytes, serve: ServerFactory, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    server = serve(tls=authority.server_context())
    async with client(tls_ca_file=str(authority.certificate)) as asking:
        with pytest.raises(FetchError) as raised:
            await asking.get(Endpoint("https", "localhost", server.port, Reach.ANY), "/file", {}, Collected())
    assert raised.value.failure is Failure.TLS
    assert server.asked() == []


async def test_https_to_a_port_that_speaks_plain_http_is_a_failure_of_tls(body: bytes, server: SourceServer) -> None:
    async with client(connect_timeout_s=2.0) as asking:
        with pytest.raises(FetchError) as raised:
            await asking.get(Endpoint("https", "127.0.0.1", server.port, Reach.ANY), "/file", {}, Collected())
    assert raised.value.failure is Failure.TLS


async def test_a_redirect_from_https_to_http_is_not_followed(
    body: bytes, server: SourceServer, serve: ServerFactory, tmp_path: Path
) -> None:
    """Threat 26."""
    authority = Authority(tmp_path)
    secure = serve(tls=authority.server_context())
    secure.fault(Redirect(f"http://127.0.0.1:{server.port}{{target}}"))
    async with client(tls_ca_file=str(authority.certificate)) as asking:
        error = await failure_of(asking, secure)
    assert error.failure is Failure.REDIRECT
    assert server.asked() == []


async def test_old_tls_is_not_spoken(body: bytes, serve: ServerFactory, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    context = authority.server_context()
    with pytest.warns(DeprecationWarning, match="TLS"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    server = serve(tls=context)
    async with client(tls_ca_file=str(authority.certificate)) as asking:
        assert (await failure_of(asking, server)).failure is Failure.TLS


# Kept connections


async def test_a_connection_that_was_closed_meanwhile_is_replaced_without_a_word(
    body: bytes, server: SourceServer
) -> None:
    async with client() as asking:
        await get(asking, server)
        await asyncio.to_thread(server.drop_connections)
        assert (await get(asking, server)).body == body
    assert server.accepted_connections == 2


async def test_a_request_that_a_kept_connection_swallows_is_asked_once_more_and_no_more(
    body: bytes, server: SourceServer
) -> None:
    async with client() as asking:
        await get(asking, server)
        server.fault(RawAnswer(b""), times=1)  # read the request, say nothing, close
        assert (await get(asking, server)).body == body
        assert len(server.asked()) == 3
        server.fault(RawAnswer(b""))
        assert (await failure_of(asking, server)).failure is Failure.CUT
        assert len(server.asked()) == 5


async def test_an_answer_begun_on_a_kept_connection_is_not_asked_for_again(body: bytes, server: SourceServer) -> None:
    async with client() as asking:
        await get(asking, server)
        server.fault(ResetInBody(10))
        assert (await failure_of(asking, server)).failure is Failure.CUT
    assert len(server.asked()) == 2


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    async def pushy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(OK + b"Content-Length: 4\r\n\r\nbody")
        await writer.drain()
        pushed.set()
        await push.wait()
        writer.write(OK + b"Content-Length: 4\r\n\r\nevil")
        ended.set_result(await reader.read())

    push, pushed = asyncio.Event(), asyncio.Event()
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    async with scripted(pushy) as endpoint, client() as asking:
        sink = Collected()
        await asking.get(endpoint, "/", {}, sink)
        push.set()
        assert await asyncio.wait_for(ended, 10) == b""
        assert sink.body == b"body"


async def test_an_error_status_goes_to_the_sink_as_it_is(body: bytes, server: SourceServer) -> None:
    server.fault(Status(503, retry_after="1"))
    async with client() as asking:
        answer = await get(asking, server)
    assert answer.heads[0].status == 503


# Several addresses


class Resolving(Client):
    """A client whose names stand for addresses that the test chose."""

    found: tuple[str, ...] = ()
    asked = 0

    async def _look_up(self, endpoint: Endpoint) -> tuple[str, ...]:
        self.asked += 1
        return self.found


async def test_a_name_with_a_dead_address_is_reached_by_the_other_and_remembered(
    body: bytes, serve: ServerFactory
) -> None:
    alive = serve(host="127.0.0.3")
    asking = Resolving(settings())
    asking.found = ("127.0.0.4", "127.0.0.3")  # nobody listens at the first
    named = Endpoint("http", "two.example", alive.port, Reach.ANY)
    for _ in range(2):
        sink = Collected()
        await asking.get(named, "/file", {}, sink)
        assert sink.body == body
        await asyncio.to_thread(alive.drop_connections)
    assert asking.asked == 1
    asking.close()


async def test_an_address_that_another_overtook_is_not_waited_for_again(body: bytes, serve: ServerFactory) -> None:
    """RFC 8305: a blackholed address costs its stagger once, not for each connection."""
    alive = serve(host="127.0.0.3")
    asking = Resolving(settings(connect_stagger_s=0.05))
    asking.found = ("192.0.2.1", "127.0.0.3")  # the first is of a documentation range: nothing comes back from there
    named = Endpoint("http", "two.example", alive.port, Reach.ANY)
    await asking.get(named, "/file", {}, Collected())
    assert asking.addresses(named) == {"192.0.2.1": False, "127.0.0.3": True}
    asking.close()


async def test_an_address_that_takes_requests_in_silence_is_asked_after_the_others(
    body: bytes, serve: ServerFactory
) -> None:
    silent = serve(host="127.0.0.3")
    silent.fault(Silence())
    asking = Resolving(settings(first_byte_timeout_s=SHORT_S))
    asking.found = ("127.0.0.3", "127.0.0.4")
    named = Endpoint("http", "two.example", silent.port, Reach.ANY)
    with pytest.raises(FetchError, match="silent"):
        await asking.get(named, "/file", {}, Collected())
    assert asking.addresses(named) == {"127.0.0.3": False, "127.0.0.4": True}
    asking.close()


async def test_a_resolver_that_is_silent_is_asked_once_at_a_time_and_known_addresses_go_on(
    body: bytes, server: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Silent(Resolving):
        async def _look_up(self, endpoint: Endpoint) -> tuple[str, ...]:
            await super()._look_up(endpoint)
            await asyncio.sleep(3600)
            return ()

    asking = Silent(settings(connect_timeout_s=SHORT_S))
    named = Endpoint("http", "one.example", server.port, Reach.ANY)
    with pytest.raises(FetchError, match="no answer from DNS"):
        await asyncio.gather(*(asking.get(named, "/file", {}, Collected()) for _ in range(5)))
    asking._host(named).addresses = ("127.0.0.1",)
    sink = Collected()
    await asking.get(named, "/file", {}, sink)
    assert sink.body == body
    assert asking.asked == 1
    asking.close()


async def test_the_address_that_was_checked_is_the_one_connected_to(serve: ServerFactory, publish: Publish) -> None:
    """Threat 23, DNS rebinding: a second look-up could say something else."""
    publish("secret", 10)
    inside = serve()
    asking = Resolving(settings())
    named = Endpoint("http", "rebinding.example", inside.port, Reach.PUBLIC)
    for found in (("127.0.0.1",), ("::ffff:127.0.0.1",), ("10.0.0.1", "127.0.0.1")):
        asking.found = found
        asking._hosts.clear()
        with pytest.raises(FetchError) as raised:
            await asking.get(named, "/secret", {}, Collected())
        assert raised.value.failure is Failure.FORBIDDEN_ADDRESS
    assert inside.asked() == []
    asking.close()


async def test_of_connections_that_succeed_together_all_but_one_are_closed() -> None:
    many = tuple(f"127.0.0.{number}" for number in range(3, 11))
    listeners = [socket.create_server((many[0], 0))]
    port = listeners[0].getsockname()[1]
    listeners += [socket.create_server((address, port)) for address in many[1:]]  # nobody accepts: they only listen
    asking = Resolving(settings(connect_stagger_s=1e-6))
    asking.found = many
    named = Endpoint("http", "many.example", port, Reach.ANY)
    before = open_descriptors()
    for _ in range(20):
        (await asking.dial(named)).close()
    await asyncio.sleep(0)
    assert open_descriptors() == before
    for listener in listeners:
        listener.close()
    asking.close()


# Leaving


async def test_a_cancelled_request_leaves_nothing_open(body: bytes, server: SourceServer) -> None:
    async with client() as asking:
        await get(asking, server)
        before = open_descriptors()
        gate = server.hold(1000)
        tasks = [asyncio.create_task(get(asking, server)) for _ in range(8)]
        await asyncio.to_thread(server.wait_for, lambda: gate.held == 8)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        gate.release()
        await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
        await asyncio.to_thread(assert_descriptors_return_to, before)
        server.heal()
        assert (await get(asking, server)).body == body  # its places are free again


async def test_closing_ends_requests_under_way_and_idle_connections(body: bytes, server: SourceServer) -> None:
    asking = Client(settings())
    await get(asking, server)
    server.hold(None)
    waiting = asyncio.create_task(get(asking, server))
    await asyncio.to_thread(server.wait_for, lambda: len(server.asked()) == 2)
    asking.close()
    with pytest.raises(FetchError) as raised:
        await waiting
    assert raised.value.failure is Failure.CUT
    server.release()
    await asyncio.to_thread(server.wait_for, lambda: server.open_connections == 0)
