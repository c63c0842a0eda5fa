"""The gateway as the systemd unit confines it: it says when it is ready, and needs no forbidden system call."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import AptFactory, GatewayFactory
from tests.gateway_process import ServedArchive

UNIT = Path(__file__).parents[2] / "packaging" / "tidegate.service"
READY_TIMEOUT_S = 30.0
SOURCES = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
TWO_WORKERS = "[gateway]\nworkers = 2\n"


def known_sets() -> dict[str, set[str]]:
    """systemd's sets of system calls, each wholly unfolded."""
    said = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager"], capture_output=True, text=True, timeout=30, check=True
    ).stdout
    members: dict[str, set[str]] = {}
    name = ""
    for line in said.splitlines():
        word = line.strip()
        if line.startswith("@"):
            name = word
            members[name] = set()
        elif name and word and not word.startswith("#"):
            members[name].add(word)

    def unfolded(name: str) -> set[str]:
        return {call for member in members[name] for call in (unfolded(member) if member[0] == "@" else {member})}

    return {name: unfolded(name) for name in members}


def allowed_by(unit: str) -> set[str]:
    """The system calls that the unit's SystemCallFilter lines leave (systemd.exec(5))."""
    sets = known_sets()
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.+)$", unit, re.MULTILINE):
        calls = {call for word in line.lstrip("~").split() for call in sets.get(word, {word})}
        allowed = allowed - calls if line.startswith("~") else allowed | calls
    return allowed | sets["@default"]


@pytest.mark.parametrize("settings", ["", TWO_WORKERS], ids=["one worker", "two workers"])
def test_systemd_is_told_when_the_gateway_is_ready(
    settings: str, served: ServedArchive, gateway_process: GatewayFactory, tmp_path: Path
) -> None:
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(address))
        manager.settimeout(READY_TIMEOUT_S)
        gateway = gateway_process(served, settings=settings, environment={"NOTIFY_SOCKET": str(address)})
        gateway.start()
        assert manager.recv(4096).decode() == "READY=1"


@pytest.mark.slow
def test_gateway_makes_no_system_call_that_the_unit_forbids(
    served: ServedArchive,
    gateway_process: GatewayFactory,
    private_apt: AptFactory,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace, traced = tmp_path / "trace", tmp_path / "python"
    # -D: strace becomes the grandchild, so the process that is signalled is the gateway itself.
    traced.write_text(f'#!/bin/sh\nexec {shutil.which("strace")} -D -f -qq -o {trace} {sys.executable} "$@"\n')
    traced.chmod(0o755)
    gateway = gateway_process(served, settings=TWO_WORKERS)
    with monkeypatch.context() as patched:
        patched.setattr(sys, "executable", str(traced))
        gateway.start()
    client = private_apt(SOURCES, proxy=gateway.url)
    client.update().check()
    client.install("hello").check()
    gateway.reload()
    gateway.wait_for(lambda: "read anew" in gateway.log)
    assert gateway.stop() == 0

    called = set(re.findall(r"^\d+ +([a-z0-9_]+)\(", trace.read_text(errors="replace"), re.MULTILINE))
    assert {"sendfile", "epoll_wait", "fsync"} & called, "nothing was traced"
    # SQLite hands its -wal to the database's owner, if it is root; the service is not.
    of_root = {"fchown"} if os.geteuid() == 0 else set()
    assert called - allowed_by(UNIT.read_text()) - of_root == set()
