"""Real packages, built in memory: .deb files that dpkg unpacks and .dsc sets that dpkg-source unpacks.

A .deb is written here and not by dpkg-deb because a test wants a hundred of them in a second
(deb(5): an ar archive of debian-binary, control.tar and data.tar).
"""

import functools
import hashlib
import io
import lzma
import random
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EPOCH = 1_700_000_000  # mtime within packages: the same input gives the same bytes
FILLING_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class File:
    """A file on disk as an index lists it."""

    name: str
    size: int
    md5: str
    sha1: str
    sha256: str


@dataclass(frozen=True, slots=True)
class SourceSet:
    """A source package: the fields of its .dsc and the files beside it, the .dsc first."""

    fields: Mapping[str, str]
    files: tuple[File, ...]


def file_facts(path: Path) -> File:
    """Size and digests of a file, as Packages and Sources state them."""
    digests = [hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")]
    with path.open("rb") as stream:
        while block := stream.read(FILLING_BLOCK_BYTES):
            for digest in digests:
                digest.update(block)
    md5, sha1, sha256 = (digest.hexdigest() for digest in digests)
    return File(path.name, path.stat().st_size, md5, sha1, sha256)


def write_deb(path: Path, fields: Mapping[str, str], files: Mapping[str, bytes], filling_bytes: int = 0) -> None:
    """Write a binary package.

    `fields` is its control stanza. `files` maps installed paths to contents. `filling_bytes` more of
    incompressible data make it as large as a test wants; then data.tar stays uncompressed and is fast.
    """
    package = fields["Package"]
    control = _tar({"control": stanza(fields).encode()})
    contents = {f"usr/share/doc/{package}/README": f"{package} {fields['Version']}\n".encode(), **files}
    if filling_bytes:
        contents[f"usr/share/{package}/filling"] = filling(filling_bytes, package + fields["Version"])
    data = _tar(contents)
    name = "data.tar" if filling_bytes else "data.tar.xz"
    with fresh_file(path).open("wb") as out:
        out.write(b"!<arch>\n")
        _ar_member(out, "debian-binary", b"2.0\n")
        _ar_member(out, "control.tar.xz", _xz(control))
        _ar_member(out, name, data if filling_bytes else _xz(data))


def write_source(directory: Path, name: str, version: str, binaries: str, files: Mapping[str, bytes]) -> SourceSet:
    """Write NAME_VERSION.dsc, its orig tarball and its debian tarball ("3.0 (quilt)") into `directory`."""
    upstream = version.rpartition("-")[0] or version
    bare = _without_epoch(version)
    bare_upstream = _without_epoch(upstream)
    orig = directory / f"{name}_{bare_upstream}.orig.tar.xz"
    fresh_file(orig).write_bytes(_xz(_tar({f"{name}-{bare_upstream}/{path}": body for path, body in files.items()})))
    debian = directory / f"{name}_{bare}.debian.tar.xz"
    fresh_file(debian).write_bytes(_xz(_tar(_debian_directory(name, version, binaries))))
    fields = {
        "Format": "3.0 (quilt)",
        "Source": name,
        "Binary": binaries,
        "Architecture": "any",
        "Version": version,
        "Maintainer": "Simulator <simulator@archive.example>",
        "Standards-Version": "4.6.2",
        "Build-Depends": "debhelper-compat (= 13)",
    }
    tarballs = (file_facts(orig), file_facts(debian))
    dsc = directory / f"{name}_{bare}.dsc"
    fresh_file(dsc).write_text(stanza({**fields, **source_checksums(tarballs)}))
    return SourceSet(fields, (file_facts(dsc), *tarballs))


def fresh_file(path: Path) -> Path:
    """The path, free to be written: an older publication may hold a hard link to what was there."""
    path.unlink(missing_ok=True)
    return path


def source_checksums(files: tuple[File, ...]) -> dict[str, str]:
    """Checksums-Sha1, Checksums-Sha256 and Files, as a .dsc and a Sources index have them."""
    return {
        "Checksums-Sha1": "".join(f"\n {f.sha1} {f.size} {f.name}" for f in files),
        "Checksums-Sha256": "".join(f"\n {f.sha256} {f.size} {f.name}" for f in files),
        "Files": "".join(f"\n {f.md5} {f.size} {f.name}" for f in files),
    }


def stanza(fields: Mapping[str, str]) -> str:
    """One deb822 stanza, closing newline included. A value that begins with a newline is folded."""
    return "".join(
        f"{name}:{value}\n" if value.startswith("\n") else f"{name}: {value}\n" for name, value in fields.items()
    )


def filling(size: int, seed: str) -> bytes:
    """`size` bytes that differ by seed and do not compress within a block."""
    block = random.Random(seed).randbytes(min(size, FILLING_BLOCK_BYTES))  # noqa: S311  (filling, no secret)
    return (block * (size // len(block) + 1))[:size] if size else b""


def _without_epoch(version: str) -> str:
    return version.partition(":")[2] or version


def _debian_directory(name: str, version: str, binaries: str) -> dict[str, bytes]:
    changelog = (
        f"{name} ({version}) stable; urgency=medium\n\n  * Simulated.\n\n"
        " -- Simulator <simulator@archive.example>  Tue, 14 Nov 2023 22:13:20 +0000\n"
    )
    control = f"Source: {name}\nMaintainer: Simulator <simulator@archive.example>\n" + "".join(
        f"\nPackage: {binary.strip()}\nArchitecture: any\nDescription: simulated\n" for binary in binaries.split(",")
    )
    return {
        "debian/changelog": changelog.encode(),
        "debian/control": control.encode(),
        "debian/rules": b"#!/usr/bin/make -f\n%:\n\tdh $@\n",
        "debian/source/format": b"3.0 (quilt)\n",
    }


def _tar(files: Mapping[str, bytes]) -> bytes:
    """A tar of `files` with every folder above them, as dpkg wants it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        folders = {str(parent) for path in files for parent in Path(path).parents} - {"."}
        for folder in [".", *sorted(folders)]:
            entry = tarfile.TarInfo("./" if folder == "." else f"./{folder}/")
            entry.type, entry.mode, entry.mtime = tarfile.DIRTYPE, 0o755, EPOCH
            tar.addfile(entry)
        for path, body in files.items():
            entry = tarfile.TarInfo(f"./{path}")
            entry.size, entry.mode, entry.mtime = len(body), 0o644, EPOCH
            tar.addfile(entry, io.BytesIO(body))
    return out.getvalue()


@functools.lru_cache(maxsize=512)
def _xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


def _ar_member(out: io.BufferedWriter, name: str, body: bytes) -> None:
    out.write(f"{name:<16}{EPOCH:<12}{0:<6}{0:<6}{0o100644:<8o}{len(body):<10}`\n".encode())
    out.write(body)
    if len(body) % 2:
        out.write(b"\n")
