"""`tidegate config show | check | explain KEY | doc`."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.cli.reports import KeyReport, SettingReport
    from tidegate.config.gathering import Gathered
    from tidegate.config.keys import Key

app = typer.Typer(help="Say what the settings are, where they come from, and whether they can be used.")


@app.command()
def show(
    context: typer.Context,
    config: ConfigOption = None,
    given: Annotated[bool, typer.Option("--given", help="Leave defaults out.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show every setting in force and where it comes from."""
    from tidegate.cli.reports import ConfigReport
    from tidegate.config.gathering import DEFAULT
    from tidegate.config.keys import toml_value

    gathered = settings_for(config)
    settings = tuple(each for each in in_force(gathered) if not given or each.source != DEFAULT)
    if json_wanted(context, as_json):
        file = str(gathered.file) if gathered.file else None
        say_json(ConfigReport(file=file, settings=settings, notes=gathered.notes))
        return
    rows = [(each.key, _shortened(toml_value(each.value)), each.source) for each in settings]
    table([Column("setting"), Column("value"), Column("from", style="dim")], rows)
    _tell(gathered.notes)


@app.command()
def check(context: typer.Context, config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Say whether the settings can be used; if not, every reason, and exit with 78."""
    from tidegate.cli.reports import ConfigCheckReport

    gathered = settings_for(config)
    archives = tuple(archive.name for archive in gathered.settings.archive)
    notes = (*gathered.notes, *_unknown_keys(gathered))
    file = str(gathered.file) if gathered.file else None
    if json_wanted(context, as_json):
        say_json(ConfigCheckReport(file=file, archives=archives, notes=notes))
        return
    say(f"{file or 'no file; the defaults'}: can be used. Archives: {', '.join(archives) or 'none'}.")
    _tell(notes)


@app.command()
def explain(
    context: typer.Context,
    key: Annotated[str, typer.Argument(metavar="KEY", help="As in `gateway.listen` or `archive.suites`.")],
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Say what a setting is for, its unit and default, its value now, and who set it."""
    from tidegate.config.keys import toml_value

    report = _explained(_known(key), settings_for(config))
    if json_wanted(context, as_json):
        say_json(report)
        return
    say(f"{report.key}: {report.doc}")
    say(f"  takes     {report.allowed}{f', in {report.unit}' if report.unit else ''}")
    say(f"  default   {'none, it must be given' if report.required else toml_value(report.default)}")
    if report.variable:
        say(f"  variable  {report.variable}")
    for value in report.values:
        say(f"  now       {value.key} = {_shortened(toml_value(value.value))}  ({value.source})")


@app.command()
def doc() -> None:
    """Print the reference of all settings (docs/configuration.md)."""
    from tidegate.config.document import markdown

    say(markdown())


def in_force(gathered: "Gathered") -> Iterator["SettingReport"]:
    """Every setting with its value and source, in the order of the reference, archive by archive."""
    import msgspec

    for section, values in msgspec.to_builtins(gathered.settings).items():
        if isinstance(values, dict):
            yield from _values(section, values, gathered)
        for number, each in enumerate(values if isinstance(values, (list, tuple)) else ()):
            yield from _values(f"{section}[{number}]", each, gathered)


def _values(prefix: str, values: dict[str, object], gathered: "Gathered") -> Iterator["SettingReport"]:
    """The plain ones, then those of each table within."""
    from tidegate.cli.reports import SettingReport
    from tidegate.config.keys import sections

    arrays = {section.name for section in sections() if section.is_array}
    path = re.sub(r"\[\d+\]", "", prefix)
    inner: list[tuple[str, object]] = []
    for name, value in values.items():
        if f"{path}.{name}" in arrays:
            inner.append((f"{prefix}.{name}", value))
        else:
            yield SettingReport(key=f"{prefix}.{name}", value=value, source=gathered.source_of(f"{prefix}.{name}"))
    for within, tables in inner:
        for number, inner_values in enumerate(tables if isinstance(tables, (list, tuple)) else ()):
            yield from _values(f"{within}[{number}]", inner_values, gathered)


def _known(name: str) -> "Key":
    from tidegate.config.keys import catalogue
    from tidegate.config.problems import nearest

    plain = re.sub(r"\[[^\]]*\]", "", name)
    if key := catalogue().get(plain):
        return key
    within = [key for key in catalogue() if key.startswith(f"{plain}.")]
    guess = nearest(plain, list(catalogue()))
    todo = f"Did you mean {guess}?" if guess else "`tidegate config show` lists them."
    raise Failure(
        ExitCode.USAGE,
        Complaint(f"there is no setting {name!r}", todo=f"It is a table: {', '.join(within)}." if within else todo),
    )


def _explained(key: "Key", gathered: "Gathered") -> "KeyReport":
    from tidegate.cli.reports import KeyReport
    from tidegate.config.environment import variable
    from tidegate.config.keys import sections

    is_listed = any(section.is_array and key in section.keys for section in sections())
    return KeyReport(
        key=key.name,
        doc=key.doc,
        allowed=key.allowed,
        unit=key.unit,
        required=key.required,
        default=None if key.required else key.default,
        variable=None if is_listed else variable(key.name),
        values=tuple(each for each in in_force(gathered) if re.sub(r"\[\d+\]", "", each.key) == key.name),
    )


def _unknown_keys(gathered: "Gathered") -> list[str]:
    """Archives for which no key is known: all that they publish is refused."""
    from tidegate.config.keyrings import keyring_of

    notes = []
    for archive in gathered.settings.archive:
        ring = keyring_of(archive)
        notes += [f"{archive.name}: {problem.evidence}" for problem in ring.problems]
        if not ring.certificates:
            notes.append(f"{archive.name}: no key is known, so all that it publishes is refused; give its keyring")
    return notes


def _shortened(text: str, chars_max: int = 100) -> str:
    line = text.replace("\\n", " ")
    return line if len(line) <= chars_max else line[: chars_max - 1] + "…"


def _tell(notes: tuple[str, ...]) -> None:
    for each in notes:
        note(f"note: {each}")
