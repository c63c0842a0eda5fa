"""What a command hears of a gateway that ends while it is asked."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tidegate.config import Gathered, gather
from tidegate.web.probe_report import ProbeReport, ProbeRound
from tidegate.wiring.ask import NotRunningError, probe
from tidegate.wiring.store import layout_of

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jsonl\r\nTransfer-Encoding: chunked\r\n\r\n"
ONE = ProbeReport(
    archive="debian",
    url="http://a.example",
    operator="a",
    suite="stable",
    outcome="newest",
    good=True,
    said="in a test",
    seconds=0.1,
)


@pytest.fixture
def gathered(tmp_path: Path) -> Gathered:
    path = tmp_path / "tidegate.toml"
    path.write_text(f"archive = []\n[store]\nstate = '{tmp_path / 'state'}'\n")
    (tmp_path / "state").mkdir()
    return gather(path, {}, ())


@pytest.fixture
def answering(gathered: Gathered) -> Iterator[list[bytes]]:
    """What the control socket says to one request before it closes; to be filled in."""
    said: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(layout_of(gathered.settings.store, {}, uid=0).control))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"".join(said))

        thread = threading.Thread(target=answer)
        thread.start()
        yield said
        thread.join(10)
        assert not thread.is_alive()


def chunk(line: ProbeRound | ProbeReport) -> bytes:
    data = msgspec.json.encode(line) + b"\n"
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def test_each_probe_is_told_as_it_comes(gathered: Gathered, answering: list[bytes]) -> None:
    answering += [HEAD, chunk(ProbeRound(sources=1)), chunk(ONE), b"0\r\n\r\n"]
    told: list[ProbeRound | ProbeReport] = []
    assert probe(gathered, {}, None, told.append) == (ONE,)
    assert told == [ProbeRound(sources=1), ONE]


@pytest.mark.parametrize("cut", [b"", b"5f\r\n", chunk(ONE)[:40], b"nonsense\r\n"])
def test_a_gateway_that_ends_in_the_middle_is_no_reason_to_begin_anew(
    gathered: Gathered, answering: list[bytes], cut: bytes
) -> None:
    answering += [HEAD, chunk(ProbeRound(sources=2)), chunk(ONE), cut]
    told: list[ProbeRound | ProbeReport] = []
    with pytest.raises(ConnectionResetError):
        probe(gathered, {}, None, told.append)
    assert told == [ProbeRound(sources=2), ONE]


def test_one_that_says_nothing_does_not_run(gathered: Gathered, answering: list[bytes]) -> None:
    answering.clear()
    with pytest.raises(NotRunningError):
        probe(gathered, {}, None, lambda _: None)
