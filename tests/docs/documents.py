"""The documents that people read, and what they claim: commands, places, settings."""

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tidegate.cli.tree import Command, Parameter

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/tidegate"
WRITTEN = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "bench/README.md")

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_SHELL = ("", "sh", "console")
_PROMPT = re.compile(r"\$ +")
_END = {">", ">>", "|", "&&", "||", ";"}
_PLACE = re.compile(r"[\w.-]+(/[\w.-]+)*/?(::[\w.]+)?\Z")
_ENDINGS = (".py", ".md", ".toml", ".json", ".sh", ".svg", ".service", "/")


def documents() -> tuple[Path, ...]:
    """Every Markdown file of the project's own."""
    return (*(ROOT / name for name in WRITTEN), *sorted((ROOT / "docs").rglob("*.md")))


def code_spans(text: str) -> list[str]:
    """What stands between backticks within a line."""
    return _CODE.findall(_FENCE.sub("", text))


def links(text: str) -> list[str]:
    """Targets of links and pictures, those to the web left out."""
    return [target for target in _LINK.findall(text) if "://" not in target]


def shell_lines(text: str) -> list[str]:
    """What a reader would type: the lines of shell blocks, and code spans that begin with our program or make."""
    blocks = [block for kind, block in _FENCE.findall(text) if kind in _SHELL]
    lines = [
        _PROMPT.sub("", line, count=1) if line.startswith("$") else line for b in blocks for line in b.splitlines()
    ]
    return [line for line in (*lines, *code_spans(text)) if re.match(r"(tidegate|make)\b(?![.(])", line)]


def typed(line: str) -> list[str]:
    """The words of one command, without comments and what comes behind a pipe or redirection."""
    words = shlex.split(line, comments=True)
    end = next((index for index, word in enumerate(words) if word in _END), len(words))
    return words[:end]


def objection(words: Sequence[str], tree: Command) -> str | None:
    """Why a command line is none of ours, judged by the tree of commands; None when it is one."""
    node, rest = tree, list(words[1:])
    while rest and (child := _child(node, rest[0])) is not None:
        node, rest = child, rest[1:]
    options: dict[str, Parameter | None] = {"--help": None, "-h": None}
    options |= {name: parameter for parameter in node.parameters for name in parameter.names}
    given: list[str] = []
    while rest:
        word = rest.pop(0)
        if word == "--":
            given += rest
            break
        if word.startswith("-"):
            name = word.partition("=")[0]
            if name not in options:
                return f"{node.name} has no option {name}"
            parameter = options[name]
            if parameter is not None and parameter.metavar and "=" not in word and not rest:
                return f"{name} wants {parameter.metavar}"
            if parameter is not None and parameter.metavar and "=" not in word:
                rest.pop(0)
        elif not word.startswith("["):  # a usage line's optional part
            given.append(word)
    return _arguments_objection(node, given)


def _child(node: Command, word: str) -> Command | None:
    return next((child for child in node.children if child.path[-1] == word), None)


def _arguments_objection(node: Command, given: Sequence[str]) -> str | None:
    arguments = [parameter for parameter in node.parameters if parameter.is_argument]
    if node.children:
        return None if not given or given == ["COMMAND"] else f"{node.name} has no command {given[0]}"
    if len(given) > len(arguments) and not any(parameter.is_repeatable for parameter in arguments):
        return f"{node.name} takes {len(arguments)} arguments, not {len(given)}"
    return None


# What .gitignore keeps out of a clone, so that it is there only once something was run.
MADE_WHEN_NEEDED = frozenset(
    line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line.startswith("/")
)


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder that a document names, and a name in it."""

    path: str
    name: str

    def objection(self, document: Path) -> str | None:
        """Why there is no such place, seen from the document; None when there is."""
        bases = (SOURCE, ROOT, document.parent)
        found = next((base / self.path for base in bases if (base / self.path).exists()), None)
        if found is None and "/" not in self.path:  # a name that several rooms have: settings.py
            found = next(SOURCE.rglob(self.path), None)
        if found is None and self.path.rstrip("/") not in MADE_WHEN_NEEDED:
            return f"{self.path} is not there"
        if found is None:
            return None
        if self.name and self.name not in names_in(found):
            return f"{self.path} has no {self.name}"
        return None


def places(text: str) -> Iterator[Place]:
    """What of the code spans is a place in the tree: it has a slash or a file's ending, and nothing else in it."""
    for span in code_spans(text):
        if not _PLACE.match(span) or span.partition("/")[0].isupper():
            continue
        path, _, name = span.partition("::")
        if path.endswith(_ENDINGS) or (SOURCE / path.partition("/")[0]).is_dir() or "/" in path:
            yield Place(path, name)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes and constants of a module; methods and attributes behind their class and a dot."""
    names: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        names |= set(_bound(node))
        if isinstance(node, ast.ClassDef):
            inner = {name for part in node.body for name in _bound(part)}
            inner |= {
                part.attr
                for part in ast.walk(node)
                if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == "self"
            }
            names |= {f"{node.name}.{name}" for name in inner}
    return frozenset(names)


def _bound(node: ast.stmt) -> Iterator[str]:
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.Assign(targets=targets):
            yield from (target.id for target in targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
