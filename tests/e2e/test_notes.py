"""What people write down at the admin port: with a token for just that, and never as another site's page says."""

import base64
import contextlib
import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.browser.chromium import Page
from tests.browser.conftest import browser, tab  # noqa: F401  (fixtures)
from tests.browser.judging import HOSTILE, inert, objections
from tests.cli.commands import tidegate
from tests.gateway_process import GatewayProcess, ServedArchive
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer


class Alone:
    """A gateway that has lost its only source, and says so: an incident, and tokens."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        where = ("--config", gateway.config, "--state", gateway.state)
        self.incident = tidegate("incident", "list", *where, "--json").json["incidents"][0]["id"]
        self.token = tidegate("fleet", "token", "add", "ada", "--for", "note", *where).good().out.strip()
        self.other = tidegate("fleet", "token", "add", "web", *where).good().out.strip()
        self._where = where

    def shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = tidegate("incident", "show", self.incident, *self._where, "--json").json["incident"]
        return shown

    def command(self, *arguments: str) -> str:
        """What a command prints for people, whatever it exits with."""
        return tidegate(*arguments, *self._where).out

    def notes(self) -> list[dict[str, str]]:
        return [*self.shown()["notes"], *self.shown()["actions"]]

    def post(self, body: bytes | str, path: str = "", **headers: str) -> tuple[int, str]:
        given = {"content-type": "application/x-www-form-urlencoded"}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway.admin_port, timeout=20)
        try:
            connection.request("POST", path or f"/incidents/{self.incident}", body, given)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, keys: Keys) -> Iterator[Alone]:
    root = tmp_path_factory.mktemp("notes")
    archive = SimulatedArchive(root / "archive", keys)
    archive.add_package("hello", "1.0")
    archive.publish()
    with SourceServer(archive.public, prefix="/debian") as source:
        served = ServedArchive("debian", (source.url,), keys.keyring)
        gateway = GatewayProcess(root / "gateway", (served,), settings="[health]\nalone_after_s = 0.5\n")
        gateway.start()
        source.refuse()
        gateway.get("/debian/pool/main/h/hello/hello_1.0_amd64.deb")
        where = ("--config", gateway.config, "--state", gateway.state)
        gateway.wait_for(lambda: bool(tidegate("incident", "list", *where, "--json").json["incidents"]), 60)
        gateway.wait_for(lambda: _asked(gateway) == 200)
        yield Alone(gateway)
        gateway.kill9()


def _asked(gateway: GatewayProcess) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.admin_port, timeout=20)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def form(**fields: str) -> str:
    return urlencode({"text": "we know", **fields})


def test_note_with_a_token_is_in_the_journal_under_the_tokens_name(alone: Alone) -> None:
    status, told = alone.post(form(kind="action", text="asked the vendor"), authorization=f"Bearer {alone.token}")
    assert status == 200, told
    (written,) = [one for one in alone.notes() if one["text"] == "asked the vendor"]
    assert written["by"] == "ada"
    assert json.loads(told)["seq"] == written["seq"]


def test_nobody_else_writes_anything(alone: Alone) -> None:
    host = f"127.0.0.1:{alone.gateway.admin_port}"
    good = form(token=alone.token)
    before = alone.notes()
    assert alone.post(form())[0] == 401
    assert alone.post(form(token=alone.other))[0] == 401
    assert alone.post(form(token=alone.token + "x"))[0] == 401
    assert alone.post(good, origin="http://evil.example")[0] == 403
    assert alone.post(good, origin="null")[0] == 403
    assert alone.post(good, origin=f"http://{host}", sec_fetch_site="cross-site")[0] == 403
    assert alone.post(good, sec_fetch_site="same-site")[0] == 403
    assert alone.post(good, host="evil.example")[0] == 421
    assert alone.post(good, path="/incidents/20260430-99999")[0] == 404
    assert alone.post(good, path="/incidents/")[0] in (404, 405)
    assert alone.post(form(kind="claim", token=alone.token))[0] == 400
    assert alone.post(form(text="", token=alone.token))[0] == 400
    assert alone.post(form(text="x" * 2001, token=alone.token))[0] == 400
    assert alone.post(b"x" * 20_000)[0] == 413
    assert alone.post(b"\xff=\xfe")[0] == 400
    assert alone.post("{}", content_type="application/json")[0] == 415
    assert alone.notes() == before


def test_form_of_the_dashboard_writes_and_comes_back(alone: Alone, tab: Page) -> None:  # noqa: F811  (a fixture)
    url = f"http://127.0.0.1:{alone.gateway.admin_port}/"
    tab.look()
    tab.open(url)
    words = f"seen at the screen {HOSTILE}"
    tab.run(
        f"document.querySelector('textarea').value = {json.dumps(words)};"
        f"document.querySelector('input[name=token]').value = {json.dumps(alone.token)};"
        "document.querySelector('.incident details').open = true; document.querySelector('form').requestSubmit(); true"
    )
    tab.wait_for("document.body && document.body.innerText.includes('ada: seen at the screen')")
    assert tab.run("location.href") == url
    assert objections(tab, f"127.0.0.1:{alone.gateway.admin_port}") == []
    assert inert(tab) == []
    assert words in [one["text"] for one in alone.notes()]


CLAIM = {"said_by": "a group", "said_at": "2026-04-30", "url": "https://boast.example/1", "attributes_to": "them"}


def test_claims_are_written_revised_and_the_incident_closed_by_whoever_has_a_token(alone: Alone) -> None:
    def post(**fields: str) -> tuple[int, str]:
        return alone.post(urlencode({"token": alone.token, **fields}))

    status, told = post(kind="claim", text="it was us", confidence="10", **CLAIM)
    assert status == 200, told
    name = json.loads(told)["claim"]
    assert post(kind="revise", claim=name, text="the vendor denies it", status="disputed", confidence="")[0] == 200
    (claim,) = [one for one in alone.shown()["claims"] if one["name"] == name]
    assert (claim["said_by"], claim["text"], claim["attributes_to"]) == ("a group", "it was us", "them")
    judged = [(one["status"], one["confidence"], one["by"], one["text"]) for one in claim["judgements"]]
    assert judged == [("pending", 10, "ada", ""), ("disputed", 10, "ada", "the vendor denies it")]
    for fields in (
        {"kind": "claim", "text": "whose?"},
        {"kind": "claim", "text": "sure", **CLAIM, "confidence": "101"},
        {"kind": "claim", "text": "sure", **CLAIM, "status": "true"},
        {"kind": "claim", "text": "long", **CLAIM, "url": "x" * 1001},
        {"kind": "note", "text": "more than it takes", "said_by": "me"},
    ):
        status, told = post(**fields)
        assert status == 400, told
        assert told.startswith("it cannot be written down: "), told
    status, told = post(kind="revise", claim="C99", text="which?")
    assert (status, told) == (409, "there is no claim C99\n")
    status, told = post(kind="close", text="I think it is over")
    assert status == 409
    assert told.startswith("it goes on: alone of "), told
    assert post(kind="close", text="we live without it", still="true")[0] == 200
    assert (alone.shown()["state"], alone.shown()["closed_by"]) == ("closed", "ada")
    assert post(kind="close", text="again")[0] == 409


def test_whatever_clients_and_people_say_does_nothing_in_pages_and_terminals(
    alone: Alone,
    tab: Page,  # noqa: F811  (a fixture)
) -> None:
    """User-Agent, Referer, forwarded addresses, request targets, claims and notes; escapes for terminals among them."""
    terminal = "\x1b]0;owned\x07\x1b[2J\x9b31m"
    said = dict.fromkeys(("User-Agent", "Referer", "X-Forwarded-For", "X-Forwarded-Host", "Via"), HOSTILE)
    target = quote(f"/debian/pool/main/h/hello/{HOSTILE}_1.0_amd64.deb", safe="/:()=;")
    for port, path in (
        (alone.gateway.port, target),
        (alone.gateway.admin_port, "/"),
        (alone.gateway.admin_port, target),
    ):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        with contextlib.closing(connection):
            connection.request("GET", path, headers=said)
            answer = connection.getresponse()
            assert "<script>alert" not in answer.read().decode() + str(answer.getheaders())
    words = HOSTILE + terminal
    alone.post(urlencode({"token": alone.token, "kind": "claim", "text": words, **dict.fromkeys(CLAIM, words)}))
    alone.post(urlencode({"token": alone.token, "kind": "note", "text": words}))
    tab.look(width=360, height=700)
    tab.open(f"http://127.0.0.1:{alone.gateway.admin_port}/")
    tab.wait_for("document.body.innerText.includes('\\\\x1b]0;owned')")
    assert objections(tab, f"127.0.0.1:{alone.gateway.admin_port}") == []
    assert inert(tab) == []
    for command in (("incident", "show", alone.incident), ("journal", "show"), ("status",), ("sources",)):
        printed = alone.command(*command)
        assert "owned" in printed or command[0] in ("status", "sources")
        assert all(letter.isprintable() or letter == "\n" for letter in printed), command
    page = alone.command("postmortem", alone.incident, "--format", "html")
    tab.open("data:text/html;charset=utf-8;base64," + base64.b64encode(page.encode()).decode())
    assert tab.seen.dialogs == []
    assert inert(tab) in ([], ["style"]), "its own style sheet stands in it"
    assert "owned" in tab.run("document.body.innerText")
