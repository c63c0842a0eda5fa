"""What a soak is judged by: a leak is found whatever jumps about it, and what is flat passes."""

import random

import msgspec
import pytest

from tests.soak.judging import MIB, bounds, slope
from tests.soak.page import page
from tests.soak.picture import picture
from tests.soak.samples import LoadSample, ProcessSample, Sample, Told

MINUTES = 30


def told(leak_mib_per_10_min: float = 0.0) -> Told:
    """Half an hour with a gateway whose memory jumps by 3 MiB now and then, and may leak besides."""
    chance = random.Random(1)

    def sample(at_s: float) -> Sample:
        filling = 20 * min(1.0, at_s / 200)
        mib = 60 + filling + leak_mib_per_10_min * at_s / 600 + chance.choice((0, 0, 0, 0, 3))
        gateway = ProcessSample("gateway", 1, int(mib * MIB), int(mib * MIB), 40 + int(at_s / 6), 8, int(at_s / 6))
        return Sample(at_s, (gateway,), 0, 40_000, 0, 0, 60_000, 1_000_000, int(at_s / 6))

    load = [LoadSample(5.0 * turn, 1_000, 900, 10**6, 0.4, 3.0, 9.0, 0, (), 0) for turn in range(1, MINUTES * 12)]
    return Told(
        minutes=MINUTES,
        at="2026-11-28 04:00 UTC",
        samples=tuple(sample(5.0 * turn) for turn in range(MINUTES * 12)),
        load=tuple(load),
        publications=29,
        lies=9,
        outages=29,
        apt_runs=50,
        apt_failed=(),
        reports=590,
        reports_failed=0,
        pages=110,
        stream_breaks=0,
        stream_decisions=260,
        decisions=260,
        kinds={"failover": 230, "served": 30, "adopted": 30},
        event_bytes=120_000,
        troubles=(),
    )


def missed(one: Told) -> list[str]:
    return [bound.what for bound in bounds(one) if not bound.is_kept]


def test_memory_that_fills_and_jumps_but_does_not_grow_is_flat() -> None:
    assert missed(told()) == []


@pytest.mark.parametrize("mib", [1.3, 5.0])
def test_memory_that_leaks_is_found(mib: float) -> None:
    assert "gateway: RSS, MiB in ten minutes" in missed(told(mib))


def test_what_went_wrong_once_is_a_bound_missed() -> None:
    one = told()
    load = (*one.load, msgspec.structs.replace(one.load[0], wrong_bytes=1, error_count=1))
    wrong = msgspec.structs.replace(one, load=load, apt_failed=("E:",), stream_decisions=259, troubles=("x",))
    assert missed(wrong) == [
        "journal: troubles, and errors in the log",
        "answers that were errors",
        "answers with wrong bytes",
        "runs of apt that failed",
        "events that it did not tell",
    ]


def test_a_slope_is_that_of_most_of_its_points() -> None:
    points = [(float(at), 2.0 * at) for at in range(100)]
    points[50] = (50.0, 1e9)
    assert slope(points) == pytest.approx(2.0, rel=0.01)
    assert slope([]) == 0.0


def test_the_page_and_the_picture_say_what_was_measured() -> None:
    one = told(5.0)
    text = page(one, bounds(one), {"cpu": "one"}, "")
    assert "2 of the bounds are missed" in text
    assert "| gateway: RSS, MiB in ten minutes |" in text
    assert "| `failover` | 230 |" in text
    assert picture(one).count("<polyline") == 7
