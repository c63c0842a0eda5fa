"""The tree of commands: helps, documents, schemas, exit codes, how failures are told."""

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.commands import tidegate
from tests.cli.written import documents
from tidegate import __version__
from tidegate.cli import schema
from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure, failure_of, render_failure, wants_json
from tidegate.cli.man import roff
from tidegate.cli.render import Column, plain_table, span, table
from tidegate.cli.tree import Command, command_tree, walk

COMMANDS = list(walk(command_tree()))
IDS = [command.name for command in COMMANDS]
START_MODULES_MAX = 400


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_every_command_says_what_it_does_when_asked_for_help(command: Command) -> None:
    ended = tidegate(*command.path[1:], "--help").good()
    assert command.summary.split()[0] in ended.out
    for parameter in command.parameters:
        assert all(name in ended.out for name in parameter.names)


@pytest.mark.parametrize("command", COMMANDS, ids=IDS)
def test_every_command_and_option_has_a_line_of_help(command: Command) -> None:
    assert command.summary.endswith(".")
    assert [parameter.names for parameter in command.parameters if not parameter.help] == []


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.name)
def test_documents_made_from_the_code_are_up_to_date(path: Path) -> None:
    assert path.read_text() == documents()[path], "write it anew: python -m tests.cli.written"


def test_no_schema_is_left_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in Path(__file__).parents[2].glob("docs/schema/*.json")} == set(schema.names())


def test_every_command_with_a_json_answer_has_a_schema() -> None:
    told_as_it_goes = {"serve"}  # lines of a log, not an answer
    with_json = {
        "-".join(command.path[1:])
        for command in COMMANDS
        if command.runs and any("--json" in parameter.names for parameter in command.parameters)
    }
    assert with_json - told_as_it_goes <= set(schema.names())


@pytest.mark.parametrize("name", schema.names())
def test_schema_prints_what_the_document_holds(name: str) -> None:
    path = Path(__file__).parents[2] / f"docs/schema/{name}.json"
    assert tidegate("schema", name).good().json == json.loads(path.read_text())


def test_schema_without_a_name_lists_them() -> None:
    assert tidegate("schema").good().out.split() == list(schema.names())


def test_schema_of_an_unknown_command_is_a_usage_error_that_lists_them() -> None:
    ended = tidegate("schema", "stats")
    assert ended.code == ExitCode.USAGE
    assert "status" in ended.err


def test_an_unknown_command_is_a_usage_error() -> None:
    assert tidegate("sevre").code == ExitCode.USAGE


def test_the_manual_page_is_good_roff() -> None:
    page = tidegate("man").good().out
    assert shutil.which("groff") is not None, "apt-get install groff"
    done = subprocess.run(
        ["groff", "-man", "-ww", "-z", "-Tutf8"], input=page, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stderr == ""


def test_the_manual_page_names_every_command_option_and_exit_code() -> None:
    page = "\n".join(roff(command_tree())).replace("\\-", "-")
    for command in COMMANDS:
        assert command.name in page
        assert all(name in page for parameter in command.parameters for name in parameter.names)
    assert all(f".B {int(code)}\n" in page for code in ExitCode)


@pytest.mark.parametrize(
    "words", [("sevre",), ("config", "explain"), ("status", "--stat"), ("serve", "--workers", "two")]
)
def test_a_usage_error_is_told_as_json_when_asked(words: tuple[str, ...]) -> None:
    plain, machine = tidegate(*words), tidegate("--json", *words)
    assert plain.code == machine.code == ExitCode.USAGE
    assert "Usage: tidegate" in plain.err
    told = json.loads(machine.err)
    assert told["exit_code"] == ExitCode.USAGE
    assert told["error"][0]["what"]


def test_version_says_its_own() -> None:
    assert tidegate("version").good().out.startswith(f"tidegate {__version__} ")
    answer = tidegate("version", "--json").good().json
    assert answer["tidegate"] == __version__
    assert "msgspec" in answer["packages"]


def test_json_counts_before_the_commands_name_too() -> None:
    assert tidegate("--json", "version").good().json["tidegate"] == __version__


def test_the_command_line_starts_without_what_only_commands_need() -> None:
    code = "import sys, tidegate.cli.app; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = set(done.stdout.split())
    assert loaded.isdisjoint(
        {"msgspec", "rich", "uvloop", "starlette", "uvicorn", "pysequoia", "sqlite3", "tidegate.config"}
    )
    assert len(loaded) < START_MODULES_MAX


def test_a_failure_says_what_where_and_what_to_do() -> None:
    failure = Failure(ExitCode.CONFIG, Complaint("it is wrong", "file:3", "Mend it."))
    assert render_failure(failure, as_json=False) == "tidegate: file:3: it is wrong\n  Mend it."
    assert json.loads(render_failure(failure, as_json=True)) == {
        "error": [{"what": "it is wrong", "where": "file:3", "todo": "Mend it."}],
        "exit_code": 78,
    }


def test_json_behind_two_dashes_is_the_inner_commands_own() -> None:
    assert not wants_json(["run", "--", "ip", "--json"])
    assert wants_json(["status", "--json"])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (PermissionError(13, "Permission denied", "/x"), ExitCode.PERMISSION),
        (ConnectionRefusedError(111, "Connection refused"), ExitCode.UNAVAILABLE),
        (NotADirectoryError(20, "Not a directory", "/x"), ExitCode.CANNOT_CREATE),
        (OSError(28, "No space left on device", "/x"), ExitCode.IO_ERROR),
    ],
)
def test_the_systems_errors_have_the_systems_exit_codes(error: OSError, code: ExitCode) -> None:
    failure = failure_of(error)
    assert failure is not None
    assert failure.code == code
    assert error.strerror == failure.complaints[0].what


def test_a_defect_of_ours_is_not_dressed_up_as_a_failure() -> None:
    assert failure_of(ZeroDivisionError()) is None


def test_every_exit_code_has_a_meaning() -> None:
    assert all(code.meaning for code in ExitCode)


def test_a_table_in_a_pipe_has_plain_columns_with_figures_to_the_right() -> None:
    columns = [Column("name"), Column("count", is_figure=True), Column("why")]
    assert plain_table(columns, [["a", "1", ""], ["long name", "1,000", "x"]]) == [
        "NAME       COUNT  WHY",
        "a              1",
        "long name  1,000  x",
    ]


def test_a_table_on_a_terminal_is_drawn_and_takes_cells_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "dumb")
    table([Column("name"), Column("count", is_figure=True)], [["[red]a[/red]", "1"]])
    assert "[red]a[/red]" in terminal.getvalue()
    assert "─" in terminal.getvalue() or "━" in terminal.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 minute"), (7200, "2 hours"), (86_400 * 3.5, "3 days")]
)
def test_spans_are_told_in_their_largest_unit(seconds: float, text: str) -> None:
    assert span(seconds) == text


def test_completion_for_the_shell_is_there() -> None:
    names = {name for parameter in COMMANDS[0].parameters for name in parameter.names}
    assert {"--install-completion", "--show-completion"} <= names


def test_helps_name_only_settings_that_exist() -> None:
    from tidegate.config.keys import catalogue, sections

    tables = "|".join(section.name for section in sections() if "." not in section.name)
    for command in COMMANDS:
        for parameter in command.parameters:
            for key in re.findall(rf"\b(?:{tables})\.[a-z_]+\b", parameter.help):
                assert key in catalogue() or key.startswith("archive.")
