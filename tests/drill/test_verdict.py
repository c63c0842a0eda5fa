"""What was measured against what was expected: what was not measured has not come true."""

from tidegate.drill.measuring import measured
from tidegate.drill.numbers import Number, numbers_of
from tidegate.drill.record import Answer, Record, Request, Run
from tidegate.drill.scenario import Expect, Tempo
from tidegate.drill.shipped import shipped
from tidegate.drill.verdict import judge, overall
from tidegate.store.journal import Event, Value

DRILL = "d-1"


def event(kind: str, drill: str = DRILL, **data: Value) -> Event:
    return Event(1, 10.0, 10.0, "boot", kind, "gateway", data, drill)


def request(*, right: bool = True, status: int = 200, size: int = 100) -> Request:
    return Request(1.0, 2.0, status, size, is_right=right, is_used=True, path="x", how="hit")


def test_bounds_hold_on_both_sides_and_the_unknown_is_no_pass() -> None:
    expected = (
        Expect(measure="served-percent", at_least=100),
        Expect(measure="wrong-bytes", at_most=0),
        Expect(measure="incidents", at_least=1, at_most=2),
        Expect(measure="events:adopted", at_least=1),
        Expect(measure="events:refused", at_most=0),
        Expect(measure="apt-failed", at_most=0),
    )
    values = {"served-percent": 99.9, "wrong-bytes": 0.0, "incidents": 2.0, "events:adopted": 3.0}
    verdicts = judge(expected, values)
    assert [one.verdict for one in verdicts] == ["failed", "passed", "passed", "passed", "passed", "unknown"]
    assert overall(verdicts) == "failed"
    assert overall(verdicts[1:5]) == "passed"


def test_a_body_that_nobody_published_is_wrong_and_not_served() -> None:
    record = Record(requests=[request(), request(right=False), request(right=False, status=0, size=0)])
    values = measured(record, (), (), (), refresh_s=2.0, tempo=Tempo(shipped("operator-lost")))
    assert values["wrong-bytes"] == 1
    assert values["served-percent"] == 100 / 3


def test_numbers_that_are_told_are_held_against_those_counted() -> None:
    answers = (Answer(1.0, 2.0, 304, 0), Answer(1.0, 2.0, 200, 7))
    record = Record(requests=[request(), request()], runs=[Run(0.0, 3.0, True, answers, "")])
    told = event("served", requests=4, lacking=0, bytes=207)
    other = event("served", drill="", requests=1_000, lacking=9, bytes=1)
    assert [one.agrees for one in numbers_of(record, (), (told, other), DRILL)] == [True, True, True]
    one_less = event("served", requests=3, lacking=1, bytes=206)
    assert [one.agrees for one in numbers_of(record, (), (one_less,), DRILL)] == [False, False, False]
    values = measured(
        record,
        (),
        (told, told),
        (Number(what="x", told=1, at_least=2, at_most=2),),
        refresh_s=2.0,
        tempo=Tempo(shipped("operator-lost")),
    )
    assert (values["numbers-wrong"], values["events:served"]) == (1, 2)
