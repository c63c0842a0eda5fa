"""Every setting there is, read from the structs themselves: the one source of messages and documentation."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Literal, get_type_hints

import msgspec
from msgspec import Struct, inspect

from tidegate.config.settings import Settings

Unit = Literal["", "seconds", "bytes", "bytes per second", "share, 0 to 1"]


@dataclass(frozen=True, slots=True)
class Key:
    """One setting."""

    name: str
    """Its path without numbers, such as `archive.source.url`."""
    allowed: str
    """What it may hold, in words."""
    unit: Unit
    default: object
    """`msgspec.NODEFAULT` where it must be given."""
    doc: str
    hint: object
    """The annotated type, which `msgspec.convert` takes."""

    @property
    def required(self) -> bool:
        """Whether there is no default."""
        return self.default is msgspec.NODEFAULT


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the file, such as `[gateway]` or `[[archive.source]]`."""

    name: str
    is_array: bool
    doc: str
    keys: tuple[Key, ...]

    @property
    def header(self) -> str:
        """As it is written in the file."""
        return f"[[{self.name}]]" if self.is_array else f"[{self.name}]"


@cache
def sections() -> tuple[Section, ...]:
    """All tables, in the order of the structs, inner ones after the outer."""
    return tuple(_sections(Settings, ""))


@cache
def catalogue() -> Mapping[str, Key]:
    """All settings by name."""
    return MappingProxyType({key.name: key for section in sections() for key in section.keys})


def struct_of(hint: object) -> tuple[type[Struct], bool] | None:
    """The struct that a field holds, and whether it holds an array of them; None for a plain value."""
    kind = _bare(inspect.type_info(hint))
    if isinstance(kind, inspect.VarTupleType):
        item = _bare(kind.item_type)
        return (item.cls, True) if isinstance(item, inspect.StructType) else None
    return (kind.cls, False) if isinstance(kind, inspect.StructType) else None


def hints_of(struct: type[Struct]) -> Mapping[str, object]:
    """The annotated types of a struct's fields, in their order."""
    hints = get_type_hints(struct, include_extras=True)
    return {name: hints[name] for name in struct.__struct_fields__}


def toml_value(value: object) -> str:
    """`value` as it would be written in the file."""
    if value is None:
        return "unset"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, (bool, str)):
        return json.dumps(value, ensure_ascii=False)
    return f"{value:_}" if isinstance(value, int) and abs(value) >= 10_000 else str(value)


def _sections(struct: type[Struct], name: str, *, is_array: bool = False) -> list[Section]:
    keys: list[Key] = []
    inner: list[Section] = []
    infos = {field.name: field for field in inspect.type_info(struct).fields}  # type: ignore[attr-defined]  # a struct's info is always a StructType
    for field, hint in hints_of(struct).items():
        path = f"{name}.{field}" if name else field
        if nested := struct_of(hint):
            inner += _sections(nested[0], path, is_array=nested[1])
        else:
            kind = inspect.type_info(hint)
            keys.append(
                Key(
                    path,
                    _allowed(kind),
                    _unit(field),
                    infos[field].default,
                    _extra(kind, "description"),
                    hint,
                )
            )
    own = [Section(name, is_array, (struct.__doc__ or "").strip(), tuple(keys))] if name else []
    return own + inner


def _unit(field: str) -> Unit:
    """Names carry their units (STYLE: unit in the name)."""
    if field.endswith("_bytes_s"):
        return "bytes per second"
    if "_bytes_" in field:
        return "bytes"
    if field.endswith("_s"):
        return "seconds"
    return "share, 0 to 1" if field == "refresh_jitter" else ""


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _extra(kind: inspect.Type, name: str) -> str:
    extra = kind.extra_json_schema if isinstance(kind, inspect.Metadata) else None
    return str((extra or {}).get(name, ""))


def _allowed(kind: inspect.Type) -> str:
    if title := _extra(kind, "title"):
        return title
    match _bare(kind):
        case inspect.BoolType():
            return "true or false"
        case inspect.IntType() as number:
            return "a whole number" + _range(number)
        case inspect.FloatType() as number:
            return "a number" + _range(number)
        case inspect.LiteralType(values=values):
            return "one of " + ", ".join(json.dumps(value) for value in values)
        case inspect.VarTupleType(item_type=item):
            return f"a list of {_allowed(item).removeprefix('a ')}s"
        case inspect.UnionType(types=types):
            return ", or ".join(_allowed(each) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.StrType():
            return "a text"
        case other:
            raise TypeError(f"no words for a setting of type {other}")


def _range(number: inspect.IntType | inspect.FloatType) -> str:
    low = f" from {number.ge:_}" if number.ge is not None else ""
    if number.gt is not None:
        low = f" above {number.gt:_}"
    return f"{low} to {number.le:_}" if number.le is not None else low
