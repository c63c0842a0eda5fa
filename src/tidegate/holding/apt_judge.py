"""The real apt's word on a closure: can this be installed from these packages, and nothing else?

apt-get simulates an install in a private root where it sees one index, made of the stanzas of what is held. Nothing of
the machine's own configuration, sources or installed packages is read, nothing is fetched, and nothing is changed.
"""

import os
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

JUDGE_TIMEOUT_S = 120.0
"""apt takes half a second for some hundred packages, and six for Debian's main."""
SAID_CHARS_MAX = 20_000

_INSTALLS = re.compile(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) .*\[([a-z0-9-]+)\]\)", re.MULTILINE)
_OPERAND = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._:-]*")

# An empty folder for each place that apt would read something from.
_CONFIGURATION = """\
Dir "{root}";
Dir::State "{root}/state";
Dir::State::status "{root}/status";
Dir::State::extended_states "{root}/extended";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Etc::parts "{root}/etc/apt.conf.d";
Dir::Etc::main "{root}/etc/none";
Dir::Log "{root}/log";
APT::Architecture "{native}";
APT::Architectures {{ {architectures} }};
APT::Install-Recommends "{recommends}";
APT::Install-Suggests "false";
APT::Get::Assume-Yes "true";
Acquire::Languages {{ "none"; }};
Dpkg::Use-Pty "false";
"""
_FOLDERS = (
    *("state/lists/partial", "cache/archives/partial", "log"),
    *("etc/apt.conf.d", "etc/sources.list.d", "etc/preferences.d"),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether apt would install, what (name, version, architecture), and everything that it said."""

    installable: bool
    takes: frozenset[tuple[str, str, str]]
    said: str


def judge(
    stanzas: Iterable[bytes],
    wanted: Sequence[str],
    architectures: Sequence[str],
    *,
    installed: Collection[bytes] = (),
    recommends: bool = False,
    timeout_s: float = JUDGE_TIMEOUT_S,
) -> Judgement:
    """Have apt-get simulate an install of packages, by name or NAME:ARCHITECTURE. Blocks; not for an event loop.

    `stanzas`: all that there is (`Universe.stanzas`), each with an empty line at its end. `architectures`: the native
    one first. `installed`: stanzas of what is installed beforehand. Raises OSError where there is no apt-get, or no
    room for its files, TimeoutError where it takes too long, and ValueError for a name that is none.
    """
    for name in wanted:
        if not _OPERAND.fullmatch(name):
            raise ValueError(f"no name of a package: {name!r}")
    with tempfile.TemporaryDirectory(prefix="tidegate-judge-") as root:
        _furnish(root, architectures, recommends=recommends)
        _write(f"{root}/Packages", stanzas)
        _write(f"{root}/status", map(_as_installed, installed))
        command = ["apt-get", "install", "--simulate", "--with-source", f"{root}/Packages", "--", *wanted]
        try:
            done = subprocess.run(
                command,
                env=_environment(root),
                cwd=root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"apt-get took longer than {timeout_s:g} s") from None
    said = (done.stdout + done.stderr).decode(errors="replace").replace(root, "")
    return Judgement(done.returncode == 0, _takes(said), said[-SAID_CHARS_MAX:])


def _furnish(root: str, architectures: Sequence[str], *, recommends: bool) -> None:
    for folder in _FOLDERS:
        os.makedirs(f"{root}/{folder}")
    text = _CONFIGURATION.format(
        root=root,
        native=architectures[0],
        architectures=" ".join(f'"{one}";' for one in architectures),
        recommends=str(recommends).lower(),
    )
    _write(f"{root}/apt.conf", [text.encode()])
    _write(f"{root}/etc/sources.list", [])


def _write(path: str, pieces: Iterable[bytes]) -> None:
    with open(path, "wb") as file:
        file.writelines(pieces)


def _as_installed(stanza: bytes) -> bytes:
    return b"Status: install ok installed\n" + stanza


def _environment(root: str) -> Mapping[str, str]:
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {"PATH": path, "HOME": root, "TMPDIR": root, "LC_ALL": "C.UTF-8", "APT_CONFIG": f"{root}/apt.conf"}


def _takes(said: str) -> frozenset[tuple[str, str, str]]:
    """Who would be installed; apt writes the architecture of a foreign one behind its name."""
    return frozenset(
        (name.partition(":")[0], version, architecture) for name, version, architecture in _INSTALLS.findall(said)
    )
