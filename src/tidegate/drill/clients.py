"""The fleet: hosts that speak HTTP as apt does, and real apt where there is one. They count what they are given."""

import contextlib
import hashlib
import http.client
import lzma
import os
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from tidegate.drill import private_apt
from tidegate.drill.record import Answer, Request, Run

ANSWER_TIMEOUT_S = 30.0
APT_TIMEOUT_S = 60.0
SAID_CHARS_MAX = 4_000
_INDEX = re.compile(rb"^ ([0-9a-f]{64}) +\d+ main/binary-amd64/Packages\.xz$", re.MULTILINE)
_STATUS = re.compile(r"HTTP/1\.\d (\d+)")
_LENGTH = re.compile(r"Content-Length: (\d+)", re.IGNORECASE)


class Published:
    """Every byte that was ever published, well signed: SHA-256 by path, and publications by what was signed."""

    def __init__(self) -> None:
        self._digests: dict[str, set[str]] = {}
        self._paths: dict[str, set[str]] = {}
        self._generations: dict[str, int] = {}

    def add(self, tree: Path, generation: int, inrelease: str) -> None:
        """A publication's tree."""
        for path in tree.rglob("*"):
            if path.is_file():
                digest = _sha256(path.read_bytes())
                name = str(path.relative_to(tree))
                self._digests.setdefault(name, set()).add(digest)
                self._paths.setdefault(digest, set()).add(name)
        self._generations.setdefault(_sha256((tree / inrelease).read_bytes()), generation)

    def lists(self, path: str, body: bytes) -> bool:
        """Whether these bytes were published under this path."""
        return _sha256(body) in self._digests.get(path, ())

    def has(self, name: str, body: bytes) -> bool:
        """Whether these bytes were published under this name, wherever."""
        return any(path.rpartition("/")[2] == name for path in self._paths.get(_sha256(body), ()))

    def generation(self, inrelease: bytes) -> int:
        """Which publication an InRelease is; 0: none."""
        return self._generations.get(_sha256(inrelease), 0)


@dataclass(frozen=True, slots=True)
class Fleet:
    """What all clients have in common."""

    port: int
    alias: str
    suite: str
    uses: tuple[str, ...]
    published: Published
    told: Callable[[Request], None]
    shown: Callable[[int], None]
    """A client was given this publication."""


class Host:
    """One host: it asks through the gateway as apt does, and has what it fetched before."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._modified = ""
        self._inrelease = b""
        self._index = ""
        self._packages = b""
        self._has: set[str] = set()

    def update(self) -> None:
        """InRelease, the index it lists where that is new, and what is new of what it uses."""
        fleet = self._fleet
        connection = http.client.HTTPConnection("127.0.0.1", fleet.port, timeout=ANSWER_TIMEOUT_S)
        with contextlib.closing(connection):
            body = self._get(connection, f"dists/{fleet.suite}/InRelease", self._modified)
            if body:
                self._inrelease = body
            fleet.shown(fleet.published.generation(self._inrelease))
            found = _INDEX.search(self._inrelease)
            if found is None:
                return
            if self._index != found[1].decode():
                path = f"dists/{fleet.suite}/main/binary-amd64/by-hash/SHA256/{found[1].decode()}"
                packed = self._get(connection, path)
                if not packed:
                    return
                self._index, self._packages = found[1].decode(), lzma.decompress(packed)
            for path in _wanted(self._packages.decode(), fleet.uses):
                if path not in self._has and self._get(connection, path):
                    self._has.add(path)

    def fetch_all_again(self) -> None:
        """As a host that was installed anew does next time."""
        self._modified, self._index = "", ""
        self._has.clear()

    def _get(self, connection: http.client.HTTPConnection, path: str, modified: str = "") -> bytes:
        fleet, begun = self._fleet, time.time()
        status, body, how = 0, b"", ""
        try:
            headers = {"If-Modified-Since": modified} if modified else {}
            connection.request("GET", f"{fleet.alias}/{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
            status, how = answer.status, (answer.getheader("X-Tidegate") or "").split(";")[0].split(" ")[0]
            if status == 200 and path.endswith("InRelease"):
                self._modified = answer.getheader("Last-Modified") or ""
        except (OSError, http.client.HTTPException):
            connection.close()
        is_right = status == 304 or (status == 200 and fleet.published.lists(path, body))
        digest = _sha256(body) if status == 200 else ""
        now = time.time()
        fleet.told(Request(begun, now, status, len(body), is_right, is_used=True, path=path, how=how, digest=digest))
        return body if is_right and status == 200 else b""


class Apt:
    """The real apt-get in a private root: nothing of this machine's configuration is read."""

    def __init__(self, root: Path, fleet: Fleet, keyring: Path) -> None:
        self._root = root
        self._fleet = fleet
        options = {**private_apt.by_proxy(f"http://127.0.0.1:{fleet.port}"), "Debug::Acquire::http": "true"}
        private_apt.prepare(root, options=options)
        shutil.copyfile(keyring, root / "etc/keyring.gpg")
        (root / "etc/sources.list").write_text(
            f"deb [signed-by={root}/etc/keyring.gpg] {fleet.alias} {fleet.suite} main\n"
        )

    @staticmethod
    def is_there() -> bool:
        """Whether this machine has one."""
        return shutil.which("apt-get") is not None and Path("/usr/lib/apt/methods/http").exists()

    def run(self, told: Callable[[Run], None]) -> None:
        """Update, and download all that the fleet uses, as a host that was installed anew."""
        begun = time.time()
        seen = _Seen()
        for path in (self._root / "cache/archives").glob("*.deb"):
            path.unlink()
        ok, said = self._apt(seen, "update", "--error-on=any")
        if ok:
            ok, more = self._apt(seen, "install", "--download-only", "--reinstall", *self._fleet.uses)
            said += more
        told(Run(begun, time.time(), ok and self._files_are_right(), tuple(seen.answers), said[-SAID_CHARS_MAX:]))

    def debs(self) -> list[Path]:
        """What it has fetched."""
        return sorted((self._root / "cache/archives").glob("*.deb"))

    def lists(self) -> list[Path]:
        """Its InRelease, as it keeps it."""
        return sorted((self._root / "state/lists").glob("*InRelease"))

    def _files_are_right(self) -> bool:
        debs = self.debs()
        return len(debs) >= len(self._fleet.uses) and all(
            self._fleet.published.has(deb.name, deb.read_bytes()) for deb in debs
        )

    def _apt(self, seen: "_Seen", *arguments: str) -> tuple[bool, str]:
        said: list[str] = []
        with subprocess.Popen(
            ["apt-get", *arguments],
            env=private_apt.environment(str(self._root)),
            cwd=self._root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            text=True,
            errors="replace",
        ) as process:
            timer = threading.Timer(APT_TIMEOUT_S, _kill, (process.pid,))
            timer.start()
            assert process.stdout is not None
            for line in process.stdout:
                seen.line(line)
                said.append(line)
            process.wait()
            timer.cancel()
        return process.returncode == 0, "".join(said)


class _Seen:
    """The answers that apt says it got (Debug::Acquire::http), as it says so."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self._asked: list[float] = []
        self._status = 0
        self._bytes = 0
        self._in_head = False

    def line(self, line: str) -> None:
        """A line that it printed just now."""
        text = line.strip()
        if text.startswith("GET ") and " HTTP/1." in text:
            self._asked.append(time.time())
        elif text.startswith("Answer for:"):
            self._in_head, self._status, self._bytes = True, 0, 0
        elif self._in_head and (found := _STATUS.match(text)):
            self._status = int(found[1])
        elif self._in_head and (found := _LENGTH.match(text)):
            self._bytes = int(found[1])
        elif self._in_head and not text:
            self._in_head = False
            now = time.time()
            asked = self._asked.pop(0) if self._asked else now
            octets = self._bytes if self._status in (200, 206) else 0
            self.answers.append(Answer(asked, now, self._status, octets))


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _wanted(packages: str, uses: Collection[str]) -> list[str]:
    """Where the index has the packages that the fleet uses."""
    paths = []
    for stanza in packages.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines() if ": " in line and line[0] != " ")
        if fields.get("Package") in uses:
            paths.append(fields["Filename"])
    return paths


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
