"""The real apt in a root of its own, shielded from the host's configuration, lists and caches."""

import shutil
import time
from pathlib import Path

from bench.process import run

_CONF = """\
Dir "{root}";
Dir::State "var/lib/apt";
Dir::State::status "{root}/var/lib/dpkg/status";
Dir::Cache "var/cache/apt";
Dir::Log "var/log/apt";
Dir::Etc "etc/apt";
Dir::Etc::parts "apt.conf.d";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Install-Recommends "false";
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::http::Proxy "{proxy}";
Acquire::https::Proxy "{proxy}";
Dpkg::Use-Pty "false";
"""


class PrivateRoot:
    """One client: its sources, its lists, an empty dpkg status."""

    def __init__(self, root: Path, source: str, *, proxy: str = "DIRECT") -> None:
        self._root = root
        for name in (
            "etc/apt/apt.conf.d",
            "etc/apt/preferences.d",
            "etc/apt/sources.list.d",
            "etc/apt/trusted.gpg.d",
            "var/lib/apt/lists/partial",
            "var/cache/apt/archives/partial",
            "var/lib/dpkg",
            "var/log/apt",
        ):
            (root / name).mkdir(parents=True, exist_ok=True)
        (root / "etc/apt/sources.list").write_text(f"{source}\n")
        (root / "var/lib/dpkg/status").touch()
        self._conf = root / "apt.conf"
        self._conf.write_text(_CONF.format(root=root, proxy=proxy))

    def get(self, *arguments: str) -> str:
        """`apt-get` with those arguments; what it printed. BenchError when it fails."""
        return run(["apt-get", *arguments], env={"APT_CONFIG": str(self._conf), "LC_ALL": "C.UTF-8"})

    def update(self) -> float:
        """`apt-get update` where any failure counts; seconds it took."""
        began = time.perf_counter()
        self.get("-q", "update", "--error-on=any")
        return time.perf_counter() - began

    def download(self, *packages: str) -> float:
        """Download what installing those packages takes, from nothing; seconds it took."""
        archives = self._root / "var/cache/apt/archives"
        shutil.rmtree(archives)
        (archives / "partial").mkdir(parents=True)
        began = time.perf_counter()
        self.get("-qq", "-y", "--download-only", "install", *packages)
        return time.perf_counter() - began

    def downloaded(self) -> int:
        """How many packages the last download brought."""
        return len(list((self._root / "var/cache/apt/archives").glob("*.deb")))
