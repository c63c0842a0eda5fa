"""Ubuntu's notices by its API: what the bulletin board shows."""

import json

import pytest

from tests.advisories.samples import at, records, sample
from tidegate.advisories import json_members, ubuntu_notices
from tidegate.advisories.statement import Kind
from tidegate.archive.errors import FormatError

PAGE = dict(records(json_members.members([sample("ubuntu-notices.json")])))


def test_a_notice_has_a_title_and_what_to_do_and_states_nothing() -> None:
    record, statements = ubuntu_notices.parse(PAGE["notices/1"])
    assert (record.id, record.kind, record.title) == ("USN-2-1", Kind.NOTICE, "xpdf vulnerabilities")
    assert (record.cves, record.related) == (("CVE-2004-0889",), ("USN-14-1",))
    assert record.published == at("2004-10-23 02:11:46")
    assert record.description.startswith("Chris Evans discovered several integer overflow")
    assert dict(record.facts) == {
        "Summary": "xpdf vulnerabilities",
        "Instructions": "In general, a standard system update will make all the necessary changes.",
        "Releases": "warty",
    }
    assert statements == ()


def test_a_hidden_notice_is_said_to_be_one() -> None:
    hidden = json.loads(PAGE["notices/1"]) | {"is_hidden": True}
    assert dict(ubuntu_notices.parse(json.dumps(hidden).encode()).record.facts)["Hidden"] == "yes"


@pytest.mark.parametrize("change", [{"id": "DSA-1-1"}, {"published": "once"}, {"cves_ids": ["\n"]}, {"title": None}])
def test_a_notice_with_a_bad_value_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        ubuntu_notices.parse(json.dumps(json.loads(PAGE["notices/1"]) | change).encode())
