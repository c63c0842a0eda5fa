"""The whole examination: what is looked at, in which order."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from tidegate.cli.doctor.clock import check_clock
from tidegate.cli.doctor.keys import check_keys
from tidegate.cli.doctor.ports import check_port, running_at
from tidegate.cli.doctor.program import check_descriptors, check_packages, check_verifier
from tidegate.cli.doctor.reach import check_sources
from tidegate.cli.doctor.reporting import check_reporting
from tidegate.cli.doctor.storage import check_directory, check_space, newest_mark
from tidegate.cli.options import settings_for
from tidegate.cli.reports import CheckReport, DoctorReport
from tidegate.config import ConfigError, Gathered, Override
from tidegate.config.addresses import masked
from tidegate.config.places import cache_directory, state_directory
from tidegate.store.layout import Layout


def examine(config: Path | None, overrides: Sequence[Override]) -> DoctorReport:
    """Every check. Where the settings cannot be used, only what does not need them."""
    checks = [*check_packages()]
    try:
        gathered = settings_for(config, overrides)
    except ConfigError as error:
        broken = (
            CheckReport(name="settings", state="bad", saw=masked(f"{each.where}: {each.what}"), todo=each.todo)
            for each in error.problems
        )
        return DoctorReport(checks=(*broken, *checks))
    return DoctorReport(checks=(*_settings(gathered), *checks, *_by_settings(gathered)))


def _settings(gathered: Gathered) -> list[CheckReport]:
    names = ", ".join(archive.name for archive in gathered.settings.archive)
    where = gathered.file or "this host's own apt sources"
    if names:
        head = CheckReport(name="settings", state="ok", saw=f"{where}: {names}")
    else:
        todo = "Name archives in a file (docs/configuration.md), or give this host apt sources."
        head = CheckReport(name="settings", state="bad", saw=f"{where}: no archive", todo=todo)
    notes = (CheckReport(name="settings", state="warn", saw=each) for each in gathered.notes)
    return [head, *notes]


def _by_settings(gathered: Gathered) -> list[CheckReport]:
    settings, now = gathered.settings, int(time.time())
    state = state_directory(settings.store, os.environ, uid=os.geteuid())
    cache = cache_directory(settings.store, state)
    reached = check_sources(settings)
    layout = Layout(state, cache)
    running = running_at(layout)
    return [
        check_clock(now, newest_mark(state), reached.dates),
        *check_directory("state", state),
        *(check_directory("cache", cache) if cache != state / "cache" else ()),
        check_space(cache, settings.store.free_bytes_min),
        check_descriptors(settings.gateway),
        check_verifier(settings.trust),
        *(check_keys(archive, now) for archive in settings.archive),
        check_port("gateway.listen", settings.gateway.listen, running.listen if running else None),
        check_port("admin.listen", settings.admin.listen, running.admin if running else None),
        *check_reporting(settings.fleet.listen, layout, now),
        *reached.checks,
    ]
