"""What is measured about processes, and that none is left behind."""

import sys
import time
from pathlib import Path

import pytest
from bench.process import BenchError, cpu_s, free_port, memory, run, spawn, tree, trim

BURN = "import time; t = time.process_time\nwhile t() < 0.3: pass\nprint('burnt', flush=True); time.sleep(60)"
PARENT = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN!r}])"
LISTEN = "import socket, sys, time; s = socket.create_server(('127.0.0.1', {})); time.sleep(60)"


def test_cpu_and_memory_count_the_children_and_stop_ends_them_all(tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = spawn("parent", [sys.executable, "-c", PARENT], log=log)
    try:
        deadline = time.monotonic() + 30
        while b"burnt" not in log.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.01)
        members = tree(server.pid)
        assert len(members) == 2
        assert cpu_s(server.pid) >= 0.3
        held = memory(server.pid)
        assert held.processes == 2
        assert 0 < held.pss <= held.rss
    finally:
        server.stop()
    assert server.process.returncode is not None
    deadline = time.monotonic() + 10
    while any(_runs(member) for member in members) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(_runs(member) for member in members)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_port_is_awaited_until_it_listens(tmp_path: Path) -> None:
    port = free_port()
    server = spawn("listener", [sys.executable, "-c", LISTEN.format(port)], log=tmp_path / "log")
    try:
        server.await_port(port)
    finally:
        server.stop()


def test_a_server_that_ends_is_told_with_what_it_printed(tmp_path: Path) -> None:
    server = spawn("dying", [sys.executable, "-c", "raise SystemExit('no such setting')"], log=tmp_path / "log")
    with pytest.raises(BenchError, match="dying ended with 1: no such setting"):
        server.await_port(free_port())


def test_a_missing_program_is_told_with_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no-such-program is not installed.*apt-get install"):
        spawn("none", ["no-such-program"], log=tmp_path / "log")


def test_a_failing_command_is_told_with_what_it_printed() -> None:
    with pytest.raises(BenchError, match="ended with 3: sorry"):
        run([sys.executable, "-c", "print('sorry'); raise SystemExit(3)"])


def test_a_log_is_emptied_only_when_it_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"12345678")
    trim(log)
    assert log.stat().st_size == 8
    monkeypatch.setattr("bench.process.LOG_BYTES_MAX", 4)
    trim(log)
    assert log.stat().st_size == 0
