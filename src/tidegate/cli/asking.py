"""What the commands that look at a gateway share: its status, ages in words, and the failure when it is not there."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import overrides, settings_for

if TYPE_CHECKING:
    from tidegate.web.report import StatusReport

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def status_of(config: Path | None, state: Path | None) -> "StatusReport":
    """The status of the gateway that these options mean. Raises Failure."""
    from tidegate.wiring.ask import status

    try:
        return status(settings_for(config, overrides(state=state)), os.environ)
    except FileNotFoundError as error:
        raise not_there(error) from None


def not_there(error: FileNotFoundError) -> Failure:
    """The failure where there is no gateway, and never was one."""
    todo = "Start one with `tidegate serve`, or name its directory with --state."
    return Failure(ExitCode.UNAVAILABLE, Complaint(str(error.strerror), str(error.filename), todo))


def age(at: int | None, now: int) -> str:
    """How long ago, in the largest unit that says it: `3 h`; `never` for null."""
    if at is None:
        return "never"
    seconds = max(0, now - at)
    size, unit = next((one for one in _UNITS if seconds >= one[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def octets(count: int) -> str:
    """Bytes for people: `8.8 MB`."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
