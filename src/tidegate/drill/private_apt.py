"""A root of its own for the real apt, in which it reads nothing of this machine's configuration.

The machine's apt.conf.d may switch Valid-Until checks off, keep lists compressed or name a proxy: APT_CONFIG names our
file first, and that file empties `Dir::Etc::parts` and `Dir::Etc::main`. The environment is ours too.
"""

from collections.abc import Mapping
from pathlib import Path

FOLDERS = ("state/lists/partial", "cache/archives/partial", "etc/empty", "etc/sources.list.d", "log", "tmp")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIGURATION = """\
Dir "{root}";
Dir::State "{root}/state";
Dir::State::status "{root}/state/status";
Dir::State::extended_states "{root}/state/extended_states";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Etc::parts "{root}/etc/empty";
Dir::Etc::main "{root}/etc/none";
Dir::Etc::sourcelist "{root}/etc/sources.list";
Dir::Etc::sourceparts "{root}/etc/sources.list.d";
Dir::Etc::preferences "{root}/etc/none";
Dir::Etc::preferencesparts "{root}/etc/empty";
Dir::Etc::netrc "{root}/etc/none";
Dir::Etc::netrcparts "{root}/etc/empty";
Dir::Etc::trusted "{root}/etc/none";
Dir::Etc::trustedparts "{root}/etc/empty";
Dir::Log "{root}/log";
Dir::Bin::methods "/usr/lib/apt/methods";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Get::Assume-Yes "true";
APT::Install-Recommends "false";
Acquire::Languages {{ {languages} }};
Acquire::Check-Valid-Until "true";
Acquire::Check-Date "true";
Dpkg::Use-Pty "false";
quiet "1";
"""


def prepare(
    root: Path,
    *,
    inside: str | None = None,
    architecture: str = "amd64",
    languages: tuple[str, ...] = ("none",),
    options: Mapping[str, str] | None = None,
) -> None:
    """Make folders, an empty dpkg status and apt.conf. `inside`: the root as apt sees it, where that is another path.

    `options` are added: {"Acquire::PDiffs": "false"}.
    """
    for folder in FOLDERS:
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "state/status").touch()
    text = _CONFIGURATION.format(
        root=inside or str(root),
        architecture=architecture,
        languages=" ".join(f'"{language}";' for language in languages),
    )
    text += "".join(f'{name} "{value}";\n' for name, value in (options or {}).items())
    (root / "apt.conf").write_text(text)


def environment(inside: str) -> dict[str, str]:
    """All that apt is told in such a root: no proxy of this machine, no language."""
    return {
        "PATH": PATH,
        "HOME": inside,
        "TMPDIR": f"{inside}/tmp",  # noqa: S108  (below its own root)
        "LC_ALL": "C.UTF-8",
        "DEBIAN_FRONTEND": "noninteractive",
        "APT_CONFIG": f"{inside}/apt.conf",
    }


def by_proxy(proxy: str | None) -> dict[str, str]:
    """Options: everything through a proxy, or (None) nothing through any."""
    told = proxy or "DIRECT"
    return {"Acquire::http::Proxy": told, "Acquire::https::Proxy": told}
