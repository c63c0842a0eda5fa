"""A gateway that is reloaded, stopped, killed, or loses a worker while clients are being served."""

import contextlib
import hashlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.e2e.judging import judge, refreshed, status_of
from tests.gateway.wire import CutShortError, Wire, request, wait_until
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer

MIB = 1 << 20
HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
LARGE = "pool/main/l/large/large_1.0_amd64.deb"
HELD_AT = 600_000
SOURCES = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"


@pytest.fixture
def archive(archive: SimulatedArchive) -> SimulatedArchive:
    archive.add_package("large", "1.0", filling_bytes=2 * MIB)
    archive.publish()
    return archive


@pytest.fixture
def gateway(gateway_process: GatewayFactory, served: ServedArchive) -> GatewayProcess:
    made = gateway_process(served)
    made.start()
    return made


@contextlib.contextmanager
def download(gateway: GatewayProcess, source: SourceServer) -> Iterator[Wire]:
    """A client in the middle of a large package, which the source holds back."""
    gate = source.hold(HELD_AT, LARGE)
    with Wire(gateway.port) as wire:
        wire.send(request(f"/debian/{LARGE}"))
        assert wire.read_head()[0] == 200
        source.wait_for(lambda: gate.held == 1)
        yield wire
        gate.release()


# Reload


def test_reload_drops_no_connection_and_counts_from_the_next_request(
    gateway: GatewayProcess,
    served: ServedArchive,
    archive: SimulatedArchive,
    source_server: SourceServer,
    oracle: Oracle,
) -> None:
    whole = archive.read(LARGE)
    with Wire(gateway.port) as kept, download(gateway, source_server) as wire:
        assert kept.ask(f"http://new.example/debian/{HELLO}", "User-Agent: APT-HTTP/1.3 (2.6.1)").status == 403
        gateway.configure([replace(served, aliases=("http://new.example/debian",))])
        gateway.reload()
        gateway.wait_for(lambda: "read anew" in gateway.log)
        answer = kept.ask(f"http://new.example/debian/{HELLO}")
        assert answer.status == 200
        oracle.check(HELLO, answer.body)
        source_server.release()
        assert wire.take(len(whole)) == whole
    oracle.check(LARGE, whole)


def test_reload_of_broken_settings_changes_nothing(gateway: GatewayProcess, oracle: Oracle) -> None:
    gateway.config.write_text("[gateway]\nno_such_setting = true\n")
    gateway.reload()
    gateway.wait_for(lambda: "stay as they were" in gateway.log)
    assert "no_such_setting" in gateway.log
    oracle.check(HELLO, gateway.get(f"/debian/{HELLO}").body)


# Stop


def test_answers_under_way_go_out_before_the_end(
    gateway: GatewayProcess, archive: SimulatedArchive, source_server: SourceServer, oracle: Oracle
) -> None:
    whole = archive.read(LARGE)
    with Wire(gateway.port) as idle, download(gateway, source_server) as wire:
        assert idle.ask("/debian/dists/stable/InRelease").status == 200
        os.kill(gateway.pid, signal.SIGTERM)
        assert idle.rest() == b"", "who waits for nothing is let go at once"
        source_server.release()
        assert wire.take(len(whole)) == whole
        assert wire.rest() == b""
    wait_until(lambda: not gateway.running)
    assert gateway.stop() == 0
    oracle.check(LARGE, whole)


@pytest.mark.slow
def test_end_does_not_wait_for_ever(gateway: GatewayProcess, source_server: SourceServer) -> None:
    with download(gateway, source_server) as wire:
        begun = time.monotonic()
        assert gateway.stop() == 0
        assert time.monotonic() - begun < 10
        with pytest.raises(CutShortError):
            wire.take(2 * MIB)


# Kill


def held_blobs(gateway: GatewayProcess) -> list[Path]:
    return [path for path in (gateway.state / "cache/blobs").glob("*/*") if path.is_file()]


def assert_whole(gateway: GatewayProcess) -> None:
    """Each blob is what it is called."""
    for blob in held_blobs(gateway):
        assert hashlib.sha256(blob.read_bytes()).hexdigest() == blob.parent.name + blob.name


def test_killed_in_mid_fetch_it_starts_again_and_shows_nothing_partial(
    gateway: GatewayProcess, archive: SimulatedArchive, source_server: SourceServer, oracle: Oracle
) -> None:
    with download(gateway, source_server) as wire:
        gateway.kill9()
        with pytest.raises(CutShortError):
            wire.take(2 * MIB)
    assert_whole(gateway)
    assert list((gateway.state / "cache/tmp").iterdir()), "something was under way"
    source_server.heal()
    gateway.start()
    assert not list((gateway.state / "cache/tmp").iterdir())
    answer = gateway.get(f"/debian/{LARGE}")
    oracle.check(LARGE, answer.body)
    assert len(source_server.asked(LARGE)) == 2


def test_killed_in_mid_adoption_it_serves_what_it_had_and_adopts_then(
    gateway: GatewayProcess, archive: SimulatedArchive, source_server: SourceServer, oracle: Oracle
) -> None:
    served = gateway.get("/debian/dists/stable/InRelease").body
    oracle.check("dists/stable/InRelease", served)
    oracle.admit(archive.generation(archive.published))
    archive.update_package("hello", "2.0")
    archive.publish()
    gate = source_server.hold(None, lambda path: "Packages" in path or "by-hash" in path)
    looking = threading.Thread(target=_look, args=(gateway,))
    looking.start()
    source_server.wait_for(lambda: gate.held >= 1)
    gateway.kill9()
    looking.join(10)
    source_server.refuse()
    gateway.start()
    assert gateway.get("/debian/dists/stable/InRelease").body == served
    assert_whole(gateway)
    source_server.heal()
    assert refreshed(gateway)
    newer = gateway.get("/debian/dists/stable/InRelease").body
    assert newer != served
    oracle.check("dists/stable/InRelease", newer)


def _look(gateway: GatewayProcess) -> None:
    with contextlib.suppress(OSError):
        refreshed(gateway)


@pytest.mark.slow
def test_killed_at_any_moment_of_a_busy_run_it_comes_back_coherent(
    gateway: GatewayProcess, private_apt: AptFactory, archive: SimulatedArchive, oracle: Oracle
) -> None:
    for number in range(8):
        archive.add_package(f"busy{number}", "1.0", filling_bytes=300_000)
    archive.publish()
    for moment in range(6):
        archive.update_package("hello", f"{moment + 2}.0", depends="libgreet1")
        archive.publish()
        oracle.admit(archive.generation(archive.published))
        paths = [f"pool/main/b/busy{number}/busy{number}_1.0_amd64.deb" for number in range(8)]
        clients = [threading.Thread(target=_ask, args=(gateway, path)) for path in paths]
        looking = threading.Thread(target=_look, args=(gateway,))
        for thread in (*clients, looking):
            thread.start()
        time.sleep(0.02 * moment)  # another moment each time, not a wait for anything
        gateway.kill9()
        for thread in (*clients, looking):
            thread.join(20)
        assert_whole(gateway)
        gateway.start()
    assert refreshed(gateway)
    apt = private_apt(SOURCES, proxy=gateway.url)
    apt.update().check()
    assert apt.candidate("hello") == "7.0"
    apt.install("hello", *(f"busy{number}" for number in range(8))).check()
    judge(apt, archive, oracle)


def _ask(gateway: GatewayProcess, path: str) -> None:
    with contextlib.suppress(OSError, CutShortError), Wire(gateway.port) as wire:
        wire.ask(f"/debian/{path}")


def test_store_that_breaks_under_it_ends_requests_with_a_sentence_and_not_the_gateway(
    gateway: GatewayProcess, oracle: Oracle
) -> None:
    held = gateway.get(f"/debian/{HELLO}")
    oracle.check(HELLO, held.body)
    catalogue = gateway.state / "cache/catalogue.db"
    for path in catalogue.parent.glob("catalogue.db*"):
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    with Wire(gateway.port) as wire:
        answers = [wire.ask(f"/debian/pool/main/x/x{number}/x{number}_1_amd64.deb") for number in range(20)]
    assert {answer.status for answer in answers} <= {403, 404, 503}
    assert "the gateway itself cannot answer" in answers[-1].reason
    with Wire(gateway.port) as wire:
        assert wire.ask("http://elsewhere.example/x").status == 403
    assert gateway.running


# Workers


def workers_of(gateway: GatewayProcess) -> list[int]:
    """Its children that serve, oldest first."""
    children = Path(f"/proc/{gateway.pid}/task/{gateway.pid}/children").read_text().split()
    return [int(pid) for pid in children]


@pytest.fixture
def two_workers(gateway_process: GatewayFactory, served: ServedArchive) -> GatewayProcess:
    made = gateway_process(served, arguments=("--workers", "2"))
    made.start()
    assert len(workers_of(made)) == 2
    return made


@pytest.mark.parametrize("which", [0, 1], ids=["the one that keeps the store fresh", "the other"])
def test_worker_that_dies_is_replaced_and_clients_go_on(
    two_workers: GatewayProcess, which: int, archive: SimulatedArchive, oracle: Oracle, private_apt: AptFactory
) -> None:
    before = workers_of(two_workers)
    os.kill(before[which], signal.SIGKILL)
    apt = private_apt(SOURCES, proxy=two_workers.url)
    apt.update().check()
    apt.install("hello").check()
    judge(apt, archive, oracle)
    two_workers.wait_for(lambda: len(workers_of(two_workers)) == 2)
    assert len(set(workers_of(two_workers)) & set(before)) == 1
    archive.update_package("hello", "2.0", depends="libgreet1")
    archive.publish()
    two_workers.wait_for(lambda: _is_told(two_workers))
    assert refreshed(two_workers)
    apt.update().check()
    assert apt.candidate("hello") == "2.0"
    assert two_workers.stop() == 0


def _is_told(gateway: GatewayProcess) -> bool:
    with contextlib.suppress(OSError):
        return bool(status_of(gateway)["ready"]) and refreshed(gateway)
    return False


def test_all_workers_serve_what_one_has_adopted(
    two_workers: GatewayProcess, archive: SimulatedArchive, oracle: Oracle
) -> None:
    oracle.admit(archive.generation(archive.published))
    archive.update_package("hello", "2.0")
    archive.publish()
    assert refreshed(two_workers)
    news = archive.read("dists/stable/InRelease")

    def all_serve_it() -> bool:
        return all(two_workers.get("/debian/dists/stable/InRelease").body == news for _ in range(16))

    wait_until(all_serve_it)
    oracle.check("dists/stable/InRelease", news)
    path = "pool/main/h/hello/hello_2.0_amd64.deb"
    for _ in range(16):
        oracle.check(path, two_workers.get(f"/debian/{path}").body)


def test_status_tells_the_sum_of_all_workers_and_it_survives_them(two_workers: GatewayProcess, oracle: Oracle) -> None:
    count = 32  # each on a connection of its own: the kernel gives both workers some
    for _ in range(count):
        oracle.check(HELLO, two_workers.get(f"/debian/{HELLO}").body)

    def answered() -> int:
        return sum(status_of(two_workers)["traffic"]["by_status"].values())

    wait_until(lambda: answered() == count)
    traffic = status_of(two_workers)["traffic"]
    assert traffic["by_how"]["hit"] + traffic["by_how"]["wait"] == count
    (source,) = status_of(two_workers)["sources"]
    assert source["fetched"] > 0
    before = workers_of(two_workers)
    os.kill(before[1], signal.SIGKILL)
    two_workers.wait_for(lambda: len(set(workers_of(two_workers)) - {before[1]}) == 2)
    assert answered() == count
    assert status_of(two_workers)["sources"] == [source]


def test_workers_end_with_their_parent(two_workers: GatewayProcess) -> None:
    workers = workers_of(two_workers)
    os.kill(two_workers.pid, signal.SIGKILL)
    wait_until(lambda: not any(_lives(pid) for pid in workers))


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
