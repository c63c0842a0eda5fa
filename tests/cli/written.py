"""The documents that are made from the code. `python -m tests.cli.written` writes them anew."""

import json
from collections.abc import Mapping
from pathlib import Path

from tidegate.cli import man, schema
from tidegate.cli.tree import command_tree
from tidegate.config import document

ROOT = Path(__file__).parents[2]


def documents() -> Mapping[Path, str]:
    """Each document and what it has to hold."""
    schemas = {
        ROOT / f"docs/schema/{name}.json": json.dumps(schema.schema_of(name), indent=2, ensure_ascii=False) + "\n"
        for name in schema.names()
    }
    return {
        ROOT / "docs/configuration.md": document.markdown() + "\n",
        ROOT / "docs/commands.md": "\n".join(man.markdown(command_tree())) + "\n",
        **schemas,
    }


if __name__ == "__main__":
    for path, text in documents().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
