"""Makes what lies beside it anew, from files that are not in this repository (see README.md):

    python bench/data/make.py TRACKER.jsonl.zst HISTORY.jsonl.zst PACKAGES

TRACKER: a line of JSON for each CVE of Ubuntu's tracker. HISTORY: the states of a host's packages, as deltas.
PACKAGES: Debian bookworm's Packages of main, of which the source of each binary is read.
"""

import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

HERE = Path(__file__).resolve().parent
LEVEL = 19
PLACES = {"jammy": "jammy", "esm-apps/jammy": "esm-apps/jammy", "jammy/esm-infra": "esm-infra/jammy"}
VERSION = re.compile(r"[0-9][A-Za-z0-9.+:~-]*")
UBUNTU = {
    "libavcodec58": "ffmpeg", "libavutil56": "ffmpeg", "libswresample3": "ffmpeg", "libbpf0": "libbpf",
    "libdav1d5": "dav1d", "libdns-export1110": "bind9-libs", "libisc-export1105": "bind9-libs", "libflac8": "flac",
    "libgnutlsxx28": "gnutls28", "libhcrypto4-heimdal": "heimdal", "libroken18-heimdal": "heimdal", "libicu70": "icu",
    "libilmbase-dev": "ilmbase", "libilmbase25": "ilmbase", "libjpeg-turbo8": "libjpeg-turbo",
    "libjpeg-turbo8-dev": "libjpeg-turbo", "libjpeg8": "libjpeg8-empty", "libjpeg8-dev": "libjpeg8-empty",
    "libmpdec3": "mpdecimal", "libnih-dbus1": "libnih", "libnih1": "libnih", "libopenexr25": "openexr",
    "libperl5.34": "perl", "perl-modules-5.34": "perl", "libprocps8": "procps", "libpython3.10": "python3.10",
    "libpython3.10-minimal": "python3.10", "libpython3.10-stdlib": "python3.10", "python3.10": "python3.10",
    "python3.10-minimal": "python3.10", "libruby3.0": "ruby3.0", "ruby3.0": "ruby3.0", "libsqlite0": "sqlite",
    "libsqlite0-dev": "sqlite", "libtiff5": "tiff", "libtiffxx5": "tiff", "libx264-163": "x264",
    "lto-disabled-list": "lto-disabled-list", "ubuntu-advantage-tools": "ubuntu-advantage-tools",
    "ubuntu-keyring": "ubuntu-keyring", "ubuntu-minimal": "ubuntu-meta",
}  # fmt: skip
"""Binaries of jammy that bookworm has not, with their sources."""


def lines(file: Path) -> Iterator[bytes]:
    """Of a compressed file."""
    with file.open("rb") as packed:
        yield from io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(packed))


def statements(tracker: Path) -> Iterator[str]:
    """Each CVE of jammy as the tracker's own file of it, without what no statement is made of."""
    for line in lines(tracker):
        cve = json.loads(line)
        told = [f"Candidate: {cve['cve']}", f"Priority: {cve['priority']}"]
        for package, places in sorted(cve["patches"].items()):
            for place, (status, note) in sorted(places.items()):
                if place in PLACES:
                    named = status in ("released", "pending") and VERSION.fullmatch(note)
                    told.append(f"{PLACES[place]}_{package}: {status}" + (f" ({note})" if named else ""))
        if len(told) > 2:
            yield "\n".join(told)


def sources(history: Path, packages: str) -> Iterator[str]:
    """The source package of each binary that the history ever has, where it bears another name."""
    known = dict(UBUNTU)
    for stanza in packages.split("\n\n"):
        binary, source = (re.search(rf"^{field}: (\S+)", stanza, re.MULTILINE) for field in ("Package", "Source"))
        if binary:
            known.setdefault(binary[1], source[1] if source else binary[1])
    for binary in sorted({binary for line in lines(history) for binary in json.loads(line)["set"]}):
        if known[binary] != binary:
            yield f"{binary}\t{known[binary]}\n"


def packed(name: str, text: bytes) -> None:
    """Write a compressed file."""
    (HERE / name).write_bytes(zstandard.ZstdCompressor(level=LEVEL).compress(text))


if __name__ == "__main__":
    tracker, history, packages = map(Path, sys.argv[1:])
    packed("jammy-statements.txt.zst", "\n\n".join(statements(tracker)).encode())
    packed("jammy-packages.jsonl.zst", b"".join(lines(history)))
    (HERE / "jammy-sources.tsv").write_text("".join(sources(history, packages.read_text())))
