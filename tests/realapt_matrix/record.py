"""What was measured: kept as JSON lines, shown as the tables of docs/apt-clients.md."""

import itertools
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from tests.realapt_matrix.answers import SCRIPTED, Kind
from tests.realapt_matrix.stage import CAP_S, Outcome

MEASURED: Final = Path(__file__).with_name("measured.jsonl")
PAGE: Final = Path(__file__).parents[2] / "docs" / "apt-clients.md"
BEGIN: Final = "<!-- measured: from here on written by python -m tests.realapt_matrix -->\n"

Cells = dict[tuple[str, str], Outcome]
"""(kind, answer), both as in the table, to what happened."""


@dataclass(frozen=True, slots=True)
class Client:
    """One apt and how it took everything."""

    version: str
    source: str  # where this apt is from
    cells: Cells

    @property
    def order(self) -> tuple[int, ...]:
        """Versions in their order."""
        return tuple(int(part) for part in self.version.split("."))


def load() -> list[Client]:
    """Everything measured so far, the oldest apt first."""
    clients: dict[str, Client] = {}
    for line in MEASURED.read_text().splitlines() if MEASURED.exists() else ():
        fields = json.loads(line)
        client = Client(fields.pop("version"), fields.pop("source"), {})
        cell = fields.pop("kind"), fields.pop("answer")
        clients.setdefault(client.version, client).cells[cell] = Outcome(**fields)
    return sorted(clients.values(), key=lambda client: client.order)


def save(clients: Iterable[Client]) -> list[Client]:
    """Keep it, a line for each cell, and return it in order."""
    ordered = sorted(clients, key=lambda client: client.order)
    with MEASURED.open("w") as out:
        for client in ordered:
            for kind, answer in itertools.product(Kind, SCRIPTED):
                if outcome := client.cells.get((kind.value, answer.name)):
                    where = {"version": client.version, "source": client.source}
                    cell = {"kind": kind.value, "answer": answer.name}
                    out.write(json.dumps(where | cell | asdict(outcome)) + "\n")
    return ordered


def page_with(page: str, clients: list[Client]) -> str:
    """The page with its tables written anew."""
    return page.partition(BEGIN)[0] + BEGIN + "\n" + "\n".join(_table(kind, clients) for kind in Kind)


def _table(kind: Kind, clients: list[Client]) -> str:
    head = ["answer", *(client.version for client in clients)]
    rows = [f"### {kind.value}\n", _row(head), _row(["---"] * len(head))]
    for answer in SCRIPTED:
        outcomes = [client.cells.get((kind.value, answer.name)) for client in clients]
        if any(outcomes):
            rows.append(_row([answer.name, *(_cell(outcome) if outcome else "" for outcome in outcomes)]))
    return "\n".join(rows) + "\n"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(outcome: Outcome) -> str:
    if outcome.exit is None:
        end = "**hangs**" if outcome.hangs else f"> {CAP_S:.0f} s"
    else:
        end = f"{outcome.exit}, {outcome.seconds:.0f} s" if outcome.seconds >= 1 else f"{outcome.exit}, at once"
    marks = ("" if outcome.others else " ‡") + (" ✓" if outcome.says_why else "")
    return f"{end}, {outcome.requests}x{marks}"
