"""`tidegate run -- COMMAND` with the real apt below it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.realapt.private_apt import PrivateApt
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer

TIMEOUT_S = 60.0
MakeApt = Callable[..., PrivateApt]


class Runner:
    """Runs commands behind a private gateway, as a CI job would."""

    def __init__(self, root: Path, source: SourceServer, keyring: Path, apt: PrivateApt) -> None:
        self.config = root / "tidegate.toml"
        self.scratch = root / "tmp"
        self.scratch.mkdir()
        self.apt = apt
        self.config.write_text(
            f'[[archive]]\nname = "debian"\nkeyring = "{keyring}"\narchitectures = ["amd64"]\ndeb_src = true\n'
            f'aliases = ["http://archive.example/debian"]\n[[archive.source]]\nurl = "{source.url}"\nprivate = true\n'
        )

    def run(self, *arguments: str, cache: Path | None = None) -> "subprocess.CompletedProcess[str]":
        kept = ["--cache", str(cache)] if cache else []
        return subprocess.run(
            [sys.executable, "-m", "tidegate", "run", "--config", str(self.config), *kept, *arguments],
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if name.startswith(("COVERAGE_", "PYTHON"))}
        return {
            **kept,
            "PATH": os.environ["PATH"],
            "APT_CONFIG": f"{self.apt.root}/apt.conf",
            "TMPDIR": str(self.scratch),
            "LC_ALL": "C.UTF-8",
        }


@pytest.fixture
def runner(
    tmp_path: Path, archive: SimulatedArchive, source_server: SourceServer, keys: Keys, private_apt: MakeApt
) -> Runner:
    apt = private_apt("deb [signed-by=@KEYRING@] http://archive.example/debian stable main\n")
    return Runner(tmp_path, source_server, keys.keyring, apt)


def test_apt_below_the_command_updates_through_the_gateway_and_nothing_is_left_behind(runner: Runner) -> None:
    done = runner.run("--", "apt-get", "update", "--error-on=any")
    assert done.returncode == 0, done.stderr
    assert "answers" in done.stderr
    assert any(name.endswith("InRelease") for name in runner.apt.lists())
    assert list(runner.scratch.iterdir()) == []


def test_exit_code_of_the_command_is_passed_on(runner: Runner) -> None:
    assert runner.run("--", "sh", "-c", "exit 7").returncode == 7
    assert runner.run("--", "sh", "-c", "kill -TERM $$").returncode == 143


def test_command_that_does_not_exist_is_a_clear_error(runner: Runner) -> None:
    done = runner.run("--", "no-such-command-anywhere")
    assert done.returncode == 2
    assert "no-such-command-anywhere" in done.stderr


def test_standard_output_is_the_commands_alone(runner: Runner) -> None:
    assert runner.run("--", "echo", "only this").stdout == "only this\n"


def test_second_job_with_the_same_cache_fetches_no_package_again(
    runner: Runner, source_server: SourceServer, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    install = ("--json", "--", "sh", "-c", "apt-get update --error-on=any && apt-get install -y --download-only hello")
    assert runner.run(*install, cache=cache).returncode == 0
    before = len(source_server.asked("pool/*"))
    assert before > 0
    runner.apt.forget_packages()
    second = runner.run(*install, cache=cache)
    assert second.returncode == 0, second.stderr
    assert len(source_server.asked("pool/*")) == before
    report = json.loads(second.stderr.strip().splitlines()[-1])
    assert report["exit_code"] == 0
    assert report["saved_bytes"] > 0


def test_second_job_sees_what_was_published_between_the_two(
    runner: Runner, archive: SimulatedArchive, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    assert runner.run("--", "apt-get", "update", "--error-on=any", cache=cache).returncode == 0
    archive.update_package("hello", "9.0")
    archive.publish()
    assert runner.run("--", "apt-get", "update", "--error-on=any", cache=cache).returncode == 0
    assert runner.apt.candidate("hello") == "9.0"


def test_second_job_works_while_the_source_is_dead(runner: Runner, source_server: SourceServer, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert runner.run("--", "apt-get", "update", "--error-on=any", cache=cache).returncode == 0
    source_server.refuse()
    runner.apt.forget_lists()
    done = runner.run("--", "apt-get", "update", "--error-on=any", cache=cache)
    assert done.returncode == 0, done.stderr
    assert "failed" in done.stderr
