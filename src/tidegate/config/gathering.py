"""Where settings come from: command line over environment over file over default, and who said what.

Where neither the file nor anything above it names an archive, the host's own apt sources do.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from msgspec.structs import replace

from tidegate.config.added_sources import Added, with_added
from tidegate.config.environment import Override, overrides_from
from tidegate.config.host import archives_from_host
from tidegate.config.host_archives import HostSources
from tidegate.config.lines import KeyPath
from tidegate.config.mirror_list import MirrorLists, read_mirror_lists
from tidegate.config.problems import ConfigError, Problem, shown_name
from tidegate.config.reading import Document, Table, parse, settings_from
from tidegate.config.settings import Settings

SYSTEM_FILE = Path("/etc/tidegate/tidegate.toml")
FILE_VARIABLE = "TIDEGATE_CONFIG"
CONFIG_BYTES_MAX = 1_048_576
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Gathered:
    """The settings in force, and where each of them comes from."""

    settings: Settings
    file: Path | None
    """The file read; None where there is none."""
    notes: tuple[str, ...] = ()
    """What of the host's sources was left out or understood in another way, one sentence each."""
    origins: Mapping[str, str] = field(default_factory=dict)
    """By key, with numbers (`archive[0].suites`): what was given, not what is default."""

    def source_of(self, key: str) -> str:
        """Who set `key`: an option, a variable, `FILE:LINE`, the host's sources, or `default`."""
        return self.origins.get(key, DEFAULT)


def gather(
    file: Path | None,
    environment: Mapping[str, str],
    overrides: Sequence[Override] = (),
    *,
    root: Path = Path("/"),
) -> Gathered:
    """The settings in force. Called again with the same arguments, it reads everything anew (SIGHUP).

    `file` is what the command line names; else $TIDEGATE_CONFIG, else /etc/tidegate/tidegate.toml where it
    exists. `overrides` are the command line's. Raises ConfigError with every problem.
    """
    path = _file(file, environment, root)
    document = parse(_text(path), str(path)) if path else Document({}, {}, "")
    given = (*overrides_from(environment), *overrides)
    table = _merged(document.table, given)
    origins = {override.key: override.origin for override in given}

    def where_is(at: KeyPath) -> str:
        return origins.get(shown_name(at)) or document.where_is(at)

    settings = settings_from(table, where_is)
    origins = {shown_name(at): document.where_is(at) for at in _leaves(document.table)} | origins
    notes: tuple[str, ...] = ()
    if "archive" not in table:
        apt_config = environment.get("APT_CONFIG")
        host = archives_from_host(root, apt_config=Path(apt_config) if apt_config else None)
        settings, notes = replace(settings, archive=host.archives), host.notes
        origins |= _host_origins(host)
    lists = read_mirror_lists(settings.archive, root, where_is)
    added = _added(settings, lists)
    settings = replace(settings, archive=tuple(each.archive for each in added))
    return Gathered(settings, path, (*notes, *lists.notes), origins | _added_origins(added))


def _file(named: Path | None, environment: Mapping[str, str], root: Path) -> Path | None:
    """The file to read: a named one must exist, the system's may."""
    if named is not None:
        return named
    if environment.get(FILE_VARIABLE):
        return Path(environment[FILE_VARIABLE])
    system = root / SYSTEM_FILE.relative_to("/")
    return system if system.exists() else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(CONFIG_BYTES_MAX + 1)
        if len(data) <= CONFIG_BYTES_MAX:
            return data.decode()
        what, todo = f"it has more than {CONFIG_BYTES_MAX} bytes", "Is this the right file?"
    except UnicodeDecodeError as error:
        what, todo = f"it is not UTF-8 at byte {error.start}", "Save it as UTF-8."
    except OSError as error:
        what, todo = f"it cannot be read: {error.strerror}", "Name a file that this user may read."
    raise ConfigError([Problem(what, str(path), "", todo)])


def _merged(table: Table, overrides: Sequence[Override]) -> Table:
    """The file's table with the overrides laid over it, the later above the earlier."""
    merged: dict[str, object] = dict(table)
    for override in overrides:
        section, _, name = override.key.partition(".")
        inner = merged.get(section, {})
        # A section that is no table at all is left for the reader to complain about.
        if isinstance(inner, Mapping):
            merged[section] = {**inner, name: override.value}
    return merged


def _leaves(value: object, at: KeyPath = ()) -> list[KeyPath]:
    """The paths of all plain values, and of each table within an array."""
    if isinstance(value, Mapping):
        return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*at, name))]
    if isinstance(value, list) and value and all(isinstance(item, Mapping) for item in value):
        return [leaf for number, inner in enumerate(value) for leaf in [(*at, number), *_leaves(inner, (*at, number))]]
    return [at]


def _host_origins(host: HostSources) -> dict[str, str]:
    """The host's archives are made of entries; each of their settings comes from all of these."""
    found: dict[str, str] = {}
    for number, archive in enumerate(host.archives):
        where = ", ".join(host.where[archive.name])
        names = [name for name in archive.__struct_fields__ if getattr(archive, name) and name != "adopt_on_request"]
        found |= {f"archive[{number}]": where} | {f"archive[{number}].{name}": where for name in names}
        for place, source in enumerate(archive.source):
            names = [name for name in _OF_A_SOURCE if getattr(source, name)]
            found |= {f"archive[{number}].source[{place}].{name}": where for name in names}
    return found


def _added(settings: Settings, lists: MirrorLists) -> tuple[Added, ...]:
    """Each archive with the sources of its list and those that are known."""
    each = zip(settings.archive, lists.mirrors, strict=True)
    return tuple(with_added(archive, listed, known_mirrors=settings.fetch.known_mirrors) for archive, listed in each)


def _added_origins(added: Sequence[Added]) -> dict[str, str]:
    """The sources that were added stand behind those that each archive had."""
    found: dict[str, str] = {}
    for number, each in enumerate(added):
        first = len(each.archive.source) - len(each.origins)
        for place, origin in enumerate(each.origins, start=first):
            names = [name for name in _OF_A_SOURCE if getattr(each.archive.source[place], name)]
            found |= {f"archive[{number}].source[{place}].{name}": origin for name in names}
    return found


_OF_A_SOURCE = ("url", "operator", "kind", "region", "priority")
