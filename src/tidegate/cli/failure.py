"""How a command says no: what, where, what to do; as a sentence for people or as JSON."""

import json
import sys
from dataclasses import asdict, dataclass

from tidegate.cli.exit_codes import ExitCode


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that went wrong."""

    what: str
    where: str = ""
    todo: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.what}" if self.where else self.what]
        return "\n  ".join([*lines, self.todo] if self.todo else lines)


class Failure(Exception):  # noqa: N818  # it is an answer, which a command raises to end itself
    """Ends a command: printed by `main`, with its exit code."""

    def __init__(self, code: ExitCode, *complaints: Complaint) -> None:
        self.code = code
        self.complaints = complaints
        super().__init__("; ".join(complaint.what for complaint in complaints))


def failure_of(error: Exception) -> Failure | None:
    """An exception in a command's words; None for one that is a defect of ours."""
    if isinstance(error, Failure):
        return error
    # Typer's complaints about a command line have no public base; this is what they have in common.
    if callable(message := getattr(error, "format_message", None)):
        return Failure(ExitCode.USAGE, Complaint(message()))
    if isinstance(error, OSError):
        where = str(error.filename or "")
        return Failure(_os_code(error), Complaint(error.strerror or str(error), where))
    from tidegate.config.problems import ConfigError

    if isinstance(error, ConfigError):
        complaints = (Complaint(each.what, each.where, each.todo) for each in error.problems)
        return Failure(ExitCode.CONFIG, *complaints)
    return None


def render_failure(failure: Failure, *, as_json: bool) -> str:
    """What goes to standard error."""
    if as_json:
        return json.dumps({"error": [asdict(each) for each in failure.complaints], "exit_code": int(failure.code)})
    return "\n".join(f"tidegate: {complaint}" for complaint in failure.complaints)


def wants_json(arguments: list[str]) -> bool:
    """Whether `--json` is among our own arguments, those before `--`."""
    ours = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in ours


def complain(failure: Failure) -> int:
    """Prints it as the command line wants it, and says with what to exit."""
    sys.stderr.write(render_failure(failure, as_json=wants_json(sys.argv[1:])) + "\n")
    return int(failure.code)


def _os_code(error: OSError) -> ExitCode:
    if isinstance(error, PermissionError):
        return ExitCode.PERMISSION
    if isinstance(error, ConnectionError | TimeoutError):
        return ExitCode.UNAVAILABLE
    if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
        return ExitCode.CANNOT_CREATE
    return ExitCode.IO_ERROR
