"""A host that reports by itself: the script with curl and with perl alone, and the hook after the real apt and dpkg."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.test_client_config import blackholed, hanging, refused
from tests.conftest import AptFactory
from tests.realapt.private_apt import Result
from tests.simulator.server import SourceServer
from tests.web.desk import Desk
from tidegate.cli.client_config.forms import Form, client_files
from tidegate.cli.client_config.gateway import gateway_at
from tidegate.cli.client_config.reporting import HOOK, HOOK_TIMEOUT_S, SCRIPT, TOKEN, one_line

if TYPE_CHECKING:
    from tests.realapt import PrivateApt

RUN_TIMEOUT_S = 60
DEADLINE_S = 30.0
WAYS = [("curl", "/bin/bash"), ("perl", "/bin/dash"), *([("curl", "/bin/busybox")] if shutil.which("busybox") else [])]
GONE: list[Callable[[], AbstractContextManager[int]]] = [refused, blackholed, hanging]
TOOLS = (
    *("sh", "cat", "sha256sum", "cut", "uname", "apt-get", "dpkg-query", "sort", "grep", "sed", "echo", "tr", "tail"),
    *("gzip", "flock", "modprobe", "perl", "printf", "env", "timeout", "setsid"),
)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    state = tmp_path / "state"
    state.mkdir()
    with Desk(state) as made:
        yield made


def script_for(port: int, directory: Path, secret: str) -> tuple[Path, Path]:
    """The script as it would be installed, and a token beside it."""
    path, token = directory / "report", directory / "report-token"
    files = client_files(Form.REPORT_TIMER, gateway_at(f"127.0.0.1:{port}"), ())
    (content,) = (one.content for one in files if one.path == SCRIPT)
    path.write_text(content)
    path.chmod(0o755)
    token.write_text(f"{secret}\n")
    token.chmod(0o600)
    return path, token


def run(*command: object, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or "/usr/sbin:/usr/bin:/sbin:/bin", "http_proxy": "http://127.0.0.1:9"}
    words = list(map(str, command))
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=False)


def without_curl(directory: Path) -> str:
    """A PATH like that of a small Debian: no curl, no wget."""
    directory.mkdir()
    for name in TOOLS:
        if found := shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            (directory / name).symlink_to(found)
    return str(directory)


@pytest.mark.parametrize(("tool", "shell"), WAYS)
def test_an_unchanged_host_costs_one_request_in_every_shell_and_with_either_tool(
    tool: str, shell: str, desk: Desk, tmp_path: Path
) -> None:
    script, token = script_for(desk.port, tmp_path, desk.token)
    path = without_curl(tmp_path / "bin") if tool == "perl" else None
    words = [shell, "sh"] if shell.endswith("busybox") else [shell]
    for expected in (2, 3):  # asked and told to send it whole; then asked
        done = run(*words, script, token, path=path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        assert sum(desk.door._requests.values()) == expected
    (entry,) = desk.hosts.entries()
    assert (entry.host.name, entry.host.kernel) == (os.uname().nodename, os.uname().release)
    assert entry.packages > 100


@pytest.mark.parametrize("tool", ["curl", "perl"])
def test_what_goes_wrong_is_one_sentence_and_exit_1(tool: str, desk: Desk, tmp_path: Path) -> None:
    path = without_curl(tmp_path / "bin") if tool == "perl" else None
    script, token = script_for(desk.port, tmp_path, "tdg_wrong")
    done = run(script, token, path=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "answered 401: this token does not allow to report" in done.stderr
    token.unlink()
    assert "there is no token that can be read" in run(script, token).stderr
    with refused() as port:
        script, token = script_for(port, tmp_path, desk.token)
        done = run(script, token, path=path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "does not answer" in done.stderr
    assert list(desk.hosts.entries()) == []


def test_the_script_shows_what_it_would_send(desk: Desk, tmp_path: Path) -> None:
    script, _ = script_for(desk.port, tmp_path, desk.token)
    done = run(script, "--print")
    assert done.stdout.startswith("tidegate-inventory\t1\n")
    assert done.stdout.endswith("\nend\n")
    assert sum(desk.door._requests.values()) == 0


def test_the_token_is_on_no_command_line(desk: Desk, tmp_path: Path) -> None:
    script, token = script_for(desk.port, tmp_path, desk.token)
    directory = tmp_path / "bin"
    directory.mkdir()
    spy = directory / "curl"
    spy.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{tmp_path}/words\nexec /usr/bin/curl "$@"\n')
    spy.chmod(0o755)
    assert run(script, token, path=f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin").returncode == 0
    words = (tmp_path / "words").read_text()
    assert "fleet/report" in words
    assert desk.token not in words


def test_the_one_line_sends_the_same_report(desk: Desk, tmp_path: Path) -> None:
    script, token = script_for(desk.port, tmp_path, desk.token)
    line = one_line(gateway_at(f"127.0.0.1:{desk.port}")).replace(TOKEN, str(token))
    assert "\n" not in line
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=True)
    assert "taken in" in done.stdout
    assert run(script, token).returncode == 0
    assert sum(desk.door._requests.values()) == 2  # the script had nothing new to say


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")
def test_the_report_needs_no_rights(desk: Desk, tmp_path: Path) -> None:
    line = f"{script_for(desk.port, tmp_path, desk.token)[0].read_text()}"
    become = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "sh", "-s", "--", "--print"]
    done = subprocess.run(become, input=line, capture_output=True, text=True, timeout=RUN_TIMEOUT_S, check=True)
    assert done.stdout.endswith("\nend\n")
    assert done.stdout == run("sh", "-c", f"{script_for(desk.port, tmp_path, desk.token)[0]} --print").stdout


# The hook


class Host:
    """A root with dpkg's own state, in which the real apt installs by the real dpkg; with the hook, or without."""

    def __init__(self, make: AptFactory, server: SourceServer, directory: Path, *, hook: str) -> None:
        self.root = directory / "installed"
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"):
            (self.root / folder).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        (self.root / "var/lib/dpkg/available").touch()
        self.apt: PrivateApt = make(
            f"deb [signed-by=@KEYRING@] {server.url} stable main\n",
            options={
                "Dir::State::status": f"{self.root}/var/lib/dpkg/status",
                "DPkg::Options:: ": f"--root={self.root}",
                "DPkg::Options::  ": "--force-not-root",
                "DPkg::Options::   ": "--force-bad-path",
                "DPkg::Options::    ": "--log=/dev/null",
            },
        )
        with (self.apt.root / "apt.conf").open("a") as conf:
            conf.write(hook)
        self.apt.update().check()

    def install(self) -> Result:
        return self.apt.run("apt-get", "install", "hello")

    def remove(self) -> None:
        self.apt.run("dpkg", f"--root={self.root}", "--force-not-root", "--force-all", "--log=/dev/null", "-P", "hello")


def hook_with(script: Path, token: Path) -> str:
    (file,) = client_files(Form.REPORT_HOOK, gateway_at("127.0.0.1:1"), ())
    assert file.path == HOOK
    with_token = file.content.replace(f"/{SCRIPT} </dev/null", f"{script} {token} </dev/null")
    return with_token.replace(f"/{SCRIPT}", str(script))


def running(script: Path) -> list[str]:
    """The processes that work on the report."""
    found = []
    for status in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = status.read_bytes()
        except OSError:
            continue
        if str(script).encode() in words or b"/fleet/report?" in words:
            found.append(words.replace(b"\0", b" ").decode(errors="replace"))
    return found


def wait_until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_after_dpkg_the_host_reports_and_apt_does_not_notice(
    desk: Desk, private_apt: AptFactory, source_server: SourceServer, tmp_path: Path
) -> None:
    script, token = script_for(desk.port, tmp_path, desk.token)
    host = Host(private_apt, source_server, tmp_path, hook=hook_with(script, token))
    done = host.install().check()
    assert "hello" in (host.root / "var/lib/dpkg/status").read_text()
    assert "report" not in done.said
    wait_until(lambda: list(desk.hosts.entries()))
    wait_until(lambda: not running(script))


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: gone.__name__)
def test_a_gateway_that_is_gone_costs_apt_nothing_and_leaves_no_process(
    gone: Callable[[], AbstractContextManager[int]],
    private_apt: AptFactory,
    source_server: SourceServer,
    tmp_path: Path,
) -> None:
    with gone() as port:
        script, token = script_for(port, tmp_path, "tdg_some")
        host = Host(private_apt, source_server, tmp_path, hook=hook_with(script, token))
        done = host.install().check()
        ended = time.monotonic()
        assert done.stderr == ""
        assert done.seconds < HOOK_TIMEOUT_S
        host.remove()
        wait_until(lambda: not running(script))
        assert time.monotonic() - ended < HOOK_TIMEOUT_S + 3  # two reports may be under way, one after the other


@pytest.mark.parametrize(
    "broken",
    ["#!/bin/sh\nexit 1\n", "#!/bin/sh\necho noise; echo noise >&2; kill -9 $$\n", "#!/nowhere\n", "not a program"],
)
def test_whatever_becomes_of_the_script_apt_succeeds(
    broken: str, private_apt: AptFactory, source_server: SourceServer, tmp_path: Path
) -> None:
    script, token = script_for(1, tmp_path, "tdg_some")
    script.write_text(broken)
    host = Host(private_apt, source_server, tmp_path, hook=hook_with(script, token))
    done = host.install().check()
    assert "noise" not in done.said
    assert "E:" not in done.said


def test_without_the_script_the_hook_does_nothing(
    private_apt: AptFactory, source_server: SourceServer, tmp_path: Path
) -> None:
    host = Host(private_apt, source_server, tmp_path, hook=hook_with(tmp_path / "absent", tmp_path / "token"))
    assert host.install().check().stderr == ""


def test_the_hook_holds_nothing_of_apts_open_and_has_a_session_of_its_own(
    private_apt: AptFactory, source_server: SourceServer, tmp_path: Path
) -> None:
    script, token = script_for(1, tmp_path, "tdg_some")
    script.write_text(
        f"#!/bin/sh\nls -l /proc/self/fd >{tmp_path}/fds.new\nps -o sid= -p $$ >>{tmp_path}/fds.new\n"
        f"mv {tmp_path}/fds.new {tmp_path}/fds\n"
    )
    host = Host(private_apt, source_server, tmp_path, hook=hook_with(script, token))
    host.install().check()
    wait_until((tmp_path / "fds").exists)
    told = (tmp_path / "fds").read_text()
    assert "lock" not in told
    assert str(host.apt.root) not in told
    assert "pipe" not in told
