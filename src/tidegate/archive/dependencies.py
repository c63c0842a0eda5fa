"""What binary packages say of one another: Depends, Pre-Depends, Recommends, Provides, Conflicts, Breaks.

Debian policy 7.1 and 7.5, deb-control(5); architecture qualifiers from the Multi-Arch specification. Only the form for
binary packages is read: restrictions to architectures and build profiles (`[amd64]`, `<!nocheck>`) stand in source
packages alone.
"""

import re
from functools import lru_cache
from typing import NamedTuple

from tidegate.archive.errors import FormatError, excerpt
from tidegate.archive.versions import version_key

FIELD_CHARS_MAX = 2**20
"""Debian's longest (Provides of a Rust library) has 76,000."""
RELATIONS_MAX = 20_000
"""In one field; Debian's longest has 1,600."""
FIELDS_KEPT_MAX = 4096
"""Fields that are remembered as read: many packages say the same."""

_RELATION = re.compile(
    r"([A-Za-z0-9][A-Za-z0-9+._-]*)(?::([a-z0-9][a-z0-9-]*))?"
    r"(?:\s*\(\s*(<<|<=|=|>=|>>|<|>)\s*([^\s()<>=]+)\s*\))?"
)
_MEANT = {"<": "<=", ">": ">="}
"""Spelled so once, and still understood so (policy 7.1)."""


class Relation(NamedTuple):
    """One package that is spoken of. Without an operator any version is meant.

    `qualifier` is empty, `any`, `native` or an architecture. `key` is the version's key (`archive/versions.py`).
    """

    name: str
    qualifier: str
    operator: str
    version: str
    key: bytes

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name


Alternatives = tuple[Relation, ...]
"""One of these is enough; the first is preferred."""


def parse_dependencies(value: str) -> tuple[Alternatives, ...]:
    """Read Depends, Pre-Depends or Recommends: all of these are needed, each as one of its alternatives.

    An empty field, and an empty place between two commas, needs nothing. Raises FormatError for every other form
    than policy's, and for what exceeds a limit.
    """
    return _parsed(value)


def parse_names(value: str) -> tuple[Relation, ...]:
    """Read Conflicts or Breaks, which know no alternatives. Raises as `parse_dependencies` does."""
    read = _parsed(value)
    for alternatives in read:
        if len(alternatives) > 1:
            raise FormatError(f"alternatives where there can be none: {excerpt(str(alternatives[1]))}")
    return tuple(alternatives[0] for alternatives in read)


def parse_provides(value: str) -> tuple[Relation, ...]:
    """Read Provides: names, each with the one version that it is provided as, if any. Raises as above."""
    read = parse_names(value)
    for relation in read:
        if relation.operator not in ("", "="):
            raise FormatError(f"provided as no version: {excerpt(str(relation))}")
    return read


def allows(relation: Relation, key: bytes | None) -> bool:
    """Whether a version (by its key) is among those meant. No version at all is, where any is (policy 7.5)."""
    if not relation.operator:
        return True
    if key is None:
        return False
    match relation.operator:
        case "<<":
            return key < relation.key
        case "<=":
            return key <= relation.key
        case "=":
            return key == relation.key
        case ">=":
            return key >= relation.key
        case _:
            return key > relation.key


def written(alternatives: Alternatives) -> str:
    """A dependency as it stands in its field."""
    return " | ".join(str(relation) for relation in alternatives)


@lru_cache(FIELDS_KEPT_MAX)
def _parsed(value: str) -> tuple[Alternatives, ...]:
    if len(value) > FIELD_CHARS_MAX:
        raise FormatError(f"relations longer than {FIELD_CHARS_MAX} characters")
    read = tuple(
        tuple(_relation(relation) for relation in group.split("|")) for group in value.split(",") if group.strip()
    )
    if sum(map(len, read)) > RELATIONS_MAX:
        raise FormatError(f"more than {RELATIONS_MAX} relations in a field")
    return read


def _relation(text: str) -> Relation:
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise FormatError(f"no relation to a package: {excerpt(text)}")
    name, qualifier, operator, version = match.groups()
    if operator is None:
        return Relation(name, qualifier or "", "", "", b"")
    return Relation(name, qualifier or "", _MEANT.get(operator, operator), version, version_key(version))
