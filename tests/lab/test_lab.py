"""The laboratory itself: its faults strike and heal, its tap and its name server tell the truth, its verdicts bite."""

import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab import verdict
from tests.lab.faults import TABLE, Fault
from tests.lab.names import Resolver
from tests.lab.outcome import End, Outcome, objections_to
from tests.lab.report import Report, Run, judge, read, write
from tests.lab.rows import Row
from tests.lab.stage import PREFIX, ROLES, LabSource, Stage
from tests.lab.tap import Served, Tap, answers
from tests.lab.trees import ALIAS, Plan, Trees, grow
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

PATIENCE_S = 5.0
STRUCK_PATIENCE_S = 0.1
LOOK_BYTES_MAX = 1 << 20
RELEASE = "dists/stable/InRelease"
ON_LOOPBACK = [fault for fault in TABLE if not fault.needs_room]


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Trees:
    return grow(tmp_path_factory.mktemp("lab"), keys, Plan(("stable",), ("first",), (20_000,)))


@pytest.fixture(scope="module")
def stage(trees: Trees) -> Iterator[Stage]:
    with Stage(trees) as made:
        yield made


def look(source: LabSource, path: str, patience_s: float = PATIENCE_S) -> bytes:
    """Everything that comes for a path within our patience but its Date; how it fails, where it does."""
    request = f"GET {PREFIX}/{path} HTTP/1.1\r\nHost: source.example\r\nConnection: close\r\n\r\n".encode()
    answer, deadline = b"", time.monotonic() + patience_s
    try:
        with socket.create_connection((source.server.host, source.server.port), patience_s) as connection:
            connection.sendall(request)
            while len(answer) < LOOK_BYTES_MAX and time.monotonic() < deadline:
                block = connection.recv(65_536)
                if not block:
                    break
                answer += block
    except OSError as error:
        return type(error).__name__.encode()
    return b"\r\n".join(line for line in answer.split(b"\r\n") if not line.startswith(b"Date:"))


def seen(source: LabSource, trees: Trees, patience_s: float = PATIENCE_S) -> list[bytes]:
    pool = next(
        package.path for package in trees.archive.suites["stable"].packages if package.name == "set-first-part1"
    )
    index = "dists/stable/main/binary-amd64/Packages.xz"
    return [look(source, path, patience_s) for path in (RELEASE, index, pool)]


@pytest.mark.parametrize("fault", ON_LOOPBACK, ids=lambda fault: fault.name)
def test_fault_strikes_the_source_it_is_meant_for_and_is_gone_once_it_is_healed(
    fault: Fault, stage: Stage, trees: Trees
) -> None:
    first, second, _ = stage.sources
    honest = seen(first, trees)
    switch = stage.strike(fault, first.role)
    try:
        assert seen(first, trees, STRUCK_PATIENCE_S) != honest
        assert seen(second, trees) == honest
    finally:
        switch.off()
    assert seen(first, trees) == honest


def test_all_sources_can_be_struck_at_once_and_healed_at_once(stage: Stage, trees: Trees) -> None:
    honest = [look(source, RELEASE) for source in stage.sources]
    stage.strike(ON_LOOPBACK[0])
    assert [look(source, RELEASE) for source in stage.sources] == [b"ConnectionRefusedError"] * len(ROLES)
    stage.heal()
    assert [look(source, RELEASE) for source in stage.sources] == honest


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    made = Resolver("127.0.0.1")
    made.addresses["first.example"] = "192.0.2.7"
    yield made
    made.close()


def query(resolver: Resolver, name: str, kind: int = 1, patience_s: float = PATIENCE_S) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(patience_s)
        head = struct.pack(">HHHHHH", 77, 0x0100, 1, 0, 0, 0)
        asking.sendto(head + labels + b"\0" + struct.pack(">HH", kind, 1), ("127.0.0.1", resolver.port))
        return asking.recv(512)


def test_name_server_gives_the_address_denies_the_name_or_says_nothing(resolver: Resolver) -> None:
    assert query(resolver, "First.example").endswith(socket.inet_aton("192.0.2.7"))
    assert query(resolver, "other.example")[3] & 0xF == 3
    resolver.absent.add("first.example")
    assert query(resolver, "first.example")[3] & 0xF == 3
    resolver.silent.add("first.example")
    for name in ("first.example", "_http._tcp.first.example"):
        with pytest.raises(TimeoutError):
            query(resolver, name, patience_s=STRUCK_PATIENCE_S)


def test_name_has_no_other_address_but_exists(resolver: Resolver) -> None:
    answer = query(resolver, "first.example", kind=28)
    assert answer[3] & 0xF == 0
    assert answer[6:8] == b"\0\0"


def test_tap_keeps_every_answer_as_it_went_over_the_wire(archive: SimulatedArchive, tmp_path: Path) -> None:
    with SourceServer(archive.public, prefix="/debian") as server, Tap(server.port) as tap:
        port = int(tap.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as client:
            for extra in ("", "Range: bytes=5-9\r\n", "Connection: close\r\n"):
                client.sendall(f"GET /debian/{RELEASE} HTTP/1.1\r\nHost: x.example\r\n{extra}\r\n".encode())
            got = b"".join(iter(lambda: client.recv(65_536), b""))
        whole, part, last = tap.served()
    body = archive.read(RELEASE)
    assert whole == Served(f"/debian/{RELEASE}", 200, body, 0, complete=True)
    assert (part.status, part.body, part.start, part.complete) == (206, body[5:10], 5, True)
    assert last == whole
    assert got.count(body) == 2


def test_an_answer_that_was_cut_off_is_not_complete() -> None:
    asked = b"GET /a HTTP/1.1\r\n\r\nGET /b HTTP/1.1\r\n\r\n"
    got = answers(
        asked, b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"
    )
    assert [one.complete for one in got] == [True, False]


def test_what_was_served_wrong_is_named_and_what_was_cut_off_is_not(trees: Trees) -> None:
    body = trees.archive.read(RELEASE)
    wrong = body.replace(b"Origin: S", b"Origin: s", 1)
    for one, objected in (
        (Served(f"{ALIAS}/{RELEASE}", 200, body, 0, complete=True), False),
        (Served(f"{ALIAS}/{RELEASE}", 200, wrong, 0, complete=True), True),
        (Served(f"{ALIAS}/{RELEASE}", 200, wrong, 0, complete=False), False),
        (Served(f"{ALIAS}/{RELEASE}", 206, body[7:70], 7, complete=True), False),
        (Served(f"{ALIAS}/{RELEASE}", 206, body[7:70], 8, complete=True), True),
    ):
        assert bool(objections_to([one], trees.oracle(), trees)) is objected


MEASURED = tuple(
    name for name in Row.__dataclass_fields__ if name.endswith(("_update", "_install")) and "asked" not in name
)


def row(fault: str = "", **outcomes: list[Outcome]) -> Row:
    made = Row(fault)
    for name in MEASURED:
        setattr(made, name, outcomes.get(name, [Outcome(End.OK, 0.1)]))
    return made


YARD = verdict.healthy([row(), row()])


@pytest.mark.parametrize(
    ("struck", "missed"),
    [
        (row("calm"), ()),
        (row("late", first_install=[Outcome(End.OK, 2.2)]), ("first install",)),
        (row("late again", again_update=[Outcome(End.OK, 0.4)]), ("known update",)),
        (row("slow hit", held_install=[Outcome(End.OK, 0.2)]), ("hit",)),
        (row("slow hit", all_struck_update=[Outcome(End.OK, 0.2)]), ("hit, all struck",)),
        (row("old", first_update=[Outcome(End.OLD, 0.1)]), ("old",)),
        (replace(row("wrong"), unaccounted=["x"]), ("wrong bytes",)),
        (replace(row("inside"), inside=1), ("1 requests inside",)),
    ],
    ids=lambda value: value.fault if isinstance(value, Row) else "",
)
def test_every_target_that_is_missed_is_told(struck: Row, missed: tuple[str, ...]) -> None:
    told = verdict.added(struck, YARD)
    assert len(told.misses) == len(missed)
    assert all(miss.startswith(begin) for miss, begin in zip(told.misses, missed, strict=True))
    met = all(one.met for one in verdict.of_rows([struck], [told]))
    assert met is (not missed)


def test_page_shows_what_became_of_every_row_and_marks_what_missed(tmp_path: Path) -> None:
    struck = row("pigeons", first_update=[Outcome(End.TIMED_OUT, 120.0)], again_install=[Outcome(End.OK, 0.9)])
    run = Run("today", 60.0, 120.0, "0.1", {"cores": "2"}, {"apt": "2.6"})
    report = Report({"rows": run}, calm=[row()], rows=[struck])
    judge(report)
    write(report, tmp_path / "faults")
    assert read(tmp_path / "faults") == report
    page = (tmp_path / "faults.md").read_text()
    assert "| pigeons | > 120 s | ok, 0.1 s |" in page
    assert "+0.80 !" in page
    assert "**missed**" in page
    assert "| **failed** |" in page
