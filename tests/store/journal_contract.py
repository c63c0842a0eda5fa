"""What every `Journal` promises. A subclass of `JournalContract` gives it as the fixture `journal`."""

import time

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tidegate.store.journal import TEXT_MAX, Happening, Journal, Value, boot_id

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
        journal.append(happened("c"))
        events = journal.read()
        assert [event.kind for event in events] == ["a", "b", "c"]
        assert [event.seq for event in events] == [1, 2, 3]

    def test_an_event_says_what_when_and_on_which_clock(self, journal: Journal) -> None:
        data: dict[str, Value] = {"source": "http://a.example", "size": 5, "rate": 0.5, "ok": True, "none": None}
        before = time.time(), time.monotonic()
        journal.append([Happening("refused", "debian stable", data)])
        after = time.time(), time.monotonic()
        (event,) = journal.read()
        assert (event.kind, event.subject, event.data) == ("refused", "debian stable", data)
        assert before[0] <= event.at <= after[0]
        assert before[1] <= event.monotonic_s <= after[1]
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
        journal.append([])
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

    @given(st.lists(HAPPENINGS, max_size=3))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors])
    def test_whatever_is_written_is_read_back_printable_and_without_gaps(
        self, journal: Journal, happenings: list[Happening]
    ) -> None:
        before = len(journal.last(1_000_000))
        journal.append(happenings)
        events = journal.read(after=before, limit=10)
        assert [event.seq for event in events] == list(range(before + 1, before + 1 + len(happenings)))
        for event in events:
            texts = [event.kind, event.subject, *event.data, *(v for v in event.data.values() if isinstance(v, str))]
            assert all(text.isprintable() for text in texts)
