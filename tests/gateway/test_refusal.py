"""Refusals: pure rules, held to what real clients were measured to do, and once more to this machine's apt."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.realapt_matrix.answers import Kind, Scripted
from tests.realapt_matrix.record import PAGE, Client, load, page_with
from tests.realapt_matrix.stage import make_archive, play
from tests.simulator.archive import SimulatedArchive
from tests.simulator.faults import Status
from tests.simulator.keys import Keys
from tidegate.gateway.refusal import REASON_BYTES_MAX, Answer, Asked, answer_for, apt_version

WHY = "no source of noble could be reached since 14:02, and no copy is held"
AT_ONCE_S = 3.0
COMES_BACK_S_MAX = 30.0

ASKED = {
    Kind.INRELEASE: Asked.RELEASE,
    Kind.RELEASE: Asked.RELEASE,
    Kind.INDEX: Asked.INDEX,
    Kind.BY_HASH: Asked.BY_HASH,
    Kind.DEB: Asked.ARTIFACT,
    Kind.SOURCE: Asked.ARTIFACT,
}
MEASURED = load()


def agent(version: str) -> str:
    return f"Debian APT-HTTP/1.3 ({version})"


def refused(
    asked: Asked, *, by: str = "", why: str = WHY, temporary: bool = False, proven_absent: bool = False
) -> Answer:
    return answer_for(asked, why, user_agent=by, temporary=temporary, proven_absent=proven_absent)


# Who asks


@pytest.mark.parametrize(
    ("user_agent", "version"),
    [
        ("Debian APT-HTTP/1.3 (2.6.1)", (2, 6, 1)),
        ("Debian APT-HTTP/1.3 (3.0.3) non-interactive", (3, 0, 3)),
        ("Debian APT-HTTP/1.3 (1.0.9.8.4)", (1, 0, 9, 8, 4)),
        ("Debian APT-HTTP/1.3 (1.2.3.4.5.6)", None),
        ("Debian APT-HTTP/1.3 (1.8.2.3)", (1, 8, 2, 3)),
        ("Debian APT-HTTP/1.3 (2.7.12+nmu1)", (2, 7, 12)),
        ("Debian APT-HTTP/1.3 (3.1.0~rc1)", (3, 1, 0)),
        ("Ubuntu APT-HTTP/1.3 (2.4.14)", (2, 4, 14)),
        ("Debian APT-CURL/1.0 (1.8.2)", (1, 8, 2)),
        ("Wget/1.21.3", None),
        ("curl/7.88.1 (2.6.1)", None),
        ("Debian APT-HTTP/1.3 (99999.1)", None),
        ("", None),
    ],
)
def test_version_of_apt_is_read_from_its_user_agent(user_agent: str, version: tuple[int, ...] | None) -> None:
    assert apt_version(user_agent) == version


@given(st.text(max_size=2000))
def test_any_user_agent_gives_a_version_or_none(user_agent: str) -> None:
    version = apt_version(user_agent)
    assert version is None or all(0 <= part <= 9999 for part in version)


# What is answered


@given(
    st.sampled_from(Asked),
    st.text(max_size=2000),
    st.sampled_from(["", "curl/8.0", *map(agent, ("2.2.4", "2.6.1", "3.0.2", "3.0.3", "3.1.2", "3.1.3", "4.0.0"))]),
    st.booleans(),
    st.booleans(),
)
def test_every_refusal_is_a_whole_status_line_whatever_the_reason_holds(
    asked: Asked, why: str, user_agent: str, temporary: bool, absent: bool
) -> None:
    answer = answer_for(asked, why, user_agent=user_agent, temporary=temporary, proven_absent=absent)
    assert answer.status in (403, 404, 503)
    assert 1 <= len(answer.reason.encode("ascii")) <= REASON_BYTES_MAX
    assert set(answer.reason) <= set(string.printable) - set("\r\n\t\x0b\x0c")
    assert (answer.status == 404) == absent


def test_reason_cannot_split_the_answer() -> None:
    answer = refused(Asked.OTHER, why="gone\r\nSet-Cookie: a=b\r\n\r\n<html>\x00\x1b[31m")
    assert answer.reason == "gone Set-Cookie: a=b <html>??[31m"


def test_empty_reason_still_says_something() -> None:
    assert refused(Asked.OTHER, why=" \n").reason == "Refused"


@pytest.mark.parametrize("version", ["2.4.0", "2.4.14", "2.6.1", "2.7.14", "2.8.3", "3.0.2", "3.1.0", "3.1.2"])
@pytest.mark.parametrize("asked", [Asked.RELEASE, Asked.INDEX, Asked.BY_HASH, Asked.OTHER])
def test_apt_that_hangs_on_a_passing_failure_is_never_given_one_during_update(version: str, asked: Asked) -> None:
    assert refused(asked, by=agent(version), temporary=True).status == 403


@pytest.mark.parametrize("version", ["3.0.3", "3.0.4", "3.1.3", "3.1.12", "3.3.5", "4.0"])
def test_mended_apt_is_asked_to_come_back_by_itself(version: str) -> None:
    answer = refused(Asked.RELEASE, by=agent(version), temporary=True)
    assert (answer.status, answer.retry_after_s) == (503, None)


@pytest.mark.parametrize("user_agent", ["", "curl/8.0", "my fleet's apt"])
def test_client_that_may_be_an_apt_in_disguise_is_not_given_a_passing_failure(user_agent: str) -> None:
    assert refused(Asked.RELEASE, by=user_agent, temporary=True).status == 403


def test_client_other_than_apt_is_told_when_to_come_back_for_a_package() -> None:
    answer = refused(Asked.ARTIFACT, by="curl/8.0", temporary=True)
    assert answer.status == 503
    assert answer.retry_after_s is not None
    assert answer.retry_after_s > 0


def test_scanner_loses_its_connection_and_apt_keeps_its_own() -> None:
    assert refused(Asked.OTHER, by="scan/1.0").close
    assert not refused(Asked.OTHER, by=agent("2.6.1")).close
    assert not refused(Asked.ARTIFACT, by="scan/1.0").close


# What clients make of it


@pytest.mark.parametrize("client", MEASURED, ids=lambda client: client.version)
@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("temporary", [False, True])
@pytest.mark.parametrize("absent", [False, True])
def test_measured_clients_end_and_say_why(client: Client, kind: Kind, temporary: bool, absent: bool) -> None:
    answer = refused(ASKED[kind], by=agent(client.version), temporary=temporary, proven_absent=absent)
    outcome = client.cells[kind.value, str(answer.status)]
    assert outcome.exit == 100
    assert outcome.seconds <= (COMES_BACK_S_MAX if answer.status == 503 else AT_ONCE_S)
    assert outcome.says_why
    assert outcome.others


def test_clients_measured_span_those_before_the_bug_with_it_and_after_it() -> None:
    hangs = [client.version for client in MEASURED if client.cells[Kind.INRELEASE.value, "503"].hangs]
    assert hangs == ["2.4.13", "2.6.1", "2.8.2"]
    assert {"2.2.4", "3.0.3"} <= {client.version for client in MEASURED} - set(hangs)


def test_page_about_clients_shows_what_was_measured() -> None:
    page = PAGE.read_text()
    assert page == page_with(page, MEASURED)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> SimulatedArchive:
    return make_archive(tmp_path_factory.mktemp("matrix") / "archive", keys)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "temporary"), [*((kind, False) for kind in Kind), (Kind.DEB, True), (Kind.SOURCE, True)]
)
def test_apt_of_this_machine_ends_and_prints_the_sentence(
    kind: Kind, temporary: bool, stage: SimulatedArchive, tmp_path: Path
) -> None:
    # 2.6.1 is what a client that hangs would say; one that does not hang ends on the same answers.
    answer = refused(ASKED[kind], by=agent("2.6.1"), temporary=temporary)
    scripted = Scripted("refusal", Status(answer.status, answer.reason))
    outcome = play(kind, scripted, stage, tmp_path, None, cap_s=COMES_BACK_S_MAX, reason=WHY)
    assert outcome.exit == 100, outcome
    assert outcome.says_why, outcome
    assert outcome.others, outcome
