"""What every `Journal` promises. A subclass of `JournalContract` gives it as the fixture `journal`."""

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.store.journal import FIELDS_MAX, RETIRED_AT_ONCE, TEXT_MAX, Happening, Journal, Value, boot_id

VALUES: st.SearchStrategy[Value] = st.one_of(
    st.text(), st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False)
)
HAPPENINGS = st.builds(Happening, st.text(), st.text(), st.dictionaries(st.text(), VALUES, max_size=4))


def happened(*kinds: str) -> list[Happening]:
    return [Happening(kind, "debian stable", {}) for kind in kinds]


class JournalContract:
    def test_an_empty_journal_has_no_events(self, journal: Journal) -> None:
        assert journal.read() == ()
        assert journal.last(10) == ()

    def test_events_are_read_in_the_order_they_were_written(self, journal: Journal) -> None:
        journal.append(happened("a", "b"))
        assert journal.append(happened("c", "d")) == (3, 4)
        events = journal.read()
        assert [event.kind for event in events] == ["a", "b", "c", "d"]
        assert [event.seq for event in events] == [1, 2, 3, 4]

    def test_an_event_says_what_when_and_on_which_clock(self, journal: Journal) -> None:
        data: dict[str, Value] = {"source": "http://a.example", "size": 5, "rate": 0.5, "ok": True, "none": None}
        before = time.time(), time.monotonic()
        journal.append([Happening("refused", "debian stable", data)])
        after = time.time(), time.monotonic()
        (event,) = journal.read()
        assert (event.kind, event.subject, event.data) == ("refused", "debian stable", data)
        assert before[0] - 1e-5 <= event.at <= after[0]
        assert before[1] - 1e-5 <= event.monotonic_s <= after[1]
        assert event.boot == boot_id()

    def test_reading_goes_on_after_a_given_event(self, journal: Journal) -> None:
        journal.append(happened(*"abcdef"))
        assert [event.kind for event in journal.read(after=2, limit=3)] == ["c", "d", "e"]
        assert journal.read(after=6) == ()

    def test_the_last_events_come_oldest_first(self, journal: Journal) -> None:
        journal.append(happened(*"abcdef"))
        assert [event.kind for event in journal.last(2)] == ["e", "f"]
        assert [event.kind for event in journal.last(100)] == list("abcdef")
        assert journal.last(0) == ()

    def test_writing_nothing_is_no_event(self, journal: Journal) -> None:
        assert journal.append([]) == ()
        assert journal.read() == ()

    def test_control_bytes_are_kept_as_escapes(self, journal: Journal) -> None:
        """Threat 42: whoever prints a journal must not be at the mercy of who was written about."""
        nasty = "a\x1b[2Jb\r\nc\x00d\u202ee\udcff"
        journal.append([Happening(nasty, nasty, {nasty: nasty})])
        (event,) = journal.read()
        (told,) = event.data.items()
        for text in (event.kind, event.subject, *told):
            assert isinstance(text, str)
            assert text == r"a\x1b[2Jb\r\nc\x00d\u202ee\udcff"

    def test_a_long_text_is_cut(self, journal: Journal) -> None:
        journal.append([Happening("k" * 10_000, "s" * 10_000, {"reason": "r" * 10_000})])
        (event,) = journal.read()
        assert len(event.kind) == len(event.subject) == len(str(event.data["reason"])) == TEXT_MAX

    def test_a_number_that_json_has_not_is_kept_as_a_text(self, journal: Journal) -> None:
        journal.append([Happening("a", "b", {"rate": float("nan"), "limit": float("-inf")})])
        (event,) = journal.read()
        assert event.data == {"rate": "nan", "limit": "-inf"}

    def test_more_fields_than_there_may_be_are_left_out(self, journal: Journal) -> None:
        journal.append([Happening("a", "b", {str(number): number for number in range(10_000)})])
        (event,) = journal.read()
        assert len(event.data) == FIELDS_MAX

    def test_an_event_of_a_drill_says_so(self, journal: Journal) -> None:
        journal.append([Happening("a", "b", {}, drill="canonical-2026"), Happening("a", "b", {})])
        assert [event.drill for event in journal.read()] == ["canonical-2026", ""]

    def test_events_of_some_kinds_are_found_however_many_others_there_are(self, journal: Journal) -> None:
        journal.append(happened("rare", *["frequent"] * 100, "other", *["frequent"] * 100))
        assert [event.kind for event in journal.last(2, kinds=("rare", "other", "none"))] == ["rare", "other"]
        assert [event.seq for event in journal.last(1, kinds=("frequent",))] == [202]

    # Retention

    def test_what_is_removed_leaves_a_summary_and_a_chain_that_begins_where_it_ended(self, journal: Journal) -> None:
        happenings = [Happening("served", "gateway", {"requests": 10, "bytes": 5, "lacking": 1}), *happened("a", "b")]
        journal.append(happenings)
        rows = journal.rows()
        assert journal.retire(3) == 2
        assert journal.check().is_whole
        assert (journal.anchor().seq, journal.anchor().hash) == (2, rows[1].hash)
        left, summary = journal.read()
        assert (left.seq, left.kind, summary.seq, summary.kind) == (3, "b", 4, "summary")
        assert summary.subject == time.strftime("%Y-%m-%d", time.gmtime(rows[0].at_us / 1e6))
        counts = {"n.served": 1, "n.a": 1, "sum.served.requests": 10, "sum.served.bytes": 5, "sum.served.lacking": 1}
        assert summary.data == {"first": 1, "last": 2, **counts}

    def test_reading_goes_on_after_numbers_that_were_removed(self, journal: Journal) -> None:
        journal.append(happened(*"abcdef"))
        journal.retire(4)
        assert [event.seq for event in journal.read(after=1, limit=2)] == [4, 5]
        assert [event.seq for event in journal.read(after=5)] == [6, 7]

    def test_summaries_are_carried_on_when_their_own_turn_comes(self, journal: Journal) -> None:
        journal.append(happened("a", "b"))
        journal.retire(2, [Happening("stopped", "gateway", {})])
        journal.append(happened("c"))
        assert journal.retire(5) == 3  # b, the summary, and what was given along
        assert journal.check().is_whole
        first, second = [event for event in journal.read() if event.kind == "summary"]
        assert first.data == {"first": 1, "last": 1, "n.a": 1}
        assert second.data == {"first": 2, "last": 4, "n.b": 1, "n.stopped": 1}

    def test_events_of_a_drill_are_summed_up_apart(self, journal: Journal) -> None:
        journal.append([Happening("a", "", {}), Happening("a", "", {}, drill="d"), Happening("b", "", {})])
        journal.retire(3)
        assert [(one.drill, one.data["n.a"]) for one in journal.read() if one.kind == "summary"] == [("", 1), ("d", 1)]

    def test_the_newest_event_is_never_removed(self, journal: Journal) -> None:
        assert journal.retire(100) == 0
        journal.append(happened("a"))
        assert journal.retire(100) == 0
        journal.append(happened("b"))
        assert journal.retire(100) == 1

    def test_so_many_are_removed_at_once_and_no_more(self, journal: Journal) -> None:
        journal.append(happened(*["a"] * (RETIRED_AT_ONCE + 5)))
        assert journal.retire(RETIRED_AT_ONCE + 3) == RETIRED_AT_ONCE
        assert journal.retire(RETIRED_AT_ONCE + 3) == 2
        assert journal.check().is_whole

    @given(st.lists(HAPPENINGS, max_size=3))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
    def test_whatever_is_written_is_read_back_printable_and_without_gaps(
        self, journal: Journal, happenings: list[Happening]
    ) -> None:
        before = len(journal.last(1_000_000))
        journal.append(happenings)
        events = journal.read(after=before, limit=10)
        assert [event.seq for event in events] == list(range(before + 1, before + 1 + len(happenings)))
        assert journal.check().is_whole
        for event in events:
            texts = [event.kind, event.subject, *event.data, *(v for v in event.data.values() if isinstance(v, str))]
            assert all(text.isprintable() for text in texts)
