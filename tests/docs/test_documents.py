"""What the documents claim is so: commands, places, rooms, settings, the version."""

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.documents import ROOT, SOURCE, documents, links, objection, places, shell_lines, typed
from tidegate import __version__
from tidegate.cli.tree import command_tree
from tidegate.config.keys import catalogue
from tidegate.config.reading import load

IDS = [str(path.relative_to(ROOT)) for path in documents()]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
README = (ROOT / "README.md").read_text()


def section(text: str, title: str) -> str:
    """What stands below a heading of the second level."""
    return text.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The rows of a section's table, its head left out."""
    lines = [line.strip("| ").split("|") for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


@pytest.mark.parametrize("path", documents(), ids=IDS)
def test_every_command_in_a_document_is_one_that_there_is(path: Path) -> None:
    lines = [line for line in shell_lines(path.read_text()) if line.startswith("tidegate")]
    tree = command_tree()
    assert {line: why for line in lines if (why := objection(typed(line), tree))} == {}


@pytest.mark.parametrize("path", documents(), ids=IDS)
def test_every_make_target_in_a_document_is_one_that_there_is(path: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {typed(line)[1] for line in shell_lines(path.read_text()) if line.startswith("make ")}
    assert named <= targets


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("tidegate sevre", "has no command sevre"),
        ("tidegate serve --lisen 1:2", "has no option --lisen"),
        ("tidegate refresh --state", "wants DIR"),
        ("tidegate version now", "takes 0 arguments"),
        ("tidegate config chek", "has no command chek"),
    ],
)
def test_a_command_that_there_is_not_would_be_found(line: str, why: str) -> None:
    assert why in (objection(typed(line), command_tree()) or "")


def test_a_command_behind_two_dashes_is_not_ours_to_judge() -> None:
    assert objection(typed("tidegate run --cache d -- apt-get --yes update"), command_tree()) is None


def test_the_readme_names_the_ways_to_begin() -> None:
    lines = shell_lines(README)
    assert {"make serve", "make test", "tidegate run -- apt-get update"} <= {" ".join(typed(line)) for line in lines}


def test_the_line_for_apt_is_the_one_that_the_gateway_prints() -> None:
    printed = (SOURCE / "wiring/serve.py").read_text()
    line = 'Acquire::http::Proxy "http://{listen}";'
    assert line in printed
    assert line.format(listen=catalogue()["gateway.listen"].default) in README


@pytest.mark.parametrize("path", documents(), ids=IDS)
def test_every_place_in_a_document_is_there(path: Path) -> None:
    assert [why for place in places(path.read_text()) if (why := place.objection(path))] == []


@pytest.mark.parametrize("path", documents(), ids=IDS)
def test_every_link_in_a_document_leads_somewhere(path: Path) -> None:
    targets = [target.partition("#")[0] for target in links(path.read_text())]
    assert [target for target in targets if target and not (path.parent / target).exists()] == []


def test_the_architecture_names_places_by_the_dozen() -> None:
    named = list(places(ARCHITECTURE))
    assert len(named) > 60
    assert sum(bool(place.name) for place in named) > 20


def test_every_room_is_in_the_code_map_from_top_to_bottom() -> None:
    contract = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"][0]
    rooms = [room.strip() for layer in contract["layers"] for room in layer.split("|")]
    drawn = [row[0].strip("`") for row in rows(section(ARCHITECTURE, "Rooms"))]
    assert drawn == [room for room in rooms if room != "__main__"]
    assert set(drawn) == {path.parent.name for path in SOURCE.glob("*/__init__.py")}


def test_each_point_that_was_asked_for_has_its_place() -> None:
    table = rows(section(ARCHITECTURE, "What was asked for, and where it is"))
    gateway, failover, continuity, incidents = range(1, 12), range(1, 10), range(1, 9), range(1, 9)
    numbered = [row for row in table if row[0].isdigit()]
    asked_for = (*gateway, *failover, *continuity, *incidents)
    assert [row[0] for row in numbered] == [str(number) for number in asked_for]
    assert [row[0] for row in numbered if not (row[2] and row[3])] == []


def test_settings_in_the_readme_can_be_used_as_they_stand() -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    assert load(blocks[0], "README.md").archive[0].name == "ubuntu"


@pytest.mark.parametrize("path", documents(), ids=IDS)
def test_every_setting_in_a_document_is_one_that_there_is(path: Path) -> None:
    tables = {key.partition(".")[0] for key in catalogue()}
    named = re.findall(rf"`((?:{'|'.join(sorted(tables))})\.[a-z_]+)`", path.read_text())
    # Modules and packages of ours are named alike: `config.keys`, `store.blobs`.
    files = {f"{path.parent.name}.{path.stem}" for path in SOURCE.glob("*/*.py")}
    assert set(named) - set(catalogue()) - files == set()


def test_the_changelog_has_this_version_first() -> None:
    versions = re.findall(r"^## \[([0-9.]+)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0][0] == __version__
    assert re.fullmatch(r"unreleased|\d{4}-\d\d-\d\d", versions[0][1])


def test_every_decision_is_in_the_list_and_has_its_parts() -> None:
    pages = sorted((ROOT / "docs/adr").glob("0*.md"))
    assert links((ROOT / "docs/adr/README.md").read_text()) == [page.name for page in pages]
    for number, page in enumerate(pages, start=1):
        text = page.read_text()
        assert text.startswith(f"# {page.name[:4]}: ")
        assert int(page.name[:4]) == number
        assert [
            title for title in ("Situation", "Decision", "What follows", "Considered") if f"\n## {title}\n" not in text
        ] == []


def test_the_picture_of_a_run_shows_what_the_readme_says_of_it() -> None:
    picture = (ROOT / "docs/img/run.svg").read_text().replace("&#160;", " ")
    for said in ("listening on", "point an apt at it", "adopted, from", "older-than-accepted", "apt-get update"):
        assert said in picture
    assert "docs/img/run.svg" in links(README.replace("\n", " "))
    assert set(re.findall(r"https?://([^/\s\"'<&]+)", picture)) <= {
        "www.w3.org",
        "archive.example",
        "mirror-b.example",
        "127.0.0.1:3142",
    }


def test_the_program_as_a_module_is_the_program() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tidegate", "version"], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith(f"tidegate {__version__} ")


def test_the_log_s_events_are_those_that_are_told() -> None:
    calls = [
        node
        for path in (SOURCE / "wiring").glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "News"
    ]
    told = {call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant)}
    table = rows(section((ROOT / "docs/logs.md").read_text(), "Events"))
    assert {word.strip("` ") for row in table for word in row[0].split(",")} == told
