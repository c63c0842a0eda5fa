"""apt's own configuration, as far as it says where sources and keys are (apt.conf(5))."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

APT_CONF_BYTES_MAX = 1_048_576
APT_CONF_FILES_MAX = 256

_TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|#[^\n]*|"([^"\n]*)"|([{};])|([^\s"{};#]+)', re.DOTALL)
_PART_NAME = re.compile(r"^[A-Za-z0-9_.-]+$")
# apt's built-in values; a relative one lies below its parent's.
_BUILT_IN = {
    "dir": "/",
    "dir::etc": "etc/apt",
    "dir::etc::main": "apt.conf",
    "dir::etc::parts": "apt.conf.d",
    "dir::etc::sourcelist": "sources.list",
    "dir::etc::sourceparts": "sources.list.d",
    "dir::etc::trusted": "trusted.gpg",
    "dir::etc::trustedparts": "trusted.gpg.d",
}


@dataclass(frozen=True, slots=True)
class AptConf:
    """Names in lower case to their values: the last one where one counts, all where it is a list."""

    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def path(self, name: str, root: Path) -> Path | None:
        """The file or directory that `Dir::…` names, below `root`; None where it is switched off."""
        value = self.values.get(name, (_BUILT_IN.get(name, ""),))[-1]
        if value in {"-", "/dev/null"}:
            return None
        parent = name.rpartition("::")[0]
        if not value.startswith("/") and parent:
            above = self.path(parent, Path("/"))
            value = str(PurePosixPath(above or "/") / value)
        return root / value.lstrip("/")

    def all(self, name: str) -> tuple[str, ...]:
        """Every value that a list holds."""
        return tuple(value for value in self.values.get(name, ()) if value)


def parse_apt_conf(text: str) -> Mapping[str, tuple[str, ...]]:
    """The values of one file. What is not understood is passed over, as this is not ours to judge."""
    found: dict[str, tuple[str, ...]] = {}
    scopes: list[str] = [""]
    words: list[str] = []
    for token in _TOKEN.finditer(text):
        quoted, mark, word = token.groups()
        if quoted is not None or word is not None:
            words.append(quoted if quoted is not None else word)
        elif mark == "{":
            scopes.append(_joined(scopes[-1], words[0] if words else ""))
            words = []
        elif mark == "}":
            scopes = scopes[:-1] or [""]
            words = []
        elif mark == ";":
            _set(found, scopes[-1], words)
            words = []
    return found


def read_apt_conf(root: Path, apt_config: Path | None) -> AptConf:
    """What APT_CONFIG, apt.conf.d and apt.conf say, in apt's order. Unreadable files are passed over."""
    values: dict[str, tuple[str, ...]] = {}
    if apt_config is not None:
        values |= _values_of(apt_config)
    early = AptConf(values)
    for path in [*_parts(early.path("dir::etc::parts", root)), early.path("dir::etc::main", root)]:
        if path is not None:
            values |= _values_of(path)
    return AptConf(values)


def _joined(scope: str, name: str) -> str:
    return f"{scope}::{name}".strip(":").lower()


def _set(found: dict[str, tuple[str, ...]], scope: str, words: list[str]) -> None:
    if len(words) == 1 and scope:
        found[scope] = (*found.get(scope, ()), words[0])
    elif len(words) >= 2:
        name = _joined(scope, words[0])
        found[name] = (*found.get(name, ()), words[1]) if words[0].endswith("::") else (words[1],)


def _parts(directory: Path | None) -> Iterator[Path]:
    if directory is None:
        return
    try:
        names = sorted(path.name for path in directory.iterdir())
    except OSError:
        return
    for name in names[:APT_CONF_FILES_MAX]:
        if _PART_NAME.match(name) and (name.endswith(".conf") or "." not in name):
            yield directory / name


def _values_of(path: Path) -> Mapping[str, tuple[str, ...]]:
    try:
        with path.open("rb") as file:
            return parse_apt_conf(file.read(APT_CONF_BYTES_MAX).decode(errors="replace"))
    except OSError:
        return {}
