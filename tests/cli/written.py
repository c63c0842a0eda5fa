"""The documents that are made from the code. `python -m tests.cli.written` writes them anew."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.cli import drill_tables, states_picture
from tidegate.cli import man, schema
from tidegate.cli.tree import command_tree
from tidegate.config import document
from tidegate.incidents import rules
from tidegate.store.journal_kinds import TABLE

ROOT = Path(__file__).parents[2]
KINDS_TITLE = "\n## Kinds\n"


def documents() -> Mapping[Path, str]:
    """Each document and what it has to hold."""
    schemas = {
        ROOT / f"docs/schema/{name}.json": json.dumps(schema.schema_of(name), indent=2, ensure_ascii=False) + "\n"
        for name in schema.names()
    }
    return {
        ROOT / "docs/configuration.md": document.markdown() + "\n",
        ROOT / "docs/commands.md": "\n".join(man.markdown(command_tree())) + "\n",
        ROOT / "docs/journal.md": _journal(),
        ROOT / "docs/incidents.md": _incidents(),
        ROOT / "docs/drills.md": _with_tables("docs/drills.md", drill_tables.tables()),
        ROOT / "docs/img/incident.svg": states_picture.picture(),
        **schemas,
    }


def _journal() -> str:
    """What people wrote, up to the table of kinds."""
    written, _, behind = (ROOT / "docs/journal.md").read_text().partition(KINDS_TITLE)
    lead = behind.strip().partition("\n")[0]
    return f"{written}{KINDS_TITLE}\n{lead}\n\n" + "\n".join(_rows()) + "\n"


def _incidents() -> str:
    """The tables of what decides."""
    tables = {
        "rules": [
            "| condition | begins with | ends with | one for each | severity | what it means | what to do |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {one.name} | {_signs(one.begins)} | {_signs(one.ends) or 'at once'} | {one.about} |"
                f" {one.severity.name} | {one.what} | {one.todo} |"
                for one in rules.RULES
            ),
        ],
        "severities": [
            "| | |",
            "|---|---|",
            *(f"| {severity.name} | {meaning} |" for severity, meaning in rules.SEVERITIES.items()),
        ],
        "states": [
            "| state | what happens | then | |",
            "|---|---|---|---|",
            *(f"| {row.before} | {row.cause} | {row.after} | {row.note} |" for row in rules.TABLE),
        ],
    }
    return _with_tables("docs/incidents.md", tables)


def _with_tables(path: str, tables: Mapping[str, Sequence[str]]) -> str:
    """What people wrote, with each marked table made anew."""
    text = (ROOT / path).read_text()
    for name, lines in tables.items():
        text = re.sub(
            rf"<!-- {name} -->\n.*?<!-- end -->",
            lambda _, name=name, lines=lines: "\n".join([f"<!-- {name} -->", *lines, "<!-- end -->"]),  # type: ignore[misc]  # a lambda's defaults
            text,
            flags=re.DOTALL,
        )
    return text


def _signs(signs: Sequence[rules.Sign]) -> str:
    return ", ".join(map(str, signs))


def _rows() -> Iterator[str]:
    yield "| kind | subject | what happened | data |"
    yield "|---|---|---|---|"
    for kind in TABLE:
        fields = [f"`{name}` {one.meaning}" for name, one in kind.fields.items()]
        told = "; ".join([*fields, kind.others] if kind.others else fields)
        yield f"| `{kind.name}` | {kind.subject} | {kind.meaning} | {told} |"


if __name__ == "__main__":
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
