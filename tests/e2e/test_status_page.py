"""The status page of a real gateway: written by itself, published by its owner's command, true when it dies."""

import json
import os
import signal
import stat
import sys
import time
from pathlib import Path
from typing import Any

from tests.cli.commands import tidegate
from tests.conftest import GatewayFactory
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.server import SourceServer


def settings(directory: Path, *, publish: str = "", timeout_s: int = 120) -> str:
    command = [sys.executable, "-c", publish] if publish else []
    return (
        f"[status]\ndirectory = {json.dumps(str(directory))}\ncontact = 'the desk'\nupdate_open_s = 60\n"
        f"publish = {json.dumps(command)}\npublish_timeout_s = {timeout_s}\n[health]\nalone_after_s = 0.5\n"
    )


def told(directory: Path) -> dict[str, Any]:
    path = directory / "status.json"
    found = json.loads(path.read_bytes()) if path.exists() else {}
    assert isinstance(found, dict)
    return found


def headline(directory: Path) -> str:
    return str(told(directory).get("headline", ""))


def kept_current(gateway: GatewayProcess, directory: Path, words: str) -> None:
    gateway.wait_for(lambda: words in headline(directory), 60)


def test_page_follows_what_happens_and_outlives_its_gateway(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive, source_server: SourceServer
) -> None:
    directory = tmp_path / "page"
    published = "import shutil, pathlib; shutil.copy('index.html', pathlib.Path('..') / 'elsewhere.html')"
    gateway = gateway_process(served, settings=settings(directory, publish=published))
    gateway.start()
    kept_current(gateway, directory, "Everything works.")
    gateway.wait_for((tmp_path / "elsewhere.html").exists)
    assert {path.name for path in directory.iterdir()} == {"index.html", "feed.atom", "feed.json", "status.json"}
    source_server.refuse()
    gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb")
    kept_current(gateway, directory, "debian: nothing new comes in.")
    gateway.kill9()
    left = told(directory)
    assert left["written_at"] <= time.time() < left["believe_until"] <= left["written_at"] + 120
    assert "the desk" in (directory / "index.html").read_text()
    done = tidegate(
        "status-page", "--config", str(gateway.config), "--state", str(gateway.state), "--to", str(directory)
    )
    assert done.code == 1, done
    assert headline(directory).startswith("The gateway is not running.")
    assert "debian" in done.out


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


def test_command_that_hangs_keeps_no_page_from_being_written(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive, source_server: SourceServer
) -> None:
    directory = tmp_path / "page"
    hanging = "import pathlib, time; pathlib.Path('../begun').touch(); time.sleep(600)"
    gateway = gateway_process(served, settings=settings(directory, publish=hanging, timeout_s=8))
    gateway.start()
    gateway.wait_for((tmp_path / "begun").exists, 60)
    source_server.refuse()
    gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb")
    kept_current(gateway, directory, "debian: nothing new comes in.")
    gateway.wait_for(lambda: "took more than 8 s" in gateway.log, 60)


def test_command_that_fails_is_told_and_stops_nothing(
    tmp_path: Path, gateway_process: GatewayFactory, served: ServedArchive
) -> None:
    directory = tmp_path / "page"
    gateway = gateway_process(served, settings=settings(directory, publish="import sys; sys.exit('no way there')"))
    gateway.start()
    gateway.wait_for(lambda: "no way there" in gateway.log, 60)
    assert headline(directory)
    assert gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb").status == 200
