"""What the admin port says, as a browser would take it; who may ask at all is tested in tests/e2e/test_admin.py."""

import json
import urllib.request

import pytest

from tests.simulator import attacks
from tests.threats.conftest import Siege

ANSWER_TIMEOUT_S = 10.0
MARKUP = "<script>alert(1)</script>"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/status.json", "/metrics"])
def test_no_answer_can_be_taken_for_a_page_or_read_by_another_site(siege: Siege, path: str) -> None:
    with urllib.request.urlopen(f"{siege.gateway.admin_url}{path}", timeout=ANSWER_TIMEOUT_S) as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers.get_content_type() in ("text/plain", "application/json")
        assert answer.headers["Access-Control-Allow-Origin"] is None


def test_control_bytes_of_a_source_come_out_as_escapes_everywhere(siege: Siege) -> None:
    hostile = f"{MARKUP}\x1b[2J\x9b"
    siege.archive.suite("stable", release_fields={"Origin": hostile})
    attacks.framed(siege.archive, before=f"{hostile}\n\n".encode())
    assert not siege.look()["ok"]
    with urllib.request.urlopen(f"{siege.gateway.admin_url}/status.json", timeout=ANSWER_TIMEOUT_S) as answer:
        told = answer.read()
    assert json.loads(told)["suites"][0]["trouble"]
    event = siege.wait_for_event("refused")
    for text in (told.decode(), siege.gateway.log, json.dumps(dict(event.data), ensure_ascii=False)):
        assert not {"\x1b", "\x9b"} & set(text)
