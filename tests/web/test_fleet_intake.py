"""Hosts report over HTTP: with a token, cheaply where nothing changed; whatever else comes in is a no with a reason."""

import gzip
import hashlib
import http.client
import json
import socket
import subprocess
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.fleet.test_inventory import DATA, OSQUERY, REPORT, TRIVY
from tests.web import desk as desk_module
from tests.web.desk import NOON, Desk
from tidegate.fleet.inventory import Form
from tidegate.fleet.settings import FleetSettings
from tidegate.store.tokens import Scope
from tidegate.web import bounded_http

ID = "34e37c21e9a2c7bc7004eea83072665d"
CROWD = 1_000
DEADLINE_S = 20.0


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as made:
        yield made


def small(tmp_path: Path, **changed: object) -> Desk:
    values = {"report_bytes_max": 65_536, "report_timeout_s": 0.5, **changed}
    return Desk(tmp_path, FleetSettings(**values))  # type: ignore[arg-type]  # of several types


def other(text: str, *, boot: str = "b", name: str = "web-1.example") -> bytes:
    """The report, of another machine."""
    return text.replace("49ac3890-98b6-426b-a2e9-88fbc1430065", boot).replace("web-1.example", name).encode()


def probe(data: bytes) -> str:
    return f"?host={ID}&sha256={hashlib.sha256(data).hexdigest()}"


def test_a_report_is_taken_in(desk: Desk) -> None:
    answer = desk.report(REPORT.encode())
    assert (answer.status, answer.text) == (200, "taken in: 3 packages of web-1.example\n")
    inventory = desk.hosts.inventory(ID)
    assert inventory is not None
    assert (inventory.form, inventory.taken_at, len(inventory.packages)) == (Form.REPORT, NOON, 3)


def test_an_unchanged_host_sends_no_body_and_a_changed_one_is_asked_for_all_of_it(desk: Desk) -> None:
    data = REPORT.encode()
    assert desk.report(None, probe(data)).status == 409
    desk.report(data)
    desk.now = NOON + 3600
    assert desk.report(None, probe(data)).status == 204
    entry = desk.hosts.entry(ID)
    assert entry is not None
    assert (entry.seen_at, entry.changed_at) == (NOON + 3600, NOON)
    changed = data.replace(b"31+20240202-2ubuntu7.1", b"31+20240202-2ubuntu7.2")
    assert desk.report(None, probe(changed)).status == 409
    assert "taken in" in desk.report(changed).text
    assert desk.report(None, probe(changed)).status == 204


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(REPORT.encode())), ("zstd", zstandard.ZstdCompressor().compress(REPORT.encode()))],
)
def test_a_report_may_be_compressed(encoding: str, packed: bytes, desk: Desk) -> None:
    assert desk.report(packed, headers={"Content-Encoding": encoding}).status == 200
    assert desk.report(None, probe(REPORT.encode())).status == 204


def test_every_form_comes_in_with_what_it_does_not_say_beside_it(desk: Desk) -> None:
    status = (DATA / "postgresql.status").read_bytes()
    assert desk.report(json.dumps(OSQUERY).encode()).status == 200
    assert desk.report(json.dumps(TRIVY).encode(), "?host=image-1").status == 200
    assert desk.report(status, "?host=db-1&release=ubuntu:jammy&kernel=5.15.0-1-generic&form=dpkg-status").status == 200
    forms = {entry.host.id: (entry.form, entry.host.release) for entry in desk.hosts.entries()}
    assert forms == {
        "4C4C4544-0042": (Form.OSQUERY, "noble"),
        "image-1": (Form.CYCLONEDX, "noble"),
        "db-1": (Form.DPKG_STATUS, "jammy"),
    }
    digest = hashlib.sha256(status).hexdigest()
    assert desk.report(None, f"?host=db-1&release=ubuntu:jammy&kernel=5.15.0-1-generic&sha256={digest}").status == 204
    assert desk.report(None, f"?host=db-1&release=ubuntu:jammy&kernel=5.15.0-2-generic&sha256={digest}").status == 409


def test_tags_come_from_the_token_and_the_query_and_a_report_takes_none_away(desk: Desk) -> None:
    secret, _ = desk.tokens.add("web", Scope.REPORT, 1, tags=["web"])
    data = REPORT.encode()
    desk.report(data, "?tag=edge", token=secret)
    desk.hosts.tag(ID, ["web", "edge", "by-hand"])
    desk.report(data.replace(b"\tno\tno\t", b"\tyes\tno\t"), token=secret)
    entry = desk.hosts.entry(ID)
    assert entry is not None
    assert entry.tags == {"web", "edge", "by-hand"}
    assert (
        desk.report(None, f"{probe(data.replace(b'no	no	', b'yes	no	'))}&tag=new", token=secret).status
        == 409
    )


@pytest.mark.parametrize(
    ("body", "query", "status", "said"),
    [
        (b"", "", 400, "empty body"),
        (b"\x00\x01", "", 400, "begins with"),
        (REPORT.encode()[:-4], "", 400, "line 15: cut off"),
        (b"tidegate-inventory\t9\nend\n", "", 400, "line 1: a report of version '9'"),
        (REPORT.encode(), "?form=rpm", 400, "no form 'rpm'"),
        (REPORT.encode(), "?tag=a%1bb", 400, r"no tag: 'a\x1bb'"),
        (REPORT.encode(), "?hots=x", 400, "no such field of the query: 'hots'"),
        (REPORT.encode(), "?host=a%20b", 400, "not a host's id: 'a b'"),
        (REPORT.encode(), "?" + "&".join(f"tag=t{n}" for n in range(40)), 400, "more than 32 tags"),
        (b"Package: a\nStatus: install ok installed\n", "", 400, "host=ID and release="),
        (b'{"bomFormat":"CycloneDX"}', "", 400, "say it beside"),
        (b"[" * 100_000, "?host=a&release=debian:bookworm", 400, ""),
        (b'{"deb_packages": "\xed\xa0\x80"}', "", 400, ""),
        (None, "?sha256=xyz&host=a", 400, "no SHA-256"),
        (None, f"?sha256={'0' * 64}", 400, "whose report"),
    ],
)
def test_a_bad_report_is_told_what_is_wrong_and_spoils_nothing(
    body: bytes | None, query: str, status: int, said: str, desk: Desk
) -> None:
    desk.report(REPORT.encode())
    answer = desk.report(body, query)
    assert answer.status == status, answer.text
    assert said in answer.text
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.isprintable() or answer.text.rstrip("\n").isprintable()
    assert desk.report(None, probe(REPORT.encode())).status == 204
    assert desk.door.bytes == 0


def test_who_has_no_token_that_counts_is_not_let_in_and_no_body_is_read(desk: Desk) -> None:
    expired, _ = desk.tokens.add("old", Scope.REPORT, 1, expires_at=NOON)
    for token in ("", "tdg_wrong", expired):
        answer = desk.report(REPORT.encode(), token=token)
        assert (answer.status, answer.headers["www-authenticate"]) == (401, 'Bearer realm="tidegate"')
        assert "token" in answer.text
    desk.tokens.remove("fleet")
    assert desk.report(REPORT.encode()).status == 401
    assert list(desk.hosts.entries()) == []


def test_a_spoiled_file_of_tokens_lets_nobody_in_and_says_so(desk: Desk, tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text("{}")
    answer = desk.report(REPORT.encode())
    assert (answer.status, answer.headers["retry-after"]) == (503, "30")
    assert "tokens.json" in answer.text


def test_a_token_for_one_host_reports_no_other(desk: Desk) -> None:
    secret, _ = desk.tokens.add("web-1", Scope.REPORT, 1, hosts=["other"])
    assert desk.report(REPORT.encode(), token=secret).status == 403
    assert desk.report(None, probe(REPORT.encode()), token=secret).status == 403
    assert desk.report(REPORT.encode(), "?host=other", token=secret).status == 200
    assert [entry.host.id for entry in desk.hosts.entries()] == ["other"]


def test_a_token_to_report_reads_nothing(desk: Desk) -> None:
    desk.report(REPORT.encode())
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=desk_module.ANSWER_TIMEOUT_S)
    for path in ("/fleet/report", "/fleet/list", "/fleet/show?host=web-1.example", "/"):
        connection.request("GET", path, headers={"Authorization": f"Bearer {desk.token}"})
        answer = connection.getresponse()
        assert answer.status in (404, 405)
        assert b"web-1" not in answer.read()
    connection.close()


def test_one_host_too_many_is_refused_and_those_that_are_known_report_on(tmp_path: Path) -> None:
    with Desk(tmp_path) as desk:
        desk.report(REPORT.encode())
        desk.hosts._hosts_max = 1
        answer = desk.report(REPORT.encode(), "?host=second")
        assert (answer.status, "fleet.hosts_max" in answer.text) == (507, True)
        assert desk.report(REPORT.encode()).status == 200


# Two machines, one id


def test_two_machines_that_report_as_one_are_noticed_and_told(desk: Desk) -> None:
    one, two = REPORT.encode(), other(REPORT, boot="b2", name="web-2.example")
    answers = []
    for number, data in enumerate((one, two, one, two)):
        desk.now = NOON + number * 60
        answers.append(desk.report(data))
    assert [answer.status for answer in answers] == [200] * 4
    assert ["another machine" in answer.text for answer in answers] == [False, False, True, True]
    entry = desk.hosts.entry(ID)
    assert entry is not None
    assert entry.tags == {"two-machines"}
    assert [(kind, data["other"]) for kind, _, data in desk.events] == [("two-machines", "web-2.example")]


def test_a_host_that_restarts_again_and_again_is_one(desk: Desk) -> None:
    for number in range(12):
        desk.now = NOON + number * 60
        assert "another machine" not in desk.report(other(REPORT, boot=f"boot-{number}")).text
    assert desk.events == []


# Bounds


def test_a_report_that_is_too_large_is_refused_before_and_after_it_is_unpacked(tmp_path: Path) -> None:
    with small(tmp_path) as desk:
        large = REPORT.encode() + b"x" * 70_000
        assert desk.report(large).status == 413
        assert desk.report(gzip.compress(b"\0" * 10_000_000), headers={"Content-Encoding": "gzip"}).status == 400
        bomb = zlib.compressobj(9, wbits=31)
        packed = b"".join([*(bomb.compress(b"\0" * 2**20) for _ in range(60)), bomb.flush()])
        answer = desk.report(packed, headers={"Content-Encoding": "gzip"})
        assert (answer.status, "more than 65536 bytes of content" in answer.text) == (400, True)
        assert desk.report(b"abc", headers={"Content-Encoding": "br"}).status == 415
        chunked = desk.report(iter([b"x" * 60_000] * 2))
        assert chunked.status == 413
        assert desk.door.bytes == 0
        assert desk.report(REPORT.encode()).status == 200


def test_a_body_that_does_not_arrive_in_time_is_given_up(tmp_path: Path) -> None:
    with small(tmp_path) as desk, socket.create_connection(("127.0.0.1", desk.port)) as slow:
        slow.sendall(
            f"POST /fleet/report HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {desk.token}\r\n"
            "Content-Length: 1000\r\n\r\ntidegate".encode()
        )
        slow.settimeout(DEADLINE_S)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
        assert desk.door.bytes == 0


def test_a_head_that_does_not_arrive_in_time_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_TIMEOUT_S", 0.3)
    with Desk(tmp_path) as desk:
        silent, dripping = (socket.create_connection(("127.0.0.1", desk.port)) for _ in range(2))
        with silent, dripping:
            dripping.sendall(b"POST /fleet")
            for connection in (silent, dripping):
                connection.settimeout(DEADLINE_S)
                try:
                    assert connection.recv(100) == b""
                except ConnectionResetError:
                    continue


def ended(connection: socket.socket) -> bool:
    """Whether the other side ends a connection that goes on and on."""
    deadline = time.monotonic() + DEADLINE_S
    try:
        while time.monotonic() < deadline:
            connection.sendall(b"x")
            time.sleep(0.02)
    except OSError:
        return True
    return False


def test_who_goes_on_after_the_answer_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_TIMEOUT_S", 0.3)
    with Desk(tmp_path) as desk, socket.create_connection(("127.0.0.1", desk.port)) as endless:
        endless.settimeout(DEADLINE_S)
        endless.sendall(b"POST /fleet/report HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n")
        assert endless.recv(4096).startswith(b"HTTP/1.1 401")
        assert ended(endless)


def test_one_address_may_come_only_so_often(tmp_path: Path) -> None:
    with small(tmp_path, requests_per_client_max=3) as desk:
        data = REPORT.encode()
        statuses = [desk.report(None, probe(data), token="wrong").status for _ in range(3)]
        answer = desk.report(data)
        assert (statuses, answer.status) == ([401] * 3, 429)
        assert 1 <= int(answer.headers["retry-after"]) <= 60


def test_a_thousand_reports_at_once_are_bounded_and_the_patient_all_come_in(tmp_path: Path) -> None:
    settings_ = FleetSettings(requests_per_client_max=100_000, reports_waiting_max=50)
    with Desk(tmp_path, settings_) as desk, ThreadPoolExecutor(100) as crowd:
        held: list[int] = []

        def one(number: int) -> list[int]:
            statuses = []
            while True:
                answer = desk.report(REPORT.encode(), f"?host=h{number}")
                held.append(desk.door.under_way)
                statuses.append(answer.status)
                if answer.status == 200:
                    return statuses
                assert answer.headers["retry-after"], answer
                time.sleep(0.01)

        found = Counter(status for statuses in crowd.map(one, range(CROWD)) for status in statuses)
        assert found[200] == CROWD
        assert set(found) <= {200, 429, 503}
        assert max(held) <= 50
        assert desk.door.answers == found
        assert sum(1 for _ in desk.hosts.entries()) == CROWD
        assert (desk.door.under_way, desk.door.bytes, dict(desk.door.bodies)) == (0, 0, {})


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Desk(tmp_path_factory.mktemp("fuzz"), FleetSettings(requests_per_client_max=1_000_000)) as desk:
        desk.report(REPORT.encode())
        yield desk


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """A good report with something cut, doubled or put in its place."""
    good = draw(st.sampled_from([REPORT.encode(), json.dumps(TRIVY).encode(), json.dumps(OSQUERY).encode()]))
    start = draw(st.integers(0, len(good)))
    end = draw(st.integers(start, min(len(good), start + 40)))
    return good[:start] + draw(st.binary(max_size=20)) + good[end:]


@given(
    st.one_of(st.binary(max_size=300), mutations()),
    st.sampled_from(["", "gzip", "zstd"]),
    st.sampled_from(
        ["", "?host=a", "?form=osquery&host=a&release=debian:bookworm", "?form=dpkg-status", "?form=report"]
    ),
)
def test_whatever_comes_in_gets_an_answer_and_the_next_report_too(
    fuzzed: Desk, body: bytes, encoding: str, query: str
) -> None:
    headers = {"Content-Encoding": encoding} if encoding else {}
    answer = fuzzed.report(body, query, headers=headers)
    assert answer.status in (200, 400), answer
    assert all(line.isprintable() for line in answer.text.splitlines())
    assert fuzzed.report(None, "?host=nobody&sha256=" + "0" * 64).status == 409


def test_curl_is_told_in_a_sentence(desk: Desk, tmp_path: Path) -> None:
    """Before it has sent all of a large body, too."""
    large = tmp_path / "large"
    large.write_bytes(b"x" * 40_000_000)
    for token, status in (("wrong", "401"), (desk.token, "413")):
        command = ["curl", "-sS", "--max-time", "30", "-w", "%{http_code}", "-H", f"Authorization: Bearer {token}"]
        command += ["--data-binary", f"@{large}", desk.url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.endswith(status), done
        assert "token" in done.stdout or "report_bytes_max" in done.stdout
