"""Background work takes turns: by a virtual clock, and for real where somebody is in a hurry."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tidegate.sources.pacing import BURST_SHARE, Bucket, Pace, retry_pause_s, take

PER_MINUTE = 120


def times_of(wishes: list[float], per_minute: float = PER_MINUTE) -> list[float]:
    """When requests go out that were wished for at these times."""
    bucket: Bucket | None = None
    out = []
    for now in wishes:
        bucket, wait_s = take(bucket, now, 1, per_minute=per_minute)
        out.append(now + wait_s)
    return out


def test_two_hundred_looks_at_once_after_an_outage_come_one_after_the_other() -> None:
    out = times_of([0.0] * 200)
    burst = int(PER_MINUTE * BURST_SHARE)
    assert out[:burst] == [0.0] * burst
    assert all(abs(later - earlier - 60 / PER_MINUTE) < 1e-6 for earlier, later in pairwise(out[burst:]))
    assert out[-1] == (200 - burst) * 60 / PER_MINUTE


@given(
    st.lists(st.floats(0, 600, allow_nan=False), max_size=100).map(sorted),
    st.integers(1, 600),
    st.floats(0, 600, allow_nan=False),
)
def test_no_minute_sees_more_than_its_share_and_a_burst(wishes: list[float], per_minute: int, since: float) -> None:
    out = times_of(wishes, per_minute)
    within = [at for at in out if since <= at < since + 60]
    assert len(within) <= per_minute + max(1.0, per_minute * BURST_SHARE) + 1
    assert all(at >= wished for at, wished in zip(out, wishes, strict=True))
    assert out == sorted(out)


def test_who_asks_seldom_never_waits() -> None:
    assert times_of([60.0 * number for number in range(100)], per_minute=1) == [60.0 * number for number in range(100)]


def test_a_clock_that_goes_back_takes_no_tokens_away() -> None:
    bucket, _ = take(None, 100.0, 1, per_minute=60)
    after, wait_s = take(bucket, 50.0, 1, per_minute=60)
    assert (after.tokens, wait_s) == (bucket.tokens - 1, 0.0)


@given(st.integers(0, 100), st.floats(0, 1), st.floats(0, 1))
def test_pauses_after_failures_grow_from_seconds_to_the_interval(failures: int, jitter: float, chance: float) -> None:
    pause_s = retry_pause_s(failures, first_s=5.0, cap_s=900.0, jitter=jitter, chance=chance)
    plain_s = min(5.0 * 2 ** max(0, failures - 1), 900.0)
    assert plain_s * (1 - jitter) - 1e-9 <= pause_s <= plain_s * (1 + jitter) + 1e-9


async def test_somebody_in_a_hurry_waits_for_no_turn() -> None:
    pace = Pace(per_minute=1, clock=asyncio.get_running_loop().time)
    calm, hurried = asyncio.Event(), asyncio.Event()
    assert not await pace.turn(["a"], calm)
    waiting = asyncio.ensure_future(pace.turn(["a", "b"], calm))
    await asyncio.sleep(0)
    assert not waiting.done()
    hurried.set()
    assert not await pace.turn(["a"], hurried)
    calm.set()
    assert await waiting


async def test_each_source_has_a_bucket_of_its_own() -> None:
    pace = Pace(per_minute=1, clock=lambda: 0.0)
    assert pace.charge(["a"]) == 0.0
    assert pace.charge(["b"]) == 0.0
    assert pace.charge(["a", "b"]) == 60.0
    assert pace.charge(["b"], 2) == 180.0
