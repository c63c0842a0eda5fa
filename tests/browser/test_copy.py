"""Copies of other people's pages in a real browser: readable by everybody, and inert, whoever wrote them."""

import base64
import http.client
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.chromium import Page
from tests.browser.judging import HOSTILE, inert, objections, violations
from tests.browser.stage import Stage, status
from tidegate.watch.standing import Standing, State
from tidegate.web.watch_pages import SANDBOX

EVIL = (
    '<html><head><title>Status of <b>Ubuntu</title><base href="http://evil.example/">'
    '<meta http-equiv="refresh" content="0;url=http://evil.example/refresh"><link rel=preconnect href="//evil.example">'
    '<link rel=stylesheet href="/evil.css"><script src="/evil.js"></script>'
    "<style>body{background:url(/evil.png)}</style>"
    '</head><body onload="alert(1)"><script>alert(2); fetch("/status.json")</script>'
    '<iframe src="http://evil.example/frame" srcdoc="<script>alert(3)</script>"></iframe>'
    '<form action="http://127.0.0.1/incidents/x" method=post><input name=token autofocus onfocus="alert(4)">'
    "<button>Log in</button></form><object data=x></object><embed src=x><video src=x autoplay></video>"
    '<svg onload="alert(5)"><script>alert(6)</script></svg><img src=x onerror="alert(7)" alt="a chart">'
    "<math><mtext><style><img src=x onerror=alert(8)></style></math><h1>All systems <em>down</em></h1>"
    '<a href="javascript:alert(9)">a link</a><p style="position:fixed;inset:0">over <b onclick=alert(10)>everything'
    "<ul>loose<div>words<li>one<li>two</ul><dd>stray<td>cell<table><tr><th>service<td>state</table>"
    f"<pre>{'wide ' * 200}</pre>{HOSTILE}<!-- <p>never seen</p>"
)
DOWN = Standing(
    state=State.DOWN, since=time.time() - 3_600, reason=f"answered 503{HOSTILE}", good_at=time.time() - 5_000,
    latency_s=0.042,
)  # fmt: skip
POLICY = SANDBOX["Content-Security-Policy"]
EXPECTED = {
    "status": ("The original is down since", "nswered 503", "All systems down", "[a chart]", "a link", "one"),
    "api": ("The original is up", '"title": "<script>alert(1)</script>"'),
    "blog": ("is not asked", "no text"),
}
LOOKS: dict[str, dict[str, Any]] = {"desk": {"width": 1200}, "phone": {"width": 360, "height": 700, "dark": True}}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    made = Stage(tmp_path_factory.mktemp("copies"))
    made.status = status(int(time.time()))
    made.keep("status", EVIL.encode(), "text/html; charset=utf-8", DOWN, f"too long{HOSTILE}")
    api = b'{"notices": [{"title": "<script>alert(1)</script>"}]}'
    made.keep("api", api, "application/json", Standing(state=State.UP, since=time.time(), latency_s=1.2))
    barred = Standing(state=State.NOT_ASKED, since=time.time(), reason="its robots.txt forbids / to programs")
    made.keep("blog", b"\x89PNG", f"image/png{HOSTILE}".replace("\n", ""), barred)
    with made:
        yield made


def answer(stage: Stage, path: str) -> tuple[int, str, bytes]:
    """Status, Content-Disposition, body."""
    connection = http.client.HTTPConnection("127.0.0.1", stage.port, timeout=10)
    try:
        connection.request("GET", path)
        told = connection.getresponse()
        return told.status, told.getheader("Content-Disposition") or "", told.read()
    finally:
        connection.close()


def opened(tab: Page, url: str, body: bytes, policy: str) -> None:
    """That address, answered by us."""
    paused: list[dict[str, Any]] = []
    heard = tab.heard

    def hear(method: str, told: dict[str, Any]) -> None:
        if method == "Fetch.requestPaused":
            paused.append(told)
        heard(method, told)

    tab.heard = hear  # type: ignore[method-assign]  # one more listener for a moment
    tab.send("Fetch.enable", patterns=[{"urlPattern": url}])
    number = tab._browser.post("Page.navigate", tab._session, url=url)
    tab._browser.until(lambda: bool(paused), "the page is asked for")
    headers = [{"name": "Content-Type", "value": "text/html"}, {"name": "Content-Security-Policy", "value": policy}]
    request, encoded = paused[0]["requestId"], base64.b64encode(body).decode()
    tab.send("Fetch.fulfillRequest", requestId=request, responseCode=200, responseHeaders=headers, body=encoded)
    tab._browser.until(lambda: number in tab._browser._answers, "it is there")
    tab.send("Fetch.disable")
    tab.wait_for("document.readyState === 'complete'")


@pytest.mark.parametrize("name", EXPECTED)
def test_whatever_a_copy_says_it_is_words_and_nothing_acts(tab: Page, stage: Stage, name: str) -> None:
    url = f"{stage.url}/watch/{name}"
    tab.look(width=1200)
    tab.open(url)
    assert objections(tab, f"127.0.0.1:{stage.port}") == []
    assert inert(tab) == []
    assert tab.run("document.querySelectorAll('main form, main input, main a, main [style], main base').length") == 0
    assert tab.run("location.href") == url
    assert tab.run("self.origin") == "null", "a sandbox has an origin of its own"
    text = tab.run("document.body.innerText")
    for words in EXPECTED[name]:
        assert words in text, words
    assert "never seen" not in text
    assert set(tab.seen.requests) == {url, f"{stage.url}/style.css"}


@pytest.mark.parametrize("how", LOOKS)
def test_everybody_can_read_it(tab: Page, stage: Stage, how: str) -> None:
    """The page as it is, but for its sandbox: in there nothing can look at it from within."""
    tab.look(**LOOKS[how])
    for name in EXPECTED:
        page = answer(stage, f"/watch/{name}")[2]
        opened(tab, f"{stage.url}/watch/{name}", page, POLICY.replace("sandbox; ", ""))
        assert violations(tab) == []
        assert objections(tab, f"127.0.0.1:{stage.port}") == []


def test_the_policy_alone_would_hold_what_a_mistake_let_through(tab: Page, stage: Stage) -> None:
    """The hostile page as it came, with the policy that is sent along with copies."""
    url = f"{stage.url}/watch/api"
    tab.look()
    opened(tab, url, EVIL.encode(), POLICY)
    assert tab.seen.dialogs == []
    assert tab.run("location.href") == url, "the refresh led nowhere"
    tab.run("document.querySelector('button').click()")
    tab.run("document.forms[0].submit()")
    assert tab.run("location.href") == url, "and neither did the form"
    assert {urlsplit(one).netloc for one in tab.seen.requests if one.startswith("http")} == {f"127.0.0.1:{stage.port}"}
    assert any("sandbox" in text or "Content Security Policy" in text for text in tab.seen.console)


def test_the_dashboard_tells_of_each_page_and_leads_to_its_copy(tab: Page, stage: Stage) -> None:
    tab.look(width=360, height=700)
    tab.open(stage.url + "/")
    tab.wait_for("document.getElementById('live').textContent === 'Updates itself.'")
    assert violations(tab) == []
    assert objections(tab, f"127.0.0.1:{stage.port}") == []
    assert inert(tab) == []
    told = tab.run("document.querySelector('[data-part=watches]').innerText")
    for words in (
        "status",
        "down since",
        "answered 503",
        "42 ms",
        "read it, 1 h 23 min old",
        "not asked since",
        "too long",
    ):
        assert words in told, words
    tab.run("document.querySelector('a[href=\"/watch/status\"]').click()")
    tab.wait_for("document.querySelector('h1')?.textContent === 'A copy of status'")


def test_the_warc_is_to_be_taken_away(stage: Stage) -> None:
    told, disposition, body = answer(stage, "/watch/status/copy.warc.gz")
    assert told == 200
    assert disposition.startswith('attachment; filename="status-20')
    assert body == (stage.layout.watch / "status/copy.warc.gz").read_bytes()
    for path in ("/watch/nobody", "/watch/nobody/copy.warc.gz", "/watch/..%2f..", "/watch/status/x"):
        assert answer(stage, path)[0] == 404
