"""Real Debian: bookworm main amd64 from the archive that this host's own apt names, kept in the cache.

The release is verified with gpgv against the host's debian-archive-keyring, every other file by the
SHA-256 that the release or its index lists.
"""

import hashlib
import os
import re
import shutil
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from bench.apt import PrivateRoot
from bench.process import BenchError, run

SUITE = "bookworm"
INDEX = "main/binary-amd64/Packages.xz"
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SERVER = ("openssh-server", "nginx-light", "curl", "ca-certificates", "rsync", "chrony")
DOWNLOAD_BYTES_MAX = 256 << 20
DOWNLOAD_TIMEOUT_S = 60.0
_PRINTED = re.compile(r"^'file:[^']*?/debian/(pool/[^']+)' \S+ \d+ SHA256:([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Debian:
    """A part of Debian on disk: `tree`/debian has dists/bookworm and what a small server installs."""

    tree: Path
    keyring: Path

    @property
    def index(self) -> str:
        """The path of Packages.xz by its digest."""
        listed = _listed((self.tree / "debian" / "dists" / SUITE / "InRelease").read_text(), INDEX)
        return f"dists/{SUITE}/main/binary-amd64/by-hash/SHA256/{listed}"

    @property
    def pool(self) -> tuple[str, ...]:
        """The packages that are there."""
        root = self.tree / "debian"
        return tuple(sorted(str(path.relative_to(root)) for path in root.glob("pool/**/*.deb")))


def cached(cache: Path) -> Debian:
    """Debian from the cache, fetched now when it is not there. BenchError when the host names none."""
    if not KEYRING.exists():
        raise BenchError("no debian-archive-keyring on this host: apt-get install debian-archive-keyring")
    tree = cache / "debian-1"
    if not tree.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=cache))
        try:
            _fetch_all(making, _host_archive())
            making.chmod(0o755)
            making.rename(tree)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    return Debian(tree, KEYRING)


def _host_archive() -> str:
    """The base address of the Debian archive in the host's own sources, as apt itself reads them."""
    printed = run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(COMPONENT)", "Created-By: Packages"])
    for line in printed.splitlines():
        uri, _, component = line.partition(" ")
        if component == "main" and uri.startswith("http") and uri.rstrip("/").endswith("/debian"):
            return uri.rstrip("/")
    raise BenchError("the host's apt sources name no Debian archive to take bookworm from")


def _fetch_all(tree: Path, archive: str) -> None:
    root = tree / "debian"
    suite = root / "dists" / SUITE
    (suite / INDEX).parent.mkdir(parents=True)
    (suite / "InRelease").write_bytes(_download(f"{archive}/dists/{SUITE}/InRelease"))
    run(["gpgv", "--keyring", str(KEYRING), str(suite / "InRelease")])
    digest = _listed((suite / "InRelease").read_text(), INDEX)
    _store(suite / INDEX, _download(f"{archive}/dists/{SUITE}/{INDEX}"), digest)
    by_hash = (suite / INDEX).parent / "by-hash" / "SHA256" / digest
    by_hash.parent.mkdir(parents=True)
    os.link(suite / INDEX, by_hash)
    for path, expected in _closure(tree, root):
        _store(root / path, _download(f"{archive}/{path}"), expected)


def _closure(tree: Path, root: Path) -> Iterator[tuple[str, str]]:
    """Path and SHA-256 of everything that a bare root installs for `SERVER`, as apt works it out."""
    with tempfile.TemporaryDirectory(prefix="bench-apt-") as scratch:
        apt = PrivateRoot(Path(scratch), f"deb [signed-by={KEYRING}] file:{root} {SUITE} main")
        apt.update()
        printed = apt.get("-o", "Acquire::ForceHash=SHA256", "--print-uris", "-qq", "install", *SERVER)
    found = [(unquote(path), digest) for path, digest in _PRINTED.findall(printed)]
    if not found:
        raise BenchError(f"apt names no packages to install below {tree.name}: {printed[:500]}")
    yield from found


def _listed(release: str, index: str) -> str:
    match = re.search(rf"^ ([0-9a-f]{{64}}) +\d+ {re.escape(index)}$", release, re.MULTILINE)
    if match is None:
        raise BenchError(f"the release lists no {index}")
    return match[1]


def _store(file: Path, content: bytes, digest: str) -> None:
    if hashlib.sha256(content).hexdigest() != digest:
        raise BenchError(f"{file.name} is not what the archive's index lists")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def _download(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_S) as answer:
        content: bytes = answer.read(DOWNLOAD_BYTES_MAX + 1)
    if len(content) > DOWNLOAD_BYTES_MAX:
        raise BenchError(f"{url} is larger than expected")
    return content
