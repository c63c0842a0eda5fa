"""Options that several commands share, so that they read the same everywhere."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tidegate.config.environment import Override
    from tidegate.config.gathering import Gathered

ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help="Settings to read. Otherwise $TIDEGATE_CONFIG, then /etc/tidegate/tidegate.toml, then this host's "
        "own apt sources.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Directory of marks, journal and cache (store.state)."),
]
ListenOption = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where apt is served (gateway.listen).")
]
AdminOption = Annotated[
    str | None,
    typer.Option("--admin", metavar="HOST:PORT", help="Health, status and metrics (admin.listen)."),
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", metavar="N", help="Processes that serve (gateway.workers).")
]

KnownMirrorsOption = Annotated[
    bool,
    typer.Option(
        "--known-mirrors",
        help="Ask the mirrors that are known of each archive, too; they learn what is installed (fetch.known_mirrors).",
    ),
]

AtOption = Annotated[
    datetime | None,
    typer.Option(
        "--at",
        metavar="TIME",
        formats=["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"],
        help="As it was then (UTC): 2026-05-01 or 2026-05-01T10:00.",
    ),
]


def epoch(at: datetime | None) -> int | None:
    """The moment of AtOption, in seconds since 1970."""
    return None if at is None else int(at.replace(tzinfo=UTC).timestamp())


KnownFeedsOption = Annotated[
    bool,
    typer.Option(
        "--known-feeds",
        help="Keep the vendors' usual feeds on vulnerabilities, fetched whole from where they are known to be"
        " (advisories.known_feeds).",
    ),
]


def overrides(**given: object) -> tuple["Override", ...]:
    """What the command line sets, by the option's name; None is left to environment, file and default."""
    from tidegate.config.environment import Override

    return tuple(
        Override(_KEYS[option], str(value) if isinstance(value, Path) else value, f"--{option.replace('_', '-')}")
        for option, value in given.items()
        if value is not None
    )


def settings_for(config: Path | None, given: Sequence["Override"] = ()) -> "Gathered":
    """The settings in force for a command. Raises ConfigError, which `main` renders."""
    import os

    from tidegate.config.gathering import gather

    return gather(config, os.environ, given)


_KEYS = {
    "state": "store.state",
    "listen": "gateway.listen",
    "admin": "admin.listen",
    "workers": "gateway.workers",
    "known_mirrors": "fetch.known_mirrors",
    "known_feeds": "advisories.known_feeds",
    "offline": "fetch.offline",
}
