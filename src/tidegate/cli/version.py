"""`tidegate version`."""

import platform

import typer

from tidegate import __version__
from tidegate.cli.render import JsonOption, json_wanted, say, say_json


def version(context: typer.Context, as_json: JsonOption = False) -> None:
    """Say which version this is."""
    if not json_wanted(context, as_json):
        say(f"tidegate {__version__} (Python {platform.python_version()})")
        return
    from tidegate.cli.reports import VersionReport, package_versions

    say_json(
        VersionReport(
            tidegate=__version__,
            python=platform.python_version(),
            platform=platform.platform(),
            packages=package_versions(),
        )
    )
