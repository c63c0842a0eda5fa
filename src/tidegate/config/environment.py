"""Overrides from the environment and the command line: one setting each, above the file.

`TIDEGATE_GATEWAY__LISTEN=0.0.0.0:3142` sets `gateway.listen`. Only names with the double underscore are
ours: a cluster that runs a service called tidegate puts TIDEGATE_PORT and its like into every container.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tidegate.config.keys import Key, catalogue, sections
from tidegate.config.problems import ConfigError, Problem, nearest

PREFIX = "TIDEGATE_"


@dataclass(frozen=True, slots=True)
class Override:
    """A value that goes above the file's."""

    key: str
    value: object
    origin: str
    """For people: `environment TIDEGATE_GATEWAY__LISTEN`, `--listen`."""


def variable(key: str) -> str:
    """The environment's variable for a key: `gateway.listen` is TIDEGATE_GATEWAY__LISTEN."""
    return PREFIX + key.replace(".", "__").upper()


def overrides_from(environment: Mapping[str, str]) -> tuple[Override, ...]:
    """What the environment sets, sorted by name.

    Texts are taken as they are, anything else as TOML, lists also as words with commas between them. Raises
    ConfigError for a variable of ours that names no setting or one within a list of tables.
    """
    plain = {key.name: key for section in sections() if not section.is_array for key in section.keys}
    names = sorted(name for name in environment if name.startswith(PREFIX) and "__" in name)
    found, problems = [], []
    for name in names:
        key = name.removeprefix(PREFIX).lower().replace("__", ".")
        if key in plain:
            found.append(Override(key, _value(plain[key], environment[name]), f"environment {name}"))
        else:
            problems.append(_unknown(name, key, plain))
    if problems:
        raise ConfigError(problems)
    return tuple(found)


def _unknown(name: str, key: str, plain: Iterable[str]) -> Problem:
    if key in catalogue() or key.startswith("archive."):
        what = "feeds" if key.startswith("advisories.") else "archives"
        return Problem(f"{name}: {what} cannot be set here", "environment", key, "Name them in a file.")
    guess = nearest(key, list(plain))
    todo = f"Did you mean {variable(guess)}?" if guess else "`tidegate config show` lists them; unset it."
    return Problem(f"{name}: there is no such setting", "environment", key, todo)


def _value(key: Key, text: str) -> object:
    if isinstance(key.default, str):
        return text
    if isinstance(key.default, tuple) and not text.lstrip().startswith("["):
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (ValueError, RecursionError):
        return text
