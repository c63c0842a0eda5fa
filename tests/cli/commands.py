"""Runs `tidegate` in this process: the same door as the console script, with what it said and its exit code."""

import contextlib
import io
import json
import sys
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from tidegate.cli import main


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output as JSON."""
        return json.loads(self.out)

    def good(self) -> "Ended":
        """Itself, or an assertion with all that was said."""
        assert self.code == 0, f"exit {self.code}\n{self.out}{self.err}"
        return self


def tidegate(*arguments: object) -> Ended:
    """`tidegate ARGUMENTS`."""
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    words = ["tidegate", *(str(argument) for argument in arguments)]
    with patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Ended(int(code) if isinstance(code, int) else int(code is not None), out.getvalue(), err.getvalue())
