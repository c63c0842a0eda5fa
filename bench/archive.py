"""The test archive: generated once, really signed, with files of the sizes that the claims name.

Contents are random bytes under Debian's names: what is measured is carrying and verifying them, not
installing them. Every file differs, so a store that names blobs by digest gains nothing from twins.
"""

import hashlib
import json
import lzma
import os
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from email.utils import formatdate
from pathlib import Path

from bench.process import run

KIB = 1 << 10
MIB = 1 << 20
BLOCK_BYTES = MIB
LAYOUT = 1  # raise when the layout below changes: a cached archive of another layout is made anew


@dataclass(frozen=True, slots=True)
class Scale:
    """How much of everything there is. `FULL` is what the claims name; `QUICK` only proves the way."""

    name: str
    spread_files: int
    medium_files: int
    medium_bytes: int
    large_bytes: int
    many_files: int
    flight_bytes: int


FULL = Scale("full", 5_000, 4, 50 * MIB, 500 * MIB, 2_000, 100 * MIB)
QUICK = Scale("quick", 200, 2, 10 * MIB, 64 * MIB, 100, 32 * MIB)


@dataclass(frozen=True, slots=True)
class Item:
    """One file of the pool: path below the archive's root, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Archive:
    """A published archive on disk. `groups` holds the pool's files by what they are for."""

    name: str
    root: Path
    keyring: Path
    suite: str
    groups: dict[str, tuple[Item, ...]]

    def paths(self, group: str) -> tuple[str, ...]:
        """The paths of one group, in a fixed order."""
        return tuple(item.path for item in self.groups[group])

    def digests(self) -> dict[str, bytes]:
        """What each path must hash to."""
        return {item.path: bytes.fromhex(item.sha256) for group in self.groups.values() for item in group}


def published(cache: Path, scale: Scale) -> Archive:
    """The archive of that scale, from the cache or made now (a few seconds per GB)."""
    home = cache / f"archive-{scale.name}-{LAYOUT}"
    if not home.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        making = Path(tempfile.mkdtemp(prefix="making-", dir=cache))
        try:
            _publish(making, scale)
            making.chmod(0o755)
            making.rename(home)
        finally:
            shutil.rmtree(making, ignore_errors=True)
    listed = json.loads((home / "manifest.json").read_text())
    groups = {name: tuple(Item(**item) for item in items) for name, items in listed.items()}
    return Archive("bench", home / "tree" / "bench", home / "bench.gpg", "stable", groups)


def _publish(home: Path, scale: Scale) -> None:
    root = home / "tree" / "bench"
    plan = {
        "1 KiB": (scale.spread_files, KIB),
        "100 KiB": (scale.spread_files, 100 * KIB),
        "50 MiB": (scale.medium_files, scale.medium_bytes),
        "large": (1, scale.large_bytes),
        "many": (scale.many_files, 100 * KIB),
        "flight": (1, scale.flight_bytes),
    }
    groups = {name: tuple(_pool(root, name, *what)) for name, what in plan.items()}
    listed = {name: [asdict(item) for item in items] for name, items in groups.items()}
    (home / "manifest.json").write_text(json.dumps(listed))
    _indices(root / "dists" / "stable", [item for items in groups.values() for item in items])
    _sign(root / "dists" / "stable", home / "bench.gpg")


def _pool(root: Path, group: str, count: int, size: int) -> Iterator[Item]:
    stem = group.replace(" ", "").lower()
    for number in range(count):
        package = f"{stem}-{number:05d}"
        path = f"pool/main/{stem[0]}/{package}/{package}_1.0-1_amd64.deb"
        file = root / path
        file.parent.mkdir(parents=True)
        digest = hashlib.sha256()
        with file.open("wb") as out:
            for block in _random_blocks(package, size):
                digest.update(block)
                out.write(block)
        yield Item(path, size, digest.hexdigest())


def _random_blocks(seed: str, size: int) -> Iterator[bytes]:
    source = random.Random(seed)
    for start in range(0, size, BLOCK_BYTES):
        yield source.randbytes(min(BLOCK_BYTES, size - start))


def _indices(suite: Path, items: Iterable[Item]) -> None:
    packages = "\n".join(_stanza(item) for item in items).encode()
    files = {
        "main/binary-amd64/Packages": packages,
        "main/binary-amd64/Packages.xz": lzma.compress(packages),
    }
    lines = []
    for path, content in files.items():
        digest = hashlib.sha256(content).hexdigest()
        file = suite / path
        by_hash = file.parent / "by-hash" / "SHA256" / digest
        by_hash.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        os.link(file, by_hash)
        lines.append(f" {digest} {len(content)} {path}\n")
    (suite / "Release").write_text(
        "Origin: Bench\nLabel: Bench\nSuite: stable\nCodename: stable\n"
        f"Date: {formatdate(usegmt=True).replace('GMT', 'UTC')}\n"
        "Acquire-By-Hash: yes\nArchitectures: amd64\nComponents: main\n"
        "Description: files to measure with\nSHA256:\n" + "".join(lines)
    )


def _stanza(item: Item) -> str:
    package, version, _ = Path(item.path).stem.split("_")
    return (
        f"Package: {package}\nVersion: {version}\nArchitecture: amd64\n"
        "Maintainer: Bench <bench@bench.example>\nSection: misc\nPriority: optional\n"
        f"Filename: {item.path}\nSize: {item.size}\nSHA256: {item.sha256}\n"
        "Description: bytes to measure with\n"
    )


def _sign(suite: Path, keyring: Path) -> None:
    """Sign with a key that is forgotten right after; its public half is the keyring."""
    with tempfile.TemporaryDirectory(prefix="bench-gpg-") as gnupg:
        gpg = ["gpg", "--homedir", gnupg, "--batch", "--quiet", "--pinentry-mode", "loopback"]
        owner = "Bench <bench@bench.example>"
        run([*gpg, "--passphrase", "", "--quick-generate-key", owner, "rsa3072", "sign", "never"])
        release = str(suite / "Release")
        run([*gpg, "--output", str(suite / "InRelease"), "--clear-sign", release])
        run([*gpg, "--output", f"{release}.gpg", "--armor", "--detach-sign", release])
        run([*gpg, "--output", str(keyring), "--export"])
        run(["gpgconf", "--homedir", gnupg, "--kill", "all"])
