"""A disk without one free byte: the gateway starts all the same and serves what is held, or says at once why not."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tidegate.cli.exit_codes import ExitCode
from tidegate.store.layout import Layout
from tidegate.store.reserve import NAME, RESERVE_BYTES
from tidegate.store.sqlite import BUSY_TIMEOUT_S

DISK_BYTES = 16 << 20
HELLO = "pool/main/h/hello/hello_1.0_amd64.deb"
PLAIN = "pool/main/p/plain/plain_0.1_amd64.deb"
SETTINGS = "[store]\nfree_bytes_min = 1048576\n"
INRELEASE = "dists/stable/InRelease"


@pytest.fixture
def gateway(tmp_path: Path, served: ServedArchive) -> Iterator[GatewayProcess]:
    """Its state is a file system of DISK_BYTES."""
    made = GatewayProcess(tmp_path / "gateway", (served,), settings=SETTINGS)
    made.state.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES},mode=0700", "tmpfs", str(made.state)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here: that takes CAP_SYS_ADMIN")
    yield made
    made.kill9()
    subprocess.run(["umount", "-l", str(made.state)], check=True)


def fill(disk: Path) -> None:
    with (disk / "ballast").open("ab", buffering=0) as ballast:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError as error:
                assert "No space left" in str(error)  # noqa: PT017 (that it fills up is how the loop ends)


def test_start_on_a_full_disk_serves_what_is_held_and_without_its_reserve_says_at_once_what_is_wrong(
    gateway: GatewayProcess, oracle: Oracle
) -> None:
    layout = Layout(gateway.state, gateway.state / "cache")
    gateway.start()
    oracle.check(HELLO, gateway.get(f"/debian/{HELLO}").body)
    assert gateway.stop() == 0
    reserves = [directory / NAME for directory in (layout.state, layout.cache)]
    assert [reserve.stat().st_blocks * 512 for reserve in reserves] == [RESERVE_BYTES] * 2
    fill(gateway.state)
    gateway.start()
    assert "the disk is full" in gateway.log
    for path in (HELLO, INRELEASE, PLAIN):  # the last was not held: it is streamed, and not kept
        oracle.check(path, gateway.get(f"/debian/{path}").body)
    assert gateway.stop() == 0
    for reserve in reserves:
        reserve.unlink(missing_ok=True)
    fill(gateway.state)
    begun = time.monotonic()
    where = ("--state", str(gateway.state), "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
    done = gateway.command("serve", "--config", str(gateway.config), *where)
    assert time.monotonic() - begun < BUSY_TIMEOUT_S / 2
    assert done.returncode == ExitCode.IO_ERROR
    assert b"the disk is full" in done.stderr
    assert b"free 1 MiB there" in done.stderr
