"""The directories of a store, and that one gateway at a time keeps it."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.drafts import open_descriptors
from tidegate.store.layout import Layout, StoreBusyError

HOLD_IT = """
import sys
from pathlib import Path
from tidegate.store.layout import Layout
fd = Layout(Path(sys.argv[1]), Path(sys.argv[2])).lock()
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "state", tmp_path / "state" / "cache")
    layout.make()
    return layout


def test_the_directories_are_private_to_their_owner(layout: Layout) -> None:
    for directory in (layout.state, layout.cache):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_making_a_store_that_is_there_changes_nothing(layout: Layout) -> None:
    blob = layout.blobs / "ab" / ("c" * 62)
    blob.write_bytes(b"held")
    layout.make()
    assert blob.read_bytes() == b"held"


def test_a_second_gateway_is_told_who_keeps_the_store(layout: Layout) -> None:
    fd = layout.lock()
    before = open_descriptors()
    with pytest.raises(StoreBusyError, match=r"another tidegate serves from .*choose another --state"):
        layout.lock()
    assert open_descriptors() == before
    os.close(fd)
    os.close(layout.lock())


def test_the_lock_goes_with_a_killed_process(layout: Layout) -> None:
    command = [sys.executable, "-c", HOLD_IT, str(layout.state), str(layout.cache)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(StoreBusyError):
            layout.lock()
        holder.kill()
        holder.wait(10)
        os.close(layout.lock())


def test_half_a_download_of_the_last_run_is_gone_after_the_lock(layout: Layout, tmp_path: Path) -> None:
    with subprocess.Popen(["true"]) as dead:
        dead.wait(10)
    for name in (f"{dead.pid}.0", f"{os.getpid()}.0", f"{2**40}.0", "-1.0", "no-number"):
        (layout.tmp / name).write_bytes(b"half a package")
    (layout.tmp / "link").symlink_to(tmp_path)
    os.close(layout.lock())
    assert list(layout.tmp.iterdir()) == []
    assert tmp_path.exists()


def test_what_another_living_process_is_writing_beside_us_stays(layout: Layout) -> None:
    theirs = layout.tmp / f"{os.getppid()}.0"
    theirs.write_bytes(b"an import under way")
    os.close(layout.lock())
    assert theirs.exists()


def test_whoever_does_not_get_the_lock_leaves_the_downloads_of_the_other_alone(layout: Layout) -> None:
    fd = layout.lock()
    (layout.tmp / "4711.0").write_bytes(b"under way")
    with pytest.raises(StoreBusyError):
        layout.lock()
    assert (layout.tmp / "4711.0").exists()
    os.close(fd)


def test_a_lock_that_is_a_symlink_is_not_followed(layout: Layout, tmp_path: Path) -> None:
    """Threat 40."""
    (layout.cache / "lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        layout.lock()
    assert not (tmp_path / "elsewhere").exists()
