"""What several workers have counted: summed, over torn writes and changes of worker."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tidegate.web.source_report import SourceReport
from tidegate.wiring.tallies import SLOT_BYTES, SourceTally, Tallies, Tally, total, with_counts

MIRROR = "http://mirror.example/debian"
counts = st.integers(0, 1 << 50)
moments = st.none() | st.integers(1, 1 << 32)
by_word = st.dictionaries(st.sampled_from(["hit", "wait", "stream", "200", "404"]), counts)
sources = st.dictionaries(
    st.sampled_from([MIRROR, "http://other.example"]), st.builds(SourceTally, counts, counts, counts, moments, moments)
)
tallies = st.builds(Tally, counts, counts, counts, by_word, by_word, sources)


@settings(max_examples=50)
@given(st.lists(tallies, max_size=5))
def test_sum_is_of_each_count_and_of_the_latest_moments(each: list[Tally]) -> None:
    summed = total(each)
    assert summed.bytes == sum(one.bytes for one in each)
    assert summed.connections == sum(one.connections for one in each)
    assert summed.by_how == {
        how: sum(one.by_how.get(how, 0) for one in each) for how in {how for one in each for how in one.by_how}
    }
    for url, source in summed.sources.items():
        of_it = [one.sources[url] for one in each if url in one.sources]
        assert source.fetched_bytes == sum(one.fetched_bytes for one in of_it)
        assert (source.last_success_at or 0) == max(one.last_success_at or 0 for one in of_it)
    assert total(reversed(each)) == summed


@settings(max_examples=50)
@given(st.lists(tallies, min_size=2, max_size=2))
def test_each_slot_gives_back_what_its_worker_wrote_last(each: list[Tally]) -> None:
    shared = Tallies(2)
    assert shared.read(0) == shared.read(1) == Tally()
    for _ in range(2):
        for worker, tally in enumerate(each):
            shared.write(worker, tally)
            assert shared.read(worker) == tally
        each.reverse()


def test_slot_that_is_being_written_reads_as_it_was_before() -> None:
    shared = Tallies(1)
    former, latter = Tally(bytes=1, by_how={"hit": 7}), Tally(bytes=2, by_how={"hit": 8})
    shared.write(0, former)
    assert shared.read(0) == former
    whole = shared._memory[: SLOT_BYTES // 1024]
    shared.write(0, latter)
    for cut in range(1, 12):  # so many bytes of the new head and body are there, the rest is the old
        torn = shared._memory[:cut] + whole[cut:]
        half = Tallies(1)
        half.write(0, former)
        half.read(0)
        half._memory[: len(torn)] = torn
        assert half.read(0) in (former, latter)


def test_counts_of_a_child_are_seen_by_its_parent() -> None:
    shared = Tallies(2)
    pid = os.fork()
    if pid == 0:
        shared.write(1, Tally(bytes=42))
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert shared.read(1).bytes == 42


def test_more_sources_than_a_slot_holds_cost_their_own_counts_and_no_others() -> None:
    shared = Tallies(2)
    many = {f"http://mirror-{number}.example/": SourceTally(1, 1, 1, 1, 1) for number in range(SLOT_BYTES // 16)}
    shared.write(0, Tally(bytes=1, sources=many))
    assert shared.read(0) == Tally(bytes=1)
    assert shared.read(1) == Tally()


@pytest.mark.parametrize(("state", "told"), [("unused", "good"), ("out", "out")])
def test_source_that_another_worker_used_is_told_as_used(state: str, told: str) -> None:
    report = SourceReport(archive="debian", url=MIRROR, kind="mirror", operator="x", state=state)  # type: ignore[arg-type]  # a word of the test's
    (one,) = with_counts((report,), Tally(sources={MIRROR: SourceTally(3, 300, 1, 5, 4)}))
    assert (one.state, one.fetched, one.fetched_bytes, one.failed) == (told, 3, 300, 1)
    assert (one.last_success_at, one.last_failure_at) == (5, 4)
