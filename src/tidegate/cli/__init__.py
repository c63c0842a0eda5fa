"""Commands: parse, call, render, exit code."""


def main() -> None:
    """The console entry point."""
    raise SystemExit("tidegate: no command yet")
