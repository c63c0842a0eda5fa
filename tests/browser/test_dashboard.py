"""The dashboard in a real browser: readable by everybody, current by itself, whole without scripts, and inert."""

import http.client
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser.chromium import Page
from tests.browser.judging import HOSTILE, inert, objections, violations
from tests.browser.stage import Stage, status


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("stage"))
    made.status = status(int(time.time()), words=HOSTILE)
    with made:
        made.trouble(HOSTILE)
        yield made


LOOKS: dict[str, dict[str, Any]] = {
    "desk": {"width": 1200},
    "dark": {"width": 1200, "dark": True},
    "phone": {"width": 360, "height": 700},
    "plain": {"width": 800, "scripts": False},
}


@pytest.mark.parametrize("how", LOOKS)
def test_nothing_is_wrong_with_it_however_it_is_looked_at(
    tab: Page, stage: Stage, how: str, request: pytest.FixtureRequest
) -> None:
    tab.look(**LOOKS[how])
    tab.open(stage.url + "/")
    if how != "plain":
        tab.wait_for("document.getElementById('live').textContent === 'Updates itself.'")
        assert violations(tab) == []
    assert objections(tab, f"127.0.0.1:{stage.port}") == []
    assert inert(tab) == []
    text = tab.run("document.body.innerText")
    for words in ("none of its sources answers", "it was us", "out", "7,200", "1337"):
        assert (words in text) is (words not in ("7,200", "1337")), words


def test_it_is_told_of_what_happens_while_it_is_open(tab: Page, stage: Stage) -> None:
    tab.look()
    tab.open(stage.url + "/")
    tab.wait_for("document.getElementById('live').textContent === 'Updates itself.'")
    stage.note("possible-freeze", "ubuntu noble", date=1, reason=f"quiet for long{HOSTILE}")
    tab.wait_for("document.querySelector('#decisions li .text').textContent.includes('quiet for long')")
    tab.wait_for("document.querySelector('[data-part=incidents]').textContent.includes('and')")
    stage.status = status(int(time.time()), words="", alone=False)
    tab.wait_for("document.querySelector('[data-part=sources] th[scope=row]').textContent.indexOf('<') < 0")
    assert objections(tab, f"127.0.0.1:{stage.port}") == []
    assert inert(tab) == []


def ask(stage: Stage, path: str, host: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read(200).decode(errors="replace")
    finally:
        connection.close()


@pytest.mark.parametrize("path", ["/", "/events", "/dashboard.js"])
def test_forged_host_and_posts_get_nothing(stage: Stage, path: str) -> None:
    assert ask(stage, path, "evil.example")[0] == 421
    assert ask(stage, path, "127.0.0.1", "POST", Origin="http://evil.example")[0] == 405


def test_stream_goes_on_where_it_was_left(stage: Stage) -> None:
    told = ask(stage, "/events?after=1", "127.0.0.1")[1]
    assert told.startswith("retry: ")
    assert "event: decision\nid: 2\n" in told
    assert ask(stage, "/events?after=x", "127.0.0.1")[0] == 400
