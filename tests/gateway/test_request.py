"""Request heads: what is read, and all that two readers could take two ways (RFC 9112; threats 19 to 21)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.gateway.request import PLAIN, BadRequestError, Fields, parse_fields, parse_line, user_agent

HOST = b"Host: archive.example"

tokens = st.from_regex(rb"[A-Za-z][A-Za-z0-9-]{0,15}", fullmatch=True)
values = st.from_regex(rb"[!-~][ -~]{0,30}", fullmatch=True)
head_bytes = st.lists(
    st.sampled_from([b"\r", b"\n", b"\r\n", b":", b" ", b"\t", b"\0", b"Host", b"Transfer-Encoding", b"a", b"\xff"]),
    max_size=20,
).map(b"".join)


def test_request_line_is_read() -> None:
    line = parse_line(b"GET /debian/dists/stable/InRelease HTTP/1.1")
    assert (line.method, line.target, line.keeps) == (b"GET", b"/debian/dists/stable/InRelease", True)
    assert not parse_line(b"GET / HTTP/1.0").keeps


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"GET /",
        b"GET  / HTTP/1.1",
        b"GET / HTTP/1.1 ",
        b" GET / HTTP/1.1",
        b"GET\t/\tHTTP/1.1",
        b"GET / HTTP/2.0",
        b"GET / http/1.1",
        b"GET / HTTP/1.10",
        b"GET / HTTP/1.1\n",
        b"GET /a\x00b HTTP/1.1",
        b"GET /a\rb HTTP/1.1",
        b"GET /a\nHost:x HTTP/1.1",
        b"GET /a\x7fb HTTP/1.1",
        b"GET /\xc3\xa4 HTTP/1.1",
        b'GET /"x" HTTP/1.1',
        b"GET /<script> HTTP/1.1",
        b"GET /a\\b HTTP/1.1",
        b"GET  HTTP/1.1",
    ],
)
def test_malformed_request_line_is_refused(line: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_line(line)


@given(st.binary(max_size=200) | head_bytes)
def test_any_bytes_are_a_request_line_of_three_parts_or_refused(data: bytes) -> None:
    try:
        line = parse_line(data)
    except BadRequestError:
        return
    version = b"HTTP/1.1" if line.keeps else b"HTTP/1.0"
    assert data == b" ".join((line.method, line.target, version))
    assert all(0x21 <= byte < 0x7F for byte in line.target)


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"User-Agent: nobody",
        b"\r\n" + HOST,
        HOST + b"\r\n",
        HOST + b"\r\n" + HOST,
        HOST + b"\r\nhOsT: other.example",
        HOST + b"\r\nTransfer-Encoding: chunked",
        HOST + b"\r\nTransfer-Encoding: identity",
        HOST + b"\r\nTransfer-Encoding:",
        HOST + b"\r\ntransfer-encoding: chunked\r\nContent-Length: 0",
        HOST + b"\r\nContent-Length: 5",
        HOST + b"\r\nContent-Length: 00",
        HOST + b"\r\nContent-Length: +0",
        HOST + b"\r\nContent-Length: 0\r\nContent-Length: 0",
        HOST + b"\r\nContent-Length: 0, 0",
        HOST + b"\r\nAccept: a,\r\n b",
        HOST + b"\r\n\tfolded",
        HOST + b"\r\nAccept : a",
        HOST + b"\r\n Accept: a",
        HOST + b"\r\n: a",
        HOST + b"\r\nAccept",
        HOST + b"\r\nA(c: a",
        HOST + b"\nAccept: a",
        HOST + b"\rAccept: a",
        HOST + b"\r\nAccept: a\nTransfer-Encoding: chunked",
        HOST + b"\r\nAccept: a\x00b",
        HOST + b"\r\nAccept: a\x1bb",
        HOST + b"\r\nAccept: a\x7fb",
        HOST + b"\r\nRange: bytes=0-1\r\nRange: bytes=5-6",
        HOST + b"\r\nIf-Range: a\r\nIf-Range: b",
    ],
)
def test_head_that_two_readers_could_take_two_ways_is_refused(block: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_fields(block)


def test_host_may_be_missing_only_where_http_1_0_is_spoken() -> None:
    for block in (b"", b"User-Agent: check"):
        assert parse_fields(block, host_required=False) is PLAIN
        with pytest.raises(BadRequestError, match="Host"):
            parse_fields(block, host_required=True)


@pytest.mark.parametrize(
    "block", [HOST + b"\r\n" + HOST, b"Transfer-Encoding: chunked", b"Content-Length: 5", b"\r\n", b"Accept : a"]
)
def test_http_1_0_is_read_no_less_strictly(block: bytes) -> None:
    with pytest.raises(BadRequestError):
        parse_fields(block, host_required=False)


def test_fields_that_change_an_answer_are_found_whatever_their_case_and_blanks() -> None:
    fields = parse_fields(HOST + b"\r\nRANGE:bytes=1-2\t\r\nif-range: \tx \r\nConnection: TE, Close")
    assert fields == Fields(range="bytes=1-2", if_range="x", close=True)


def test_head_that_changes_nothing_is_the_plain_one_itself() -> None:
    block = HOST + b"\r\nUser-Agent: Debian APT-HTTP/1.3 (2.6.1)\r\nCache-Control: max-age=0\r\nContent-Length: 0"
    assert parse_fields(block) is PLAIN


@given(head_bytes | st.binary(max_size=300))
def test_any_bytes_are_fields_or_refused(data: bytes) -> None:
    try:
        parse_fields(HOST + data)
    except BadRequestError:
        return
    assert b"\0" not in data
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert b"\r" not in data.replace(b"\r\n", b"")


@given(st.lists(st.tuples(tokens, values), max_size=8))
def test_well_formed_heads_without_our_fields_are_all_taken(fields: list[tuple[bytes, bytes]]) -> None:
    ours = (b"host", b"content-length", b"transfer-encoding", b"range", b"if-range", b"if-modified-since")
    kept = [(name, value) for name, value in fields if name.lower() not in ours]
    parse_fields(HOST + b"".join(b"\r\n%b: %b" % field for field in kept))


@given(st.binary(max_size=300))
def test_user_agent_is_found_in_any_block(data: bytes) -> None:
    assert isinstance(user_agent(data), str)
    assert user_agent(HOST + b"\r\nuser-agent:  apt \r\n" + data) == "apt"
