"""The README's picture: a gateway and its clients while two mirrors play an old Release back, and then are gone.

Called by docs/img/run.sh within namespaces of its own: there the archive's names resolve, ports are free, and /etc/apt
is ours. Everything in the picture was printed by the programs; blank lines and apt's progress are left out.
"""

import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.realapt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import KeyHome, Keys, make_keys

COLUMNS = 110
WAIT_S = 30.0
NETWORK = "192.0.2.1/24"
MIRRORS = {"archive.example": "192.0.2.10", "mirror-b.example": "192.0.2.20"}
SOURCES = """\
Types: deb
URIs: http://archive.example/debian http://mirror-b.example/debian
Suites: stable
Components: main
Signed-By: /etc/apt/keyrings/example.gpg
"""
# Rich's own frame around the text loads a font from a foreign host; a picture in a README needs none.
FRAME = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}">
<style>
.{unique_id}-matrix {{ font-family: "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: {char_height}px;
line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix" xml:space="preserve">
{matrix}
</g>
</g>
</svg>
"""


class _Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """The client's words are the story, not the mirror's."""


class _Terminal:
    """A program on a terminal of its own, and what it has said so far."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        near, far = pty.openpty()
        self._process = subprocess.Popen(command, env=environment, stdin=far, stdout=far, stderr=far)
        os.close(far)
        self._said = b""
        self._reader = threading.Thread(target=self._read, args=(near,))
        self._reader.start()

    def _read(self, fd: int) -> None:
        try:
            while piece := os.read(fd, 4096):
                self._said += piece
        except OSError:  # how a terminal says that its last program has ended
            pass
        finally:
            os.close(fd)

    @property
    def said(self) -> str:
        return self._said.decode()

    def wait_for(self, text: str) -> None:
        """Until it has said so."""
        deadline = time.monotonic() + WAIT_S
        while text not in self.said:
            assert time.monotonic() < deadline, f"never said {text!r}:\n{self.said}"
            time.sleep(0.02)

    def end(self) -> str:
        """Wait for its end; everything that it said."""
        self._process.wait(WAIT_S)
        self._reader.join()
        return self.said

    def interrupt(self) -> str:
        """Ask it to end."""
        self._process.send_signal(signal.SIGTERM)
        return self.end()


def _own_place(root: Path, keys: Keys) -> None:
    """Names, addresses and /etc/apt for this namespace alone."""
    hosts = root / "hosts"
    hosts.write_text("127.0.0.1 localhost\n" + "".join(f"{at} {name}\n" for name, at in MIRRORS.items()))
    apt = root / "etc-apt"
    for folder in ("sources.list.d", "keyrings", "apt.conf.d"):
        (apt / folder).mkdir(parents=True)
    (apt / "sources.list.d/example.sources").write_text(SOURCES)
    (apt / "keyrings/example.gpg").write_bytes(keys.keyring.read_bytes())
    for command in (
        ("ip", "link", "set", "lo", "up"),
        ("ip", "address", "add", NETWORK, "dev", "lo"),
        ("mount", "--bind", str(hosts), "/etc/hosts"),
        ("mount", "--bind", str(apt), "/etc/apt"),
    ):
        subprocess.run(command, check=True)
    assert {socket.gethostbyname(name) for name in MIRRORS} == set(MIRRORS.values())


def _archive(root: Path, keys: Keys) -> SimulatedArchive:
    archive = SimulatedArchive(root / "archive", keys)
    archive.add_package("hello", "2.10-3", depends="libgreet1")
    archive.add_package("libgreet1", "1.4-1")
    archive.publish()
    archive.update_package("libgreet1", "1.4-1+deb12u1")
    archive.publish()
    return archive


def _mirrors(archive: SimulatedArchive) -> list[ThreadingHTTPServer]:
    top = archive.public.parent / "www"
    top.mkdir()
    (top / "debian").symlink_to(archive.public)
    servers = [ThreadingHTTPServer((at, 80), partial(_Quiet, directory=str(top))) for at in MIRRORS.values()]
    for server in servers:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
    return servers


def _client(root: Path, keys: Keys) -> PrivateApt:
    text = "deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n"
    return PrivateApt(root, text, keyring=keys.keyring, proxy="http://127.0.0.1:3142")


def _story(root: Path, keys: Keys) -> tuple[str, str]:
    """What the gateway's terminal and the client's show in the end."""
    _own_place(root, keys)
    archive = _archive(root, keys)
    servers = _mirrors(archive)
    program = str(Path(sys.executable).with_name("tidegate"))
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(root),
        "STATE_DIRECTORY": str(root / "state"),
        "TERM": "xterm-256color",
        "COLUMNS": str(COLUMNS),
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    shown: list[str] = []

    def ask(*words: str) -> None:
        shown.append(_prompt(f"tidegate {' '.join(words)}"))
        shown.append(_Terminal((program, *words), environment).end())

    def apt(client: PrivateApt, *words: str) -> None:
        shown.append(_prompt(f"apt-get {' '.join(words)}"))
        strictly = ("--error-on=any",) if words[0] == "update" else ()
        said = client.run("apt-get", *strictly, *words)
        shown.extend(f"{line}\n" for line in said.check().said.splitlines() if _is_fetch(line))

    serve = _Terminal((program, "serve"), environment)
    try:
        serve.wait_for("adopted, from")
        one, other = _client(root / "one", keys), _client(root / "other", keys)
        apt(one, "update")
        apt(one, "install", "--download-only", "hello")
        ask("status")
        shown.append(_comment("now both mirrors play an older Release back, validly signed"))
        archive.restore(1)
        archive.replace("dists/stable/InRelease", archive.read("dists/stable/InRelease"), int(time.time()))
        ask("refresh")
        serve.wait_for("older-than-accepted")
        shown.append(_comment("and then both are gone; another client comes"))
        for server in servers:
            server.shutdown()
            server.server_close()
        apt(other, "update")
        apt(other, "install", "--download-only", "hello")
    finally:
        said = serve.interrupt()
    return _prompt("tidegate serve") + said, "".join(shown)


def _is_fetch(line: str) -> bool:
    return line.startswith(("Get:", "Fetched", "E:"))


def _prompt(command: str) -> str:
    return f"\x1b[1;32m$\x1b[0m \x1b[1m{command}\x1b[0m\n"


def _comment(text: str) -> str:
    return f"\x1b[2m# {text}\x1b[0m\n"


def _tidy(said: str) -> Text:
    lines = [line.rstrip() for line in said.replace("\r\n", "\n").split("\n")]
    return Text.from_ansi("\n".join(line for line in lines if re.sub(r"\x1b\[[0-9;]*m", "", line)))


def main(path: Path) -> None:
    """Make the picture."""
    with tempfile.TemporaryDirectory() as directory, KeyHome() as home:
        root = Path(directory)
        gateway, client = _story(root, make_keys(home, root))
    with Path(os.devnull).open("w") as nowhere:
        console = Console(width=COLUMNS, record=True, file=nowhere, color_system="truecolor", force_terminal=True)
        for title, said in (("the gateway", gateway), ("clients", client)):
            console.rule(title, align="left", style="bright_black")
            console.print(_tidy(said))
        svg = console.export_svg(title="tidegate", code_format=FRAME, unique_id="run")
    path.write_text(svg)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
