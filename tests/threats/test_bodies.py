"""Wrong bytes under a listed name, and what else a source and a client could slip through."""

import pytest

from tests.simulator.faults import ExtraHeaders
from tests.threats.conftest import HELLO, INRELEASE, Siege

CHANGELOG = "changelogs/main/h/hello_1.0_changelog"
OURS = {
    "accept-ranges",
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "date",
    "etag",
    "keep-alive",
    "last-modified",
    "server",
    "x-tidegate",
    "age",
    "vary",
}
HOSTILE = (
    ("Set-Cookie", "session=stolen"),
    ("Content-Disposition", "attachment; filename=evil"),
    ("Refresh", "0; url=http://evil.example/"),
    ("X-Tidegate", "hit"),
    ("Warning", '199 evil "x"'),
    ("Link", "<http://evil.example/>; rel=preload"),
    ("Strict-Transport-Security", "max-age=31536000"),
)


def test_tampered_package_is_refused_and_its_source_is_written_down(siege: Siege) -> None:
    siege.archive.corrupt(HELLO)
    assert siege.gateway.get(f"/debian/{HELLO}").status != 200
    violation = siege.wait_for_event("violation")
    assert violation.subject == siege.server.url


def test_tampered_index_is_not_adopted(siege: Siege) -> None:
    before = siege.get(INRELEASE).body
    siege.archive.update_package("hello", "1.1")
    siege.archive.publish()
    for path in siege.archive.paths():
        if "binary-amd64" in path:
            siege.archive.corrupt(path)
    assert not siege.look()["ok"]
    assert siege.get(INRELEASE).body == before


@pytest.mark.parametrize("path", [HELLO, CHANGELOG])
def test_only_known_headers_of_a_source_pass(siege: Siege, path: str) -> None:
    if path == CHANGELOG:
        (siege.archive.public.resolve() / CHANGELOG).parent.mkdir(parents=True)
        siege.archive.replace(CHANGELOG, b"hello (1.0) stable; urgency=low\n")
    siege.server.fault(ExtraHeaders(HOSTILE))
    answer = siege.gateway.get(f"/debian/{path}")
    assert answer.status == 200
    assert set(answer.headers) <= OURS
    assert answer.headers["x-tidegate"] != "hit"


@pytest.mark.parametrize("path", [HELLO, CHANGELOG])
def test_what_a_client_says_of_itself_is_not_passed_on(siege: Siege, path: str) -> None:
    secrets = {"Authorization": "Basic c2VjcmV0", "Cookie": "secret", "X-Secret": "secret", "Referer": "http://secret/"}
    siege.server.forget()
    siege.gateway.get(f"/debian/{path}", headers=secrets)
    asked = siege.server.asked(path)
    assert asked
    for request in asked:
        assert not {name.lower() for name in secrets} & set(request.headers)
