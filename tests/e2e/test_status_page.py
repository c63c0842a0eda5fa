"""The status page of a real gateway: written by itself, published by its owner's command, true when it dies."""

import json
import os
import signal
import stat
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cli.commands import tidegate
from tests.conftest import GatewayFactory
from tests.e2e.test_desk import free_port
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.server import SourceServer
from tests.wiring.bucket import ACCESS, BUCKET, REGION, SECRET, strict_bucket


def settings(directory: Path, *, publish: Sequence[str] = (), **others: str) -> str:
    status = {"directory": str(directory), "contact": "the desk", "publish": list(publish), **others}
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in status.items())
    return f"[status]\n{lines}update_open_s = 60\npublish_timeout_s = 8\n[health]\nalone_after_s = 0.5\n"


def told(directory: Path) -> dict[str, Any]:
    path = directory / "status.json"
    found = json.loads(path.read_bytes()) if path.exists() else {}
    assert isinstance(found, dict)
    return found


def headline(directory: Path) -> str:
    return str(told(directory).get("headline", ""))


def kept_current(gateway: GatewayProcess, directory: Path, words: str) -> None:
    gateway.wait_for(lambda: words in headline(directory), 60)


def test_page_follows_what_happens_goes_elsewhere_and_outlives_its_gateway(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive, source_server: SourceServer
) -> None:
    directory, web, key = tmp_path / "page", tmp_path / "web", tmp_path / "key"
    web.mkdir()
    key.write_text(f"[default]\naws_access_key_id = {ACCESS}\naws_secret_access_key = {SECRET}\n")
    with rsync_daemon(tmp_path, web) as port, strict_bucket() as keeper:
        command = ["rsync", "--archive", "--delete-after", "--exclude=.*", "./", f"rsync://127.0.0.1:{port}/status/"]
        bucket = {"s3": f"s3://{BUCKET}", "s3_endpoint": keeper.url, "s3_region": REGION}
        keeper.hangs.set()
        gateway = gateway_process(
            served, settings=settings(directory, publish=command, **bucket, s3_credentials_file=str(key))
        )
        gateway.start()
        kept_current(gateway, web, "Everything works.")
        source_server.refuse()
        gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb")
        kept_current(gateway, directory, "debian: nothing new comes in.")
        gateway.wait_for(lambda: f"{bucket['s3']} took more than 8 s" in gateway.log, 60)
        keeper.hangs.clear()

        def is_everywhere() -> bool:
            here = {path.name: path.read_bytes() for path in directory.iterdir()}
            there = {path.name: path.read_bytes() for path in web.iterdir()}
            kept = {path.removeprefix(f"/{BUCKET}/"): body for path, (body, _) in keeper.objects.items()}
            return here == there == kept and here.keys() == {"index.html", "feed.atom", "feed.json", "status.json"}

        gateway.wait_for(is_everywhere, 60)
        gateway.wait_for(lambda: "the status page is published again" in gateway.log, 60)
        gateway.kill9()
    left = told(directory)
    assert left["written_at"] <= time.time() < left["believe_until"] <= left["written_at"] + 120
    assert "the desk" in (directory / "index.html").read_text()
    written = b"".join(path.read_bytes() for path in gateway.state.rglob("*") if path.is_file())
    assert SECRET not in gateway.log
    assert SECRET.encode() not in written
    arguments = ("status-page", "--config", gateway.config, "--state", gateway.state, "--to", directory)
    done = tidegate(*arguments)
    assert done.code == 1, done
    assert headline(directory).startswith("The gateway is not running.")
    assert "debian" in done.out


@contextmanager
def rsync_daemon(folder: Path, module: Path) -> Iterator[int]:
    """The real one, which lets anybody on this machine write into `module`. Its port."""
    port = free_port()
    who = f"uid = {os.getuid()}\ngid = {os.getgid()}\n"
    (folder / "rsyncd.conf").write_text(
        f"{who}use chroot = false\n[status]\npath = {module}\nread only = false\nhosts allow = 127.0.0.1\n"
    )
    arguments = ["rsync", "--daemon", "--no-detach", "--address=127.0.0.1", f"--port={port}"]
    with subprocess.Popen([*arguments, f"--config={folder}/rsyncd.conf"], stderr=subprocess.DEVNULL) as child:
        try:
            yield port
        finally:
            child.terminate()


def test_page_is_readable_by_a_server_of_files_and_never_half_written(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive
) -> None:
    gateway = gateway_process(served)
    gateway.start()
    arguments = ("status-page", "--config", gateway.config, "--state", gateway.state)
    directory = tmp_path / "page"
    directory.mkdir()
    (directory / "index.html").symlink_to(tmp_path / "else")
    (tmp_path / "else").write_text("mine")
    done = tidegate(*arguments, "--to", directory, "--json")
    assert done.code == 0, done
    assert done.json["headline"] == "Everything works."
    assert (tmp_path / "else").read_text() == "mine"
    index = directory / "index.html"
    assert not index.is_symlink()
    assert stat.S_IMODE(index.stat().st_mode) == 0o644
    assert tidegate(*arguments, "--to", tmp_path / "else").code != 0


def test_page_that_is_asked_for_by_a_reload_is_written(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive
) -> None:
    gateway = gateway_process(served)
    gateway.start()
    gateway.configure([served], settings(tmp_path / "page"))
    os.kill(gateway.pid, signal.SIGHUP)
    kept_current(gateway, tmp_path / "page", "Everything works.")
