"""Commands: parse, call, render, exit code. Bodies import what they need, so that start-up stays quick."""

import sys


def main() -> None:
    """The console entry point."""
    from tidegate.cli.app import app
    from tidegate.cli.failure import complain, failure_of, wants_json

    try:
        # Typer tells usage errors itself, with the usage; for machines they come here as exceptions.
        code = app(standalone_mode=not wants_json(sys.argv[1:]))
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            raise
        code = complain(failure)
    sys.exit(code)
