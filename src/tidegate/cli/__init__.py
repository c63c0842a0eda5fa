"""Commands: parse, call, render, exit code. Bodies import what they need, so that start-up stays quick."""

import sys


def main() -> None:
    """The console entry point."""
    from tidegate.cli.app import app

    try:
        app()
    except Exception as error:
        from tidegate.cli.failure import complain, failure_of

        failure = failure_of(error)
        if failure is None:
            raise
        sys.exit(complain(failure))
