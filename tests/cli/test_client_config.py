"""`tidegate client-config`: three forms, proven with the real apt, and taken back again."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from tests.cli.commands import tidegate
from tests.conftest import AptFactory, GatewayFactory
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.archive.sources_list import parse_deb822_sources
from tidegate.cli.client_config.forms import APT_CONF, SCRIPT, Form, client_files
from tidegate.cli.client_config.gateway import gateway_at
from tidegate.cli.exit_codes import ExitCode
from tidegate.config.apt_conf import parse_apt_conf
from tidegate.sources.settings import ArchiveSettings

# A second, and what a busy machine needs to start a shell.
FALLBACK_SECONDS_MAX = 1.5
SCRIPT_TIMEOUT_S = 20


def script_for(port: int, directory: Path) -> Path:
    """The script as it would be installed, for a gateway at this port of ours."""
    _, script = client_files(Form.AUTO_DETECT, gateway_at(f"127.0.0.1:{port}"), ())
    path = directory / "proxy-auto-detect"
    path.write_text(script.content)
    path.chmod(script.mode)
    return path


@contextmanager
def refused() -> Iterator[int]:
    """A port where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    yield port


@contextmanager
def hanging() -> Iterator[int]:
    """A port that accepts and never says a word: a gateway that is stuck."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        yield listener.getsockname()[1]


@contextmanager
def blackholed() -> Iterator[int]:
    """A port whose handshakes are dropped: its queue is full and nobody takes from it."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=0)) as listener:
        fillers = []
        try:
            while True:
                filler = socket.socket()
                fillers.append(filler)
                filler.settimeout(0.3)
                filler.connect(listener.getsockname())
        except TimeoutError:
            yield listener.getsockname()[1]
        finally:
            for filler in fillers:
                filler.close()


@contextmanager
def another_program() -> Iterator[int]:
    """A port where another program lives now, which greets like a mail server."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def greet() -> None:
            # Closing the listener ends the loop.
            with suppress(OSError):
                while True:
                    with listener.accept()[0] as connection:
                        connection.sendall(b"220 mail.example ESMTP\r\n")
                        connection.recv(4096)

        thread = threading.Thread(target=greet)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(SCRIPT_TIMEOUT_S)


GONE: list[Callable[[], AbstractContextManager[int]]] = [refused, hanging, blackholed, another_program]
TOOLS = [name for name in ("perl", "python3", "curl", "nc") if shutil.which(name, path="/usr/bin:/bin")]


def answer_of(script: Path, *, path: str | None = None) -> tuple[str, float]:
    begun = time.monotonic()
    environment = {"PATH": path} if path else {"PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [script, "http://archive.example/debian"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SCRIPT_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout, time.monotonic() - begun


@pytest.fixture
def gateway(gateway_process: GatewayFactory, source_server: SourceServer, keys: Keys) -> GatewayProcess:
    """A gateway for an archive that its clients can also reach by themselves."""
    made = gateway_process(ServedArchive("debian", (source_server.url,), keys.keyring, aliases=(source_server.url,)))
    made.start()
    return made


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tidegate.toml"
    path.write_text("archive = []\n[gateway]\nlisten = '127.0.0.1:3999'\n[fleet]\nlisten = '127.0.0.1:3998'\n")
    return path


# The script


def test_the_script_names_the_gateway_while_it_answers(gateway: GatewayProcess, tmp_path: Path) -> None:
    said, _ = answer_of(script_for(gateway.port, tmp_path))
    assert said == f"{gateway.url}\n"


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: gone.__name__)
def test_the_script_says_direct_within_a_second_when_the_gateway_is_gone(
    gone: Callable[[], AbstractContextManager[int]], tmp_path: Path
) -> None:
    with gone() as port:
        said, seconds = answer_of(script_for(port, tmp_path))
    assert said == "DIRECT\n"
    assert seconds < FALLBACK_SECONDS_MAX


def only(directory: Path, *tools: str) -> str:
    """A PATH with no more than the shell's own companions and these tools."""
    directory.mkdir()
    for name in ("timeout", "grep", *tools):
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found is not None
        (directory / name).symlink_to(found)
    return str(directory)


@pytest.mark.parametrize("tool", TOOLS)
def test_each_tool_alone_is_enough(tool: str, gateway: GatewayProcess, tmp_path: Path) -> None:
    path = only(tmp_path / "bin", tool)
    assert answer_of(script_for(gateway.port, tmp_path), path=path)[0] == f"{gateway.url}\n"
    for gone in GONE:
        with gone() as port:
            said, seconds = answer_of(script_for(port, tmp_path), path=path)
        assert (said, seconds < FALLBACK_SECONDS_MAX) == ("DIRECT\n", True)


def test_an_image_with_none_of_the_tools_goes_direct(gateway: GatewayProcess, tmp_path: Path) -> None:
    assert answer_of(script_for(gateway.port, tmp_path), path=only(tmp_path / "bin"))[0] == "DIRECT\n"


# The real apt with the script


def line_for(server: SourceServer) -> str:
    return f"deb [signed-by=@KEYRING@] {server.url} stable main\n"


def test_the_real_apt_goes_through_the_gateway_while_it_is_up_and_past_it_when_it_is_gone(
    gateway: GatewayProcess, source_server: SourceServer, private_apt: AptFactory, tmp_path: Path
) -> None:
    script = script_for(gateway.port, tmp_path)
    apt = private_apt(line_for(source_server), options={"Acquire::http::Proxy-Auto-Detect": str(script)})
    source_server.forget()
    apt.update().check()
    assert [request for request in source_server.requests if "APT" in request.headers.get("user-agent", "")] == []
    assert apt.candidate("hello") == "1.0"

    gateway.kill9()
    apt.forget_lists()
    ended = apt.update().check()
    assert [request for request in source_server.requests if "APT" in request.headers.get("user-agent", "")]
    assert apt.candidate("hello") == "1.0"
    assert ended.seconds < 10


@pytest.mark.parametrize("gone", GONE, ids=lambda gone: gone.__name__)
def test_the_real_apt_updates_past_a_gateway_that_is_gone(
    gone: Callable[[], AbstractContextManager[int]],
    source_server: SourceServer,
    private_apt: AptFactory,
    tmp_path: Path,
) -> None:
    with gone() as port:
        script = script_for(port, tmp_path)
        apt = private_apt(line_for(source_server), options={"Acquire::http::Proxy-Auto-Detect": str(script)})
        ended = apt.update().check()
    assert apt.candidate("hello") == "1.0"
    assert ended.seconds < 10


def test_the_script_needs_no_rights_of_its_own(gateway: GatewayProcess, tmp_path: Path) -> None:
    script = script_for(gateway.port, tmp_path)
    become_apt = ["setpriv", "--reuid=_apt", "--regid=nogroup", "--clear-groups"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*become_apt, "/bin/sh", "-s", "http://archive.example/debian"],
        input=script.read_text(),
        capture_output=True,
        text=True,
        timeout=SCRIPT_TIMEOUT_S,
        check=True,
    )
    assert done.stdout == f"{gateway.url}\n"


# The other forms


def test_the_proxy_form_is_one_line_that_the_real_apt_takes(
    gateway: GatewayProcess, source_server: SourceServer, private_apt: AptFactory
) -> None:
    out = tidegate("client-config", "--gateway", f"127.0.0.1:{gateway.port}", "--config", gateway.config).good().out
    assert len([line for line in out.splitlines() if not line.startswith("//")]) == 1
    (proxy,) = parse_apt_conf(out)["acquire::http::proxy"]
    apt = private_apt(line_for(source_server), proxy=proxy)
    source_server.forget()
    apt.update().check()
    assert [request for request in source_server.requests if "APT" in request.headers.get("user-agent", "")] == []


def test_the_mirror_form_is_a_sources_file_that_the_real_apt_takes(
    gateway: GatewayProcess, private_apt: AptFactory
) -> None:
    at = f"127.0.0.1:{gateway.port}"
    out = tidegate("client-config", "--form", "mirror", "--gateway", at, "--config", gateway.config).good().out
    stanza = out.partition("\n\n")[2]
    assert f"URIs: http://{at}/debian/" in stanza
    apt = private_apt(stanza)
    apt.update().check()
    assert apt.candidate("hello") == "1.0"


def test_the_mirror_form_keeps_flat_suites_keys_in_place_and_architectures_apart(keys: Keys) -> None:
    armored = keys.home.armored(keys.good).decode()
    archive = ArchiveSettings(
        name="a", keyring=armored, suites=("stable", "./"), components=("main",), architectures=("amd64",), deb_src=True
    )
    (file,) = client_files(Form.MIRROR, gateway_at("gw.example:3142"), [archive])
    plain, flat = parse_deb822_sources(file.content, "t").entries
    assert (plain.suites, plain.components, plain.types) == (("stable",), ("main",), ("deb", "deb-src"))
    assert (flat.suites, flat.components) == (("./",), ())
    for entry in (plain, flat):
        assert entry.uris == ("http://gw.example:3142/a/",)
        assert entry.architectures == ("amd64",)
        assert entry.inline_key is not None
        assert entry.inline_key.split() == armored.split()


def test_an_archive_with_the_presets_keys_names_the_clients_own_copy() -> None:
    archive = ArchiveSettings(name="debian", suites=("bookworm",))
    (file,) = client_files(Form.MIRROR, gateway_at("gw.example:3142"), [archive])
    assert "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg" in file.content


# What is printed, written and taken back


def test_nothing_is_changed_unless_asked(file: Path, tmp_path: Path) -> None:
    root = tmp_path / "client"
    root.mkdir()
    for form in ("proxy", "auto-detect", "mirror", "report-timer", "report-hook"):
        tidegate("client-config", "--form", form, "--root", root, "--config", file).good()
    assert list(root.iterdir()) == []


@pytest.mark.parametrize("form", ["proxy", "auto-detect"])
def test_what_is_written_is_taken_back(form: str, file: Path, tmp_path: Path) -> None:
    root = tmp_path / "client"
    common = ("client-config", "--form", form, "--root", root, "--config", file)
    tidegate(*common, "--write").good()
    tidegate(*common, "--write").good()  # again, over its own
    conf = (root / APT_CONF).read_text()
    assert ("3999" in conf) == (form == "proxy")
    assert (root / SCRIPT).exists() == (form == "auto-detect")
    if form == "auto-detect":
        assert (root / SCRIPT).stat().st_mode & 0o777 == 0o755
        assert f"/{SCRIPT}" in conf
    tidegate(*common, "--undo", "--write").good()
    assert [path for path in root.rglob("*") if path.is_file()] == []


def test_undo_says_what_takes_it_back(file: Path) -> None:
    ended = tidegate("client-config", "--form", "auto-detect", "--undo", "--config", file).good()
    assert ended.out.splitlines() == [f"rm -f /{APT_CONF}", f"rm -f /{SCRIPT}"]


@pytest.mark.parametrize("undo", [(), ("--undo",)])
def test_a_file_of_anothers_is_neither_overwritten_nor_removed(
    undo: tuple[str, ...], file: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / APT_CONF
    theirs.parent.mkdir(parents=True)
    theirs.write_text('Acquire::http::Proxy "http://other.example:8080";\n')
    ended = tidegate("client-config", "--write", *undo, "--root", tmp_path, "--config", file)
    assert ended.code == ExitCode.CANNOT_CREATE
    assert "other.example" in theirs.read_text()


def test_the_mirror_form_is_only_printed(file: Path, tmp_path: Path) -> None:
    ended = tidegate("client-config", "--form", "mirror", "--write", "--root", tmp_path, "--config", file)
    assert ended.code == ExitCode.USAGE


@pytest.mark.parametrize("form", ["proxy", "auto-detect", "mirror", "report-hook"])
def test_the_json_answer_has_each_file_with_path_mode_and_content(form: str, file: Path) -> None:
    answer = tidegate("client-config", "--form", form, "--config", file, "--json").good().json
    assert answer["form"] == form
    assert answer["written"] is False
    assert all(each["path"].startswith("/") and each["content"] for each in answer["files"])
    assert len(answer["undo"]) == len(answer["files"])


def test_what_makes_a_host_report_is_written_and_taken_back_and_nothing_is_started(file: Path, tmp_path: Path) -> None:
    root = tmp_path / "client"
    for form, count in (("report-timer", 3), ("report-hook", 1)):
        common = ("client-config", "--form", form, "--root", root, "--config", file)
        ended = tidegate(*common, "--write").good()
        assert len(ended.out.splitlines()) == count
        written = [path for path in root.rglob("*") if path.is_file()]
        assert len(written) == count
        assert (form == "report-hook") == ("systemctl" not in ended.err)
        tidegate(*common, "--undo", "--write").good()
        assert [path for path in root.rglob("*") if path.is_file()] == []


def test_the_reporting_script_speaks_to_the_port_for_reports_and_its_undo_stops_the_timer(
    file: Path, tmp_path: Path
) -> None:
    answer = tidegate("client-config", "--form", "report-timer", "--config", file, "--json").good().json
    (script,) = (one for one in answer["files"] if one["mode"] == "0755")
    assert "http://127.0.0.1:3998/fleet/report" in script["content"]
    assert answer["then"] == ["systemctl daemon-reload", "systemctl enable --now tidegate-report.timer"]
    assert answer["undo"][0] == "systemctl disable --now tidegate-report.timer"
    assert answer["undo"][1:-1] == [f"rm -f {one['path']}" for one in answer["files"]]
    none = tmp_path / "none.toml"
    none.write_text("archive = []\n")
    ended = tidegate("client-config", "--form", "report-timer", "--config", none)
    assert (ended.code, "fleet.listen" in ended.err) == (ExitCode.USAGE, True)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_takes_the_units(file: Path, tmp_path: Path) -> None:
    tidegate("client-config", "--form", "report-timer", "--root", tmp_path, "--write", "--config", file).good()
    units = sorted((tmp_path / "etc/systemd/system").iterdir())
    for unit in units:
        unit.write_text(unit.read_text().replace("ExecStart=/usr/local/lib", f"ExecStart={tmp_path}/usr/local/lib"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if "tidegate" in line]) == (0, [])


def test_an_unknown_form_is_a_usage_error(file: Path) -> None:
    assert tidegate("client-config", "--form", "pac", "--config", file).code == ExitCode.USAGE


@pytest.mark.parametrize(
    "text", ["gw.example", "gw.example:0", "gw.example:65536", "a b:1", "x';reboot;':1", "$(id):1"]
)
def test_what_is_not_host_and_port_never_gets_into_a_script(text: str, file: Path) -> None:
    ended = tidegate("client-config", "--form", "auto-detect", "--gateway", text, "--config", file)
    assert ended.code == ExitCode.USAGE
    assert ended.out == ""


def test_a_gateway_on_every_address_is_named_by_this_hosts_name(tmp_path: Path) -> None:
    path = tmp_path / "t.toml"
    path.write_text("archive = []\n[gateway]\nlisten = '0.0.0.0:3142'\n")
    out = tidegate("client-config", "--config", path).good().out
    assert f'"http://{socket.getfqdn()}:3142"' in out
