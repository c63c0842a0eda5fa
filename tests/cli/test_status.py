"""What `tidegate status` says of a suite, for people."""

from tidegate.cli.status import _suite
from tidegate.web.report import SuiteReport

NOW = 1_795_000_000


def suite(**fields: object) -> SuiteReport:
    report = SuiteReport(archive="debian", suite="stable", state="served", configured=True, confirmed_at=NOW - 300)
    return type(report)(**{name: getattr(report, name) for name in report.__struct_fields__} | fields)


def test_a_suite_says_by_how_many_operators_it_was_confirmed() -> None:
    assert _suite(suite(confirmed_by=("a.example", "b.example")), NOW)[4] == "5 min by 2"
    assert _suite(suite(confirmed_by=("a.example",)), NOW)[4] == "5 min"


def test_an_alarm_is_said_of_a_suite_that_is_served_well_too() -> None:
    said = _suite(suite(alarm="two Releases of one Date", possible_freeze="no Release since"), NOW)[-1]
    assert said == "two Releases of one Date; no Release since"
    assert _suite(suite(), NOW)[-1] == ""
