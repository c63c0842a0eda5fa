"""State and cache: whether they are there, ours alone, and have room."""

import os
import shutil
import stat
from pathlib import Path

from tidegate.cli.reports import CheckReport
from tidegate.store.layout import Layout
from tidegate.store.marks import SqliteMarks

MIB = 1_048_576


def check_directory(name: str, directory: Path) -> list[CheckReport]:
    """A directory that we write: made by us where it is missing, and writable by nobody else."""
    found = _nearest(directory)
    if found is None or not found.is_dir():
        todo = "Move what stands there away, or choose another with --state."
        return [CheckReport(name=name, state="bad", saw=f"{found or directory} is no directory", todo=todo)]
    if not os.access(found, os.W_OK | os.X_OK, effective_ids=True):
        todo = f"Run as the user that owns it, or give it to this one (chown), or choose another with --{name}."
        return [CheckReport(name=name, state="bad", saw=f"{found} cannot be written by this user", todo=todo)]
    if found != directory:
        return [CheckReport(name=name, state="ok", saw=f"{directory} is not there yet; it will be made")]
    mode = stat.S_IMODE(found.stat().st_mode)
    if mode & (stat.S_IWGRP | stat.S_IWOTH):
        saw = f"{directory} may be written by others (mode {mode:04o})"
        return [CheckReport(name=name, state="warn", saw=saw, todo=f"chmod go-w {directory}")]
    return [CheckReport(name=name, state="ok", saw=f"{directory}, mode {mode:04o}")]


def check_space(cache: Path, free_bytes_min: int) -> CheckReport:
    """Room on the cache's file system against `store.free_bytes_min`."""
    found = _nearest(cache)
    if found is None:
        return CheckReport(name="disk", state="bad", saw=f"no file system for {cache}", todo="Mount one.")
    free = shutil.disk_usage(found).free
    saw = f"{free // MIB:,} MiB free at {found}; from {free_bytes_min // MIB:,} MiB down nothing is stored"
    if free < free_bytes_min:
        return CheckReport(name="disk", state="bad", saw=saw, todo="Make room, or move store.cache.")
    if free < 4 * free_bytes_min:
        return CheckReport(name="disk", state="warn", saw=saw, todo="Make room soon, or move store.cache.")
    return CheckReport(name="disk", state="ok", saw=saw)


def newest_mark(state: Path) -> int | None:
    """The Date of the newest Release ever accepted of any suite; None where the state cannot say."""
    path = Layout(state, state).marks
    if not os.access(path, os.R_OK | os.W_OK):
        return None
    marks = SqliteMarks(path)
    try:
        return max((mark.date for _, _, mark in marks.all()), default=None)
    finally:
        marks.close()


def _nearest(path: Path) -> Path | None:
    """The path, or the innermost directory above it that is there for us to see."""
    return next((each for each in [path, *path.absolute().parents] if _is_seen(each)), None)


def _is_seen(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:
        return False
