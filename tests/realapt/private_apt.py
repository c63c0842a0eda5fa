"""The real apt-get with a root of its own, shielded from the machine's configuration (`drill/private_apt.py`)."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tidegate.drill.private_apt import by_proxy, environment, prepare

APT_TIMEOUT_S = 90.0
UNPACK_TIMEOUT_S = 30.0
NOISE = ("lock", "partial", "auxfiles")  # what apt keeps beside its lists


@dataclass(frozen=True, slots=True)
class Result:
    """How a command of apt ended."""

    exit: int
    stdout: str
    stderr: str
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """Whether it ended in time and with 0."""
        return self.exit == 0 and not self.timed_out

    @property
    def said(self) -> str:
        """Everything that a person would have read."""
        return self.stdout + self.stderr

    def check(self) -> "Result":
        """Itself, or an assertion with all that was said."""
        assert self.ok, f"exit {self.exit}, timed out: {self.timed_out}\n{self.said}"
        return self


class PrivateApt:
    """One client: its sources, its lists, its cache. Works as root and as a plain user.

    `sources` is the text of a sources.list, or of a deb822 .sources file when it begins with a field.
    `chroot` is a tree (debootstrap's) whose apt and libraries are used instead of this machine's; its
    private root is then made inside that tree, and `keyring`, where given, is copied there (in `sources`
    write `@KEYRING@` for its path). `options` are lines such as {"Acquire::PDiffs": "false"}; `environment` is added to
    apt's own.
    """

    def __init__(
        self,
        root: Path,
        sources: str,
        *,
        proxy: str | None = None,
        keyring: Path | None = None,
        architecture: str = "amd64",
        languages: tuple[str, ...] = ("none",),
        options: Mapping[str, str] | None = None,
        chroot: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout_s: float = APT_TIMEOUT_S,
    ) -> None:
        self._chroot = chroot
        self._environment = dict(environment or {})
        self._timeout_s = timeout_s
        self.root = root
        if chroot is not None:
            self.root = Path(tempfile.mkdtemp(prefix="private-apt-", dir=chroot / "var/tmp"))
        together = {**(options or {}), **by_proxy(proxy)}
        prepare(self.root, inside=self.inside, architecture=architecture, languages=languages, options=together)
        self.unpacked.mkdir(exist_ok=True)
        self.sources_directory.mkdir(exist_ok=True)
        if keyring is not None:
            shutil.copyfile(keyring, self.root / f"etc/keyring{keyring.suffix}")
            sources = sources.replace("@KEYRING@", f"{self.inside}/etc/keyring{keyring.suffix}")
        self.use_sources(sources)

    def close(self) -> None:
        """Remove the private root, wherever it is."""
        shutil.rmtree(self.root, ignore_errors=True)

    # What a client does

    def update(self, *arguments: str) -> Result:
        """`apt-get update`, where every failure counts."""
        return self.run("apt-get", "update", "--error-on=any", *arguments)

    def download(self, *packages: str) -> Result:
        """Fetch packages with all they depend on; they are then in `debs`."""
        return self.run("apt-get", "install", "--download-only", "--reinstall", *packages)

    def install(self, *packages: str) -> Result:
        """Fetch packages with all they depend on, and unpack them below `unpacked`."""
        fetched = self.download(*packages)
        for deb in self.debs() if fetched.ok else ():
            subprocess.run(
                ["dpkg-deb", "--extract", str(deb), str(self.unpacked)],
                check=True,
                capture_output=True,
                timeout=UNPACK_TIMEOUT_S,
            )
        return fetched

    def source(self, package: str, *arguments: str) -> Result:
        """`apt-get source`: fetched and unpacked below `sources_directory`."""
        return self.run("apt-get", "source", *arguments, package, directory=self.sources_directory)

    def run(self, *command: str, directory: Path | None = None) -> Result:
        """Any command with this root's configuration, within the time limit."""
        inside = str(directory or self.root)
        if self._chroot is not None:
            inside = "/" + str(Path(inside).relative_to(self._chroot))
            become_root = () if os.geteuid() == 0 else ("unshare", "--map-root-user")
            command = (*become_root, "chroot", str(self._chroot), "env", f"--chdir={inside}", *command)
        together = {**environment(self.inside), **self._environment}
        return _bounded(command, together, None if self._chroot else Path(inside), self._timeout_s)

    # What it has then

    def lists(self) -> dict[str, Path]:
        """apt's lists: file name (the address with slashes as underscores) and file."""
        folder = self.root / "state/lists"
        return {path.name: path for path in sorted(folder.iterdir()) if path.name not in NOISE}

    def debs(self) -> tuple[Path, ...]:
        """The packages fetched so far."""
        return tuple(sorted((self.root / "cache/archives").glob("*.deb")))

    def candidate(self, package: str) -> str | None:
        """The version that an install would take, by the lists as they are."""
        policy = self.run("apt-cache", "policy", package).check()
        found = re.search(r"^ +Candidate: (\S+)$", policy.stdout, re.MULTILINE)
        return found.group(1) if found and found.group(1) != "(none)" else None

    def version(self) -> tuple[int, ...]:
        """apt's own version, numbers only."""
        said = self.run("apt-get", "--version").check().stdout
        return tuple(int(number) for number in re.findall(r"\d+", said.split()[1]))

    @property
    def inside(self) -> str:
        """The root as apt sees it."""
        return str(self.root) if self._chroot is None else "/" + str(self.root.relative_to(self._chroot))

    @property
    def unpacked(self) -> Path:
        """Where `install` unpacks."""
        return self.root / "unpacked"

    @property
    def sources_directory(self) -> Path:
        """Where `source` unpacks."""
        return self.root / "sources"

    def use_sources(self, text: str) -> None:
        """Put other sources in place."""
        old, new = self.root / "etc/sources.list", self.root / "etc/sources.list.d/test.sources"
        deb822 = re.match(r"[A-Z][A-Za-z-]*:", text) is not None
        old.write_text("" if deb822 else text)
        new.write_text(text if deb822 else "")

    def forget_lists(self) -> None:
        """As if it had never updated."""
        for path in self.lists().values():
            path.unlink()

    def forget_packages(self) -> None:
        """As if it had never fetched a package."""
        for path in self.debs():
            path.unlink()

    # Within


def _bounded(
    command: tuple[str, ...], environment: Mapping[str, str], directory: Path | None, timeout_s: float
) -> Result:
    """Run in a process group of its own, and end the whole group when the time is up."""
    begun = time.monotonic()
    with subprocess.Popen(
        command,
        env=environment,
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        timed_out = False
        try:
            out, err = process.communicate(timeout=timeout_s)
        except subprocess.TimeoutExpired:
            timed_out = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
    seconds = time.monotonic() - begun
    said = (out.decode(errors="replace"), err.decode(errors="replace"))
    return Result(process.returncode, *said, seconds, timed_out)
