"""The host's own apt sources: what serves when nobody configured anything (sources.list(5), apt.conf(5))."""

import contextlib
import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tidegate.archive.sources_list import SourceEntry, parse_deb822_sources, parse_sources_list
from tidegate.config.apt_conf import AptConf, read_apt_conf
from tidegate.config.host_archives import HostFacts, HostSources, archives_of
from tidegate.config.mirror_list import Mirror, read_mirror_list

SOURCES_BYTES_MAX = 1_048_576
SOURCES_FILES_MAX = 512
ENTRIES_MAX = 4_096
DPKG_TIMEOUT_S = 5.0

# run-parts' rule, which apt follows for its .d directories; other names are passed over in silence or not.
_PART_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
_MACHINES = {
    "x86_64": "amd64",
    "aarch64": "arm64",
    "armv7l": "armhf",
    "armv6l": "armel",
    "i686": "i386",
    "i386": "i386",
    "ppc64le": "ppc64el",
    "riscv64": "riscv64",
    "s390x": "s390x",
    "loongarch64": "loong64",
    "mips64": "mips64el",
}


def archives_from_host(root: Path = Path("/"), *, apt_config: Path | None = None) -> HostSources:
    """The archives that the apt below `root` is set up for, APT_CONFIG's file (`apt_config`) respected.

    Never raises for what it finds: files that cannot be read, entries that make no sense and transports
    that need no gateway become notes.
    """
    conf = read_apt_conf(root, apt_config)
    notes: list[str] = []
    entries = list(_entries(conf, root, notes))
    if len(entries) > ENTRIES_MAX:
        notes.append(f"only the first {ENTRIES_MAX} of {len(entries)} entries are read")
    entries = entries[:ENTRIES_MAX]
    native, *foreign = conf.all("apt::architectures") or host_architectures(root, conf)
    facts = HostFacts(
        trusted_keyrings=tuple(_trusted(conf, root)),
        architecture=native,
        foreign_architectures=tuple(foreign),
        prefix=str(root).rstrip("/"),
        mirror_lists=_mirror_lists(entries, root),
    )
    found = archives_of(entries, facts)
    return HostSources(found.archives, (*notes, *found.notes), found.where)


def host_architectures(root: Path = Path("/"), conf: AptConf | None = None) -> tuple[str, ...]:
    """Debian's names of the architectures that the system below `root` installs, the native one first."""
    native = next(iter((conf or AptConf()).all("apt::architecture")), "") or _native(root)
    known = (_text(root / "var/lib/dpkg/arch") or "").split()
    return tuple(dict.fromkeys([native, *known]))


def _native(root: Path) -> str:
    """dpkg's word for this machine; the kernel's where there is no dpkg."""
    if root == Path("/"):
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            answer = subprocess.run(
                ["dpkg", "--print-architecture"], capture_output=True, timeout=DPKG_TIMEOUT_S, check=True
            )
            return answer.stdout.decode().strip()
    elif known := (_text(root / "var/lib/dpkg/arch") or "").split():
        return known[0]
    return _MACHINES.get(platform.machine(), platform.machine())


def _entries(conf: AptConf, root: Path, notes: list[str]) -> Iterator[SourceEntry]:
    for path in _files(conf, root, notes):
        text = _text(path)
        if text is None:
            notes.append(f"{path}: cannot be read, or is larger than {SOURCES_BYTES_MAX} bytes")
            continue
        parse = parse_deb822_sources if path.suffix == ".sources" else parse_sources_list
        parsed = parse(text, str(path))
        notes += [f"{problem}: this entry is left out" for problem in parsed.problems]
        yield from parsed.entries


def _files(conf: AptConf, root: Path, notes: list[str]) -> Iterator[Path]:
    main = conf.path("dir::etc::sourcelist", root)
    if main is not None and main.is_file():
        yield main
    parts = conf.path("dir::etc::sourceparts", root)
    try:
        found = sorted(parts.iterdir()) if parts is not None and parts.is_dir() else []
    except OSError as error:
        notes.append(f"{parts}: cannot be listed: {error.strerror}")
        return
    sources = [path for path in found if path.suffix in {".list", ".sources"}]
    for path in sources[:SOURCES_FILES_MAX]:
        if _PART_NAME.match(path.name):
            yield path
        else:
            notes.append(f"{path}: is left out, as apt leaves it out: its name has characters that may not be")
    if len(sources) > SOURCES_FILES_MAX:
        notes.append(f"{parts}: only the first {SOURCES_FILES_MAX} of {len(sources)} files are read")


def _trusted(conf: AptConf, root: Path) -> Iterator[str]:
    """The keyrings that apt trusts for every entry without Signed-By; empty files hold nothing."""
    main = conf.path("dir::etc::trusted", root)
    parts = conf.path("dir::etc::trustedparts", root)
    candidates = [main] if main is not None else []
    with contextlib.suppress(OSError):
        candidates += sorted(parts.iterdir()) if parts is not None and parts.is_dir() else []
    for path in candidates:
        is_keyring = path == main or (path.suffix in {".gpg", ".asc"} and _PART_NAME.match(path.name))
        try:
            if is_keyring and path.stat().st_size > 0:
                yield str(path)
        except OSError:
            continue


def _mirror_lists(entries: list[SourceEntry], root: Path) -> dict[str, tuple[Mirror, ...]]:
    found: dict[str, tuple[Mirror, ...]] = {}
    for uri in (uri for entry in entries for uri in entry.uris if uri.startswith("mirror+file:")):
        with contextlib.suppress(OSError, ValueError):
            found[uri] = read_mirror_list(root / uri.removeprefix("mirror+file:").lstrip("/"))
    return found


def _text(path: Path) -> str | None:
    """A file's text; None where there is none, it is too large, or is no text."""
    try:
        with path.open("rb") as file:
            data = file.read(SOURCES_BYTES_MAX + 1)
        return data.decode() if len(data) <= SOURCES_BYTES_MAX else None
    except (OSError, UnicodeDecodeError):
        return None
