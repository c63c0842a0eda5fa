"""The draft of a post-mortem: each fact has its events, what is not known is said, and what people wrote stays."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.incidents.histories import CALM_S, NOW, RULES, A, B, History, histories
from tidegate.incidents.draft import cited, draft, unknowns
from tidegate.incidents.html import html
from tidegate.incidents.human import Block, UnclosedError, blocks, kept, marked
from tidegate.incidents.incident import Incident
from tidegate.incidents.markdown import markdown
from tidegate.incidents.postmortem import Fact, Human, Postmortem, Said, Unknown

HEADINGS = [
    "Summary",
    "Impact",
    "Root cause and trigger",
    "Detection",
    "Response",
    "Recovery",
    "What went well",
    "What went wrong",
    "Where we were lucky",
    "What people say: claims, not facts",
    "Action items",
]
NASTY = "<script>alert(1)</script> <!-- human:summary -->x<!-- /human:summary --> \"'& | [a](javascript:b) `c` #1"


def outage() -> History:
    """Fifteen hours, from the first source that went out to the first that came back."""
    history = History()
    history.source(A, "open")
    history.note("last-operator-begun", "ubuntu", since=NOW, operator="b", operators=2, later=5)
    history.source(B, "open", later=10)
    history.alone(later=5)
    url = "https://vendor.example/blog"
    history.note("watch-down", "blog", url=url, archive="", reason="answered 503", since=NOW, incident=False)
    history.note("incident-note", "20260430-2", by="ada", text="their status page is down as well", later=600)
    history.served(4_112, lacking=3, later=54_000, lasted=54_600)
    history.note("failover", A, archives="ubuntu", to=B, digest="00", at_byte=7, reason="stalled")
    history.note("incident-action", "20260430-2", by="bob", text="added mirror-c")
    history.source(B, "closed")
    history.answers()
    history.note("last-operator-ended", "ubuntu", since=NOW, duration_s=54_620.0)
    history.note("adopted", "ubuntu noble", source=B, date=int(NOW), payload="", signers="", confirmed_by="b")
    history.note(
        "claim",
        "20260430-2",
        claim="C1",
        said_by="a channel",
        url="https://chat.example/1",
        said_at="",
        text="it was us",
        attributes_to="313 Team",
        confidence=20,
        status="pending",
        by="ada",
    )
    return history


def only(history: History) -> Incident:
    (incident,) = history.incidents(later=CALM_S)
    return incident


def drafted(history: History) -> Postmortem:
    return draft(only(history), history.events[-1].seq)


def sentences(postmortem: Postmortem, title: str) -> list[str]:
    (section,) = [one for one in postmortem.sections if one.title == title]
    return [part.text for part in section.parts if isinstance(part, Fact | Unknown | Said)]


# What it says


def test_it_has_the_headings_that_engineers_know() -> None:
    assert [section.title for section in drafted(outage()).sections] == HEADINGS


def test_its_figures_are_those_of_the_journal() -> None:
    postmortem = drafted(outage())
    told = " ".join(sentences(postmortem, "Summary"))
    assert "It began at 2026-04-30 16:33:37 UTC: ubuntu: of its operators one is left" in told
    assert "after 15 h 10 min." in told
    assert "It came to SEV2" in told
    assert "3 of 4,112 requests." in told
    assert "All other 4,109 (99.93 %) were answered, with 4,112,000 bytes." in sentences(postmortem, "Impact")
    assert "5 s after it began" in sentences(postmortem, "Detection")[0]
    assert "10 min 15 s later, from ada" in sentences(postmortem, "Detection")[1]
    assert sentences(postmortem, "Response")[0] == "1 file came from another source than asked."
    assert sentences(postmortem, "Response")[2].endswith("bob did: “added mirror-c”")
    assert sentences(postmortem, "Root cause and trigger")[0].endswith(f"{A} is left alone: no answer within 5 s.")


@given(histories())
def test_every_sentence_that_states_a_fact_cites_events_of_the_journal_that_are_of_the_incident(
    history: History,
) -> None:
    numbers = {event.seq: event for event in history.events}
    for incident in history.incidents():
        for text, cites in cited(draft(incident, len(history.events))):
            assert cites, text
            for seq in cites:
                assert seq in numbers, text
                assert numbers[seq].drill == incident.drill, text


def test_every_sentence_of_an_outages_post_mortem_cites_what_says_so() -> None:
    history = outage()
    kinds = {event.seq: event.kind for event in history.events}
    for text, cites in cited(drafted(history)):
        said_by = {kinds[seq] for seq in cites}
        if "requests" in text:
            assert said_by == {"served"}, text
        if "another source" in text:
            assert said_by == {"failover"}, text
        if "ada" in text and "claim" not in text:
            assert said_by == {"incident-note"}, text


def test_pages_that_were_down_are_evidence_and_no_cause() -> None:
    (fact,) = [text for text in sentences(drafted(outage()), "Impact") if "blog" in text]
    assert "answered 503" in fact
    assert "seen from here" in fact
    assert not [text for text in sentences(drafted(outage()), "Root cause and trigger") if "blog" in text]


def test_what_the_journal_cannot_tell_is_listed_as_not_known() -> None:
    told = list(unknowns(drafted(outage())))
    assert any(text.startswith("How many hosts") for text in told)
    assert any(text.startswith("Why:") for text in told)
    assert any(text.startswith("Who did it") for text in told)
    history = History()
    history.alone()
    bare = list(unknowns(draft(history.incidents()[0], 1)))
    assert "When it ends: it goes on." in bare
    assert "What people did: no action was written down." in bare
    assert "What hosts asked for meanwhile: nothing was counted." in bare


def test_a_claim_stands_nowhere_as_a_fact() -> None:
    postmortem = drafted(outage())
    for section in postmortem.sections:
        for part in section.parts:
            if isinstance(part, Fact):
                assert "313 Team" not in part.text
    (said,) = sentences(postmortem, "What people say: claims, not facts")
    assert "This is a claim, pending; our confidence in it is 20 of 100." in said
    assert [line.text for line in postmortem.timeline if "313" in line.text] == [
        "claim C1 by a channel, which holds 313 Team responsible (not a fact; pending)"
    ]


def test_that_of_a_drill_and_of_what_goes_on_says_so() -> None:
    history = History()
    history.alone(drill="frozen-mirror")
    postmortem = draft(history.incidents()[0], 1)
    for made in (markdown(postmortem, {}), html(postmortem, {})):
        assert "(drill frozen-mirror)" in made.replace("\\", "")
        assert "It goes on." in made


# Escaping


def nasty() -> Postmortem:
    history = History()
    history.source(A, "open")
    history.note("alone-begun", NASTY, since=NOW, sources=2)
    history.note("incident-note", "20260430-2", by=NASTY, text=NASTY)
    history.note(
        "claim",
        "20260430-2",
        claim=NASTY,
        said_by=NASTY,
        url=NASTY,
        said_at=NASTY,
        text=NASTY,
        attributes_to=NASTY,
        confidence=1,
        status="pending",
        by=NASTY,
    )
    return draft(history.incidents()[0], 3)


class Elements(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words = ""
        self.comments: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data: str) -> None:
        self.words += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def test_what_comes_from_outside_is_inert_in_html() -> None:
    page = Elements(html(nasty(), {}))
    assert "script" not in page.tags
    assert all(re.fullmatch(r"#e\d+", link) for link in page.links)
    assert page.words.count("<script>alert(1)</script>") >= 8
    assert len(page.comments) == 2 * sum(isinstance(part, Human) for one in nasty().sections for part in one.parts)


def test_html_loads_nothing_and_runs_nothing() -> None:
    made = html(drafted(outage()), {})
    assert Elements(made).tags.count("meta") == 3
    assert "default-src 'none'" in made
    assert not re.search(r"<(script|img|link|iframe)|url\(|@import", made)


def test_links_in_html_lead_to_lines_that_are_there() -> None:
    made = html(drafted(outage()), {})
    assert set(re.findall(r'href="#(e\d+)"', made)) <= set(re.findall(r'id="(e\d+)"', made))


def test_what_comes_from_outside_is_inert_in_markdown() -> None:
    made = markdown(nasty(), {})
    outside = re.sub(r"<!-- /?human:[a-z-]+ -->", "", made)
    assert not re.search(r"(?<!\\)<", outside)
    assert "\\<script\\>" in outside
    assert not re.search(r"(?<!\\)\]\(", outside)
    assert len(list(blocks(made))) == sum(isinstance(part, Human) for one in nasty().sections for part in one.parts)


# What people wrote


KEYS = st.sampled_from(("summary", "impact", "root-cause", "lucky", "of-my-own", "x1"))
WORDS = st.text(st.characters(exclude_categories=())).filter(lambda text: "<!--" not in text)


@pytest.mark.parametrize("render", [markdown, html])
@given(st.lists(st.tuples(KEYS, WORDS), max_size=6), WORDS)
def test_whatever_people_wrote_is_there_when_it_is_made_anew(
    render: object, written: list[tuple[str, str]], around: str
) -> None:
    assert callable(render)
    before = around.join(marked(key, text) for key, text in written)
    once = render(drafted(outage()), *kept(before))
    assert sorted(one for one in blocks(once) if one in {Block(*each) for each in written}) == sorted(
        Block(*each) for each in written
    )
    again = render(drafted(outage()), *kept(once))
    assert sorted(blocks(again)) == sorted(blocks(once))


@pytest.mark.parametrize("render", [markdown, html])
def test_made_anew_without_news_it_is_the_same(render: object) -> None:
    assert callable(render)
    once = render(drafted(outage()), {})
    assert render(drafted(outage()), *kept(once)) == once


def test_a_place_that_does_not_end_is_told() -> None:
    with pytest.raises(UnclosedError, match="summary"):
        kept("<!-- human:summary --> text")


def test_it_is_json_as_its_schema_says() -> None:
    postmortem = drafted(outage())
    assert msgspec.json.decode(msgspec.json.encode(postmortem), type=Postmortem) == postmortem


def test_the_rules_that_histories_go_by_are_those_that_ship() -> None:
    assert RULES.calm_s == CALM_S
