"""`tidegate import-acng` over what the real apt left in the real apt-cacher-ng, and over worse."""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from bench.process import free_port  # apt-cacher-ng 3.7 neither binds nor reaches ports above 32,767
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.commands import Ended, tidegate
from tests.conftest import AptFactory, GatewayFactory
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.oracle import Oracle
from tests.realapt.private_apt import Result
from tests.simulator.archive import SimulatedArchive
from tests.simulator.server import SourceServer
from tidegate.cli.options import overrides, settings_for
from tidegate.wiring.acng_cache import is_artifact, names, read_head
from tidegate.wiring.import_acng import import_acng

START_TIMEOUT_S = 20.0
FILL_TRIES = 4
HOST = "127.0.0.1"
CONFIGURATION = """\
CacheDir: {home}/cache
LogDir: {home}/log
SupportDir: /usr/lib/apt-cacher-ng
BindAddress: 127.0.0.1
Port: {port}
ForeGround: 1
PidFile: {home}/pid
SocketPath: {home}/socket
AllowUserPorts: 0
Remap-debrep: archive.example/debian ; {origin}
"""
SOURCES = """\
deb [signed-by=@KEYRING@] http://archive.example/debian stable main
deb-src [signed-by=@KEYRING@] http://archive.example/debian stable main
deb [signed-by=@KEYRING@] {flat} ./
"""
SUITES = ("stable", "./")
ALIAS = "http://archive.example/debian"
PACKAGES = ("hello", "greet-data", "flatty")
TAKEN = 7  # with one more that another depends on, and a source package of three files
NOBODY = 65_534


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the test's output is for failures."""


@contextmanager
def _origin(root: Path) -> Iterator[str]:
    """The folder `root` on a port that apt-cacher-ng can reach."""
    with ThreadingHTTPServer((HOST, free_port()), functools.partial(_Quiet, directory=str(root))) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _apt_cacher_ng(home: Path, origin: str) -> Iterator[str]:
    """The real one, with a configuration and a cache of its own; gives its address."""
    port = free_port()
    for name in ("conf", "cache", "log"):
        (home / name).mkdir(parents=True)
    (home / "conf/acng.conf").write_text(CONFIGURATION.format(home=home, port=port, origin=origin))
    process = subprocess.Popen(
        ["apt-cacher-ng", "-c", str(home / "conf")],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            assert process.poll() is None, "apt-cacher-ng ended by itself"
            assert time.monotonic() < deadline, "apt-cacher-ng does not listen"
            with suppress(OSError), socket.create_connection((HOST, port), timeout=1.0):
                break
            time.sleep(0.02)
        yield f"http://{HOST}:{port}"
    finally:
        process.terminate()
        process.wait(10.0)


@dataclass(frozen=True, slots=True)
class Filled:
    """A cache, what a gateway needs to know to serve the same archive, and the end of its origin."""

    cache: Path
    served: ServedArchive
    sources: str
    end_of_origin: Callable[[], None]

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Every file with its content and time, to see that nothing was changed."""
        found = (path for path in self.cache.rglob("*") if path.is_file())
        return {str(path.relative_to(self.cache)): (path.read_bytes(), path.stat().st_mtime_ns) for path in found}

    def one(self, pattern: str) -> Path:
        """The one file of this name."""
        (found,) = self.cache.rglob(pattern)
        return found


@pytest.fixture
def vendor(archive: SimulatedArchive) -> SimulatedArchive:
    """The usual archive, and in the same place a flat suite."""
    archive.add_package("flatty", "1:2.0+x~1", suite="./")
    archive.publish()
    return archive


def lay_out(cache: Path, vendor: SimulatedArchive, url: str) -> None:
    """Write what apt-cacher-ng has after an update, an install and a source package."""
    indices = ("main/binary-amd64/Packages.xz", "main/source/Sources.xz")
    placed = [("debrep", "dists/stable/InRelease"), ("127.0.0.1/debian", "InRelease")]
    placed += [("debrep", vendor.by_hash_path(f"dists/stable/{index}")) for index in indices]
    placed += [("127.0.0.1/debian", vendor.by_hash_path("Packages.xz"))]
    wanted = ("hello", "libgreet1", "greet-data")
    placed += [("debrep", one.path) for one in vendor.suites["stable"].packages if one.name in wanted]
    placed += [("debrep", path) for one in vendor.suites["stable"].source_packages for path in one.paths]
    placed += [("127.0.0.1/debian", one.path) for one in vendor.suites["./"].packages]
    for top, path in placed:
        target, body = cache / top / path, vendor.read(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
        asked = path if top == "debrep" else f"./{path}"  # as apt asks for flat suites
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nX-Original-Source: {url}/{asked}\r\n\r\n"
        target.with_name(f"{target.name}.head").write_text(head)


@contextmanager
def _laid_out(root: Path, vendor: SimulatedArchive) -> Iterator[Filled]:
    """The cache as the test with the real one shows that it is; quick."""
    with SourceServer(vendor.public, prefix="/debian") as server:
        lay_out(root / "acng/cache", vendor, server.url)
        served = ServedArchive("vendor", (server.url,), vendor.keys.keyring, suites=SUITES, aliases=(ALIAS,))
        yield Filled(root / "acng/cache", served, SOURCES.format(flat=server.url), server.refuse)


def _insistently(what: Callable[[], Result]) -> None:
    """apt-cacher-ng loses a request now and then (503 Connection closed); what is tested is the cache it leaves."""
    for _ in range(FILL_TRIES - 1):
        if what().ok:
            return
    what().check()


@contextmanager
def _really_filled(root: Path, vendor: SimulatedArchive, private_apt: AptFactory) -> Iterator[Filled]:
    """The cache after the real apt worked through the real apt-cacher-ng; its origin still answers."""
    web = root / "web"
    web.mkdir()
    (web / "debian").symlink_to(vendor.public)
    with ExitStack() as stack:
        url = f"{stack.enter_context(_origin(web))}/debian"
        sources = SOURCES.format(flat=url)
        with _apt_cacher_ng(root / "acng", url) as proxy:
            apt = private_apt(sources, proxy=proxy)
            _insistently(apt.update)
            _insistently(lambda: apt.install(*PACKAGES))
            _insistently(lambda: apt.source("hello"))
        served = ServedArchive("vendor", (url,), vendor.keys.keyring, suites=SUITES, aliases=(ALIAS,))
        yield Filled(root / "acng/cache", served, sources, stack.close)


@pytest.fixture
def filled(
    request: pytest.FixtureRequest, tmp_path: Path, vendor: SimulatedArchive, private_apt: AptFactory
) -> Iterator[Filled]:
    """A cache laid out by hand, or filled by the real one where a test asks for that."""
    real = getattr(request, "param", "laid out") == "apt-cacher-ng"
    with _really_filled(tmp_path, vendor, private_apt) if real else _laid_out(tmp_path, vendor) as made:
        yield made


@pytest.fixture
def gateway(filled: Filled, gateway_process: GatewayFactory) -> GatewayProcess:
    """One that has adopted all suites and was ended again."""
    made = gateway_process(filled.served, settings="[keeper]\nrefresh_interval_s = 3600.0\n")
    made.start()
    made.stop()
    return made


def _import(gateway: GatewayProcess, cache: Path, *further: str) -> Ended:
    return tidegate("import-acng", cache, "--config", gateway.config, "--state", gateway.state, *further)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-cacher-ng") is None, reason="apt-cacher-ng is not installed")
@pytest.mark.parametrize("filled", ["apt-cacher-ng"], indirect=True)
def test_cache_is_as_the_other_tests_lay_it_out(filled: Filled, vendor: SimulatedArchive, tmp_path: Path) -> None:
    lay_out(tmp_path / "by-hand", vendor, filled.served.sources[0])
    real = {path: filled.cache / path for path in filled.files() if not path.startswith("_xstore/")}
    laid_out = (path for path in (tmp_path / "by-hand").rglob("*") if path.is_file())
    ours = {str(path.relative_to(tmp_path / "by-hand")): path for path in laid_out}
    assert set(ours) == set(real)
    for name, path in ours.items():
        if name.endswith(".head"):
            assert read_head(path.read_bytes()) == read_head(real[name].read_bytes())
        else:
            assert path.read_bytes() == real[name].read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("apt-cacher-ng") is None, reason="apt-cacher-ng is not installed")
@pytest.mark.parametrize("filled", ["apt-cacher-ng"], indirect=True)
def test_what_the_cache_held_is_installed_again_with_every_source_dead(
    filled: Filled, gateway: GatewayProcess, private_apt: AptFactory, oracle: Oracle
) -> None:
    before = filled.files()
    report = _import(gateway, filled.cache, "--json").good().json
    assert filled.files() == before
    assert report["wrong"] == []
    assert report["unlisted"] == 0
    assert report["taken"] == TAKEN
    filled.end_of_origin()
    gateway.start(until="/readyz")
    apt = private_apt(filled.sources, proxy=gateway.url)
    apt.update().check()
    apt.install(*PACKAGES).check()
    apt.source("hello").check()
    for deb in apt.debs():
        assert deb.read_bytes() == filled.one(f"{deb.name.partition('_')[0]}_*.deb").read_bytes()
    for path in filter(is_artifact, filled.files()):
        if path.startswith("debrep/"):
            below = path.removeprefix("debrep/")
            oracle.check(below, gateway.get(f"/vendor/{below}").body)
    assert oracle.checked == 6
    assert set(gateway.status()["traffic"]["by_how"]) == {"hit"}


def test_while_a_gateway_serves_from_the_same_state_the_import_is_at_once_a_hit(
    filled: Filled, gateway: GatewayProcess, private_apt: AptFactory
) -> None:
    gateway.start()
    filled.end_of_origin()
    path = "/vendor/pool/main/h/hello/hello_1.0_amd64.deb"
    assert gateway.get(path).status != 200
    _import(gateway, filled.cache).good()
    answer = gateway.get(path)
    assert answer.status == 200
    assert answer.body == filled.one("hello_1.0_amd64.deb").read_bytes()
    assert answer.headers["x-tidegate"].startswith("hit")


def test_corrupted_files_are_named_and_not_taken(filled: Filled, gateway: GatewayProcess) -> None:
    deb, flat = filled.one("hello_1.0_amd64.deb"), filled.one("flatty_*.deb")
    for path in (deb, flat):
        body = bytearray(path.read_bytes())
        body[-1] ^= 0xFF
        path.write_bytes(body)
    ended = _import(gateway, filled.cache).good()
    wrong = [str(path.relative_to(filled.cache)) for path in (deb, flat)]
    assert all(f"not taken: {path} is not" in ended.err for path in wrong)
    report = _import(gateway, filled.cache, "--json").good().json
    assert sorted(report["wrong"]) == sorted(wrong)
    blobs = gateway.state / "cache/blobs"
    assert hashlib.sha256(deb.read_bytes()).hexdigest()[2:] not in {path.name for path in blobs.rglob("*")}


def test_another_version_in_place_of_a_listed_file_is_not_taken(filled: Filled, gateway: GatewayProcess) -> None:
    shutil.copyfile(filled.one("libgreet1_*.deb"), filled.one("hello_1.0_amd64.deb"))
    assert len(_import(gateway, filled.cache, "--json").good().json["wrong"]) == 1


def test_run_again_it_takes_nothing_and_finds_all_held(filled: Filled, gateway: GatewayProcess) -> None:
    first = _import(gateway, filled.cache, "--json").good().json
    second = _import(gateway, filled.cache, "--json").good().json
    assert second["taken"] == second["taken_bytes"] == 0
    assert second["held"] == first["held"] + first["taken"]


def test_files_fetched_in_part_symlinks_and_its_own_housekeeping_are_passed_over(
    filled: Filled, gateway: GatewayProcess, tmp_path: Path
) -> None:
    deb = filled.one("hello_1.0_amd64.deb")
    whole = deb.read_bytes()
    deb.write_bytes(whole[:100])
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / deb.name).write_bytes(whole)
    (filled.cache / "debrep/pool/main/h/hello/link").symlink_to(tmp_path / "outside")
    (filled.cache / "debrep/pool/main/h/hello" / "hello_1.1_amd64.deb").symlink_to(tmp_path / "outside" / deb.name)
    (filled.cache / "_import").mkdir()
    (filled.cache / "_import" / deb.name).write_bytes(whole)
    report = _import(gateway, filled.cache, "--json").good().json
    assert report["wrong"] == []
    assert report["unlisted"] == 0
    assert hashlib.sha256(whole).hexdigest()[2:] not in {path.name for path in gateway.state.rglob("*")}


def test_same_name_in_an_archive_of_somebody_else_is_unlisted_and_not_wrong(
    filled: Filled, gateway: GatewayProcess
) -> None:
    deb = filled.one("hello_1.0_amd64.deb")
    other = filled.cache / "uburep/pool/main/h/hello" / deb.name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"built by somebody else")
    url = "http://archive.ubuntu.com/ubuntu/pool/main/h/hello/hello_1.0_amd64.deb"
    other.with_name(f"{deb.name}.head").write_text(f"HTTP/1.1 200 OK\r\nX-Original-Source: {url}\r\n\r\n")
    report = _import(gateway, filled.cache, "--json").good().json
    assert report["wrong"] == []
    assert report["unlisted"] == 1


def test_indices_that_no_gateway_fetched_yet_widen_what_is_known(
    filled: Filled, gateway_process: GatewayFactory
) -> None:
    narrow = dataclasses.replace(filled.served, deb_src=False)
    gateway = gateway_process(narrow, settings="[keeper]\nrefresh_interval_s = 3600.0\n")
    gateway.start()
    gateway.stop()
    report = _import(gateway, filled.cache, "--json").good().json
    assert report["unlisted"] == 0  # the Sources of the cache lists its source package


def test_without_an_adopted_suite_it_says_what_to_do(
    tmp_path: Path, served: ServedArchive, gateway_process: GatewayFactory
) -> None:
    gateway = gateway_process(served)
    ended = _import(gateway, tmp_path)
    assert ended.code == 1
    assert "tidegate serve" in ended.err


def test_a_suite_not_adopted_yet_is_named_and_the_others_are_imported(filled: Filled, gateway: GatewayProcess) -> None:
    more = dataclasses.replace(filled.served, suites=(*filled.served.suites, "stable-updates"))
    gateway.configure([more])
    ended = _import(gateway, filled.cache, "--json")
    assert ended.code == 1
    assert ended.json["taken"] > 0
    told = json.loads(ended.err.splitlines()[-1])
    assert "vendor stable-updates" in told["error"][0]["what"]


def test_a_disk_below_its_limit_ends_it_with_a_sentence(filled: Filled, gateway: GatewayProcess) -> None:
    gateway.configure([filled.served], settings=f"[store]\nfree_bytes_min = {1 << 60}\n")
    ended = _import(gateway, filled.cache)
    assert ended.code == 74
    assert "free_bytes_min" in ended.err
    assert list((gateway.state / "cache/tmp").iterdir()) == []


def test_a_gateway_that_starts_meanwhile_and_empties_tmp_costs_nothing(filled: Filled, gateway: GatewayProcess) -> None:
    emptied: list[str] = []

    def empty(_: object) -> None:
        for draft in (gateway.state / "cache/tmp").iterdir():
            emptied.append(draft.name)
            draft.unlink()

    gathered = settings_for(gateway.config, overrides(state=gateway.state))
    report = import_acng(gathered, {}, filled.cache, empty).report
    assert emptied
    assert report.taken == TAKEN
    assert _import(gateway, filled.cache, "--json").good().json["taken"] == 0


def test_what_root_takes_over_belongs_to_whom_the_cache_belongs(filled: Filled, gateway: GatewayProcess) -> None:
    cache = gateway.state / "cache"
    if os.geteuid() == 0:
        os.chown(cache, NOBODY, NOBODY)
    begun = time.time()
    _import(gateway, filled.cache).good()
    new = [path.stat() for path in (cache / "blobs").glob("??/*") if path.stat().st_ctime >= begun]
    assert {one.st_uid for one in new} == {cache.stat().st_uid}


def test_progress_is_a_line_of_json_where_no_terminal_is(filled: Filled, gateway: GatewayProcess) -> None:
    lines = [json.loads(line) for line in _import(gateway, filled.cache).good().err.splitlines()]
    assert lines[-1]["event"] == "importing"
    assert lines[-1]["files"] == lines[-1]["of"] > 0


@given(st.lists(st.text(st.characters(exclude_characters="/"), min_size=1, max_size=8), min_size=1, max_size=6))
def test_any_path_is_looked_for_under_its_own_tails(segments: list[str]) -> None:
    path = "/".join(segments)
    found = list(names(path))
    assert found[0] == path
    assert segments[-1] in found
    assert all(path.endswith(name) for name in found if "%" not in path)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_as_a_head(data: bytes) -> None:
    head = read_head(data)
    assert head.size is None or head.size >= 0


def test_escaped_name_is_looked_for_as_it_stands_and_undone() -> None:
    assert list(names("HOST/x/a_1%3a2_all.deb"))[-2:] == ["a_1%3a2_all.deb", "a_1:2_all.deb"]
