"""The tables of docs/drills.md, from the definitions of a scenario."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from tidegate.drill import scenario
from tidegate.drill.kinds import KINDS
from tidegate.drill.measures import MEASURES

TABLES = (
    ("the file", scenario.Scenario),
    ("`[clients]`", scenario.Clients),
    ("`[[source]]`", scenario.Source),
    ("`[[feed]]`", scenario.Feed),
    ("`[[pace]]`", scenario.Pace),
    ("`[[publish]]`", scenario.Publish),
    ("`[[fault]]`", scenario.Fault),
    ("`[[note]]`", scenario.Note),
    ("`[[claim]]`", scenario.Claim),
    ("`[[expect]]`", scenario.Expect),
)


def tables() -> Mapping[str, list[str]]:
    """By the mark that stands before each."""
    return {
        "scenario": ["| where | key | else | |", "|---|---|---|---|", *_keys()],
        "faults": [
            "| kind | on | in the laboratory | in the running gateway |",
            "|---|---|---|---|",
            *(
                f"| `{name}` | {kind.on} | {kind.meaning} | {f'no: {kind.lab_only}' if kind.lab_only else kind.live} |"
                for name, kind in KINDS.items()
            ),
        ],
        "measures": [
            "| measure | what it is | live |",
            "|---|---|---|",
            *(
                f"| `{name}{':…' if one.takes else ''}` | {one.meaning} | {'yes' if one.live else ''} |"
                for name, one in MEASURES.items()
            ),
        ],
    }


def _keys() -> Iterator[str]:
    for where, struct in TABLES:
        _, known = msgspec.json.schema_components([struct])
        properties: Mapping[str, Mapping[str, Any]] = known[struct.__name__]["properties"]
        for field in msgspec.structs.fields(struct):
            told = properties[field.name]
            default = "" if field.required else f"`{_shown(field.default)}`"
            what = told.get("description", "") or _nested(field.name)
            yield f"| {where} | `{field.name}` | {default} | {what} |"


def _nested(name: str) -> str:
    struct = {where.strip("`[]"): struct for where, struct in TABLES}.get(name)
    text = "" if struct is None or not struct.__doc__ else struct.__doc__.strip().partition(": ")[2]
    return text.rstrip(".") or {"title": "what people call it", "about": "what it is for", "note": "said instead"}.get(
        name, ""
    )


def _shown(value: object) -> str:
    return {(): "none", "": "none", None: "none"}.get(value, str(value))  # type: ignore[call-overload,no-any-return]
