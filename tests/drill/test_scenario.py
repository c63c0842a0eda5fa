"""Scenarios are read strictly, and their time runs as they say."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidegate.drill.scenario import Scenario, ScenarioError, Tempo, read, span_s
from tidegate.drill.shipped import names, shipped

PLAIN = """\
title = "Plain"
begins = 2026-04-30T15:30:00Z
ends = "+2h"
[clients]
uses = ["hello"]
[[source]]
name = "origin"
operator = "vendor"
[[pace]]
until = 2026-04-30T16:30:00Z
factor = 60.0
[[pace]]
until = "+2h"
factor = 360.0
[[fault]]
at = "+10m"
until = "+20m"
on = ["origin"]
kind = "refuse"
[[expect]]
measure = "served-percent"
at_least = 100
"""


def plain(old: str = "", new: str = "") -> Scenario:
    assert old in PLAIN
    return read(PLAIN.replace(old, new, 1).encode())


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("title", "titel", "titel"),
        ("[clients]", "[clients]\nhost = 3", "host"),
        ('"origin"]', '"orign"]', "there is no orign"),
        ('"refuse"', '"refused"', "there is no fault refused"),
        ('"refuse"', '"full"', "nothing that origin can have"),
        ('until = "+20m"', 'until = "+5m"', "ends before it begins"),
        ('until = "+20m"', 'until = "+3h"', "outside the story"),
        ("16:30:00Z", "16:30:00", "zone"),
        ("begins = 2026-04-30T15:30:00Z\n", "", "needs `begins`"),
        ('until = "+2h"', 'until = "+90m"', "to the end"),
        ('until = "+2h"', 'until = "+30m"', "longer than the one before"),
        ("served-percent", "served", "there is no measure served"),
        ("served-percent", "events", "events:KIND"),
        ("at_least = 100\n", "", "at_least or at_most is lacking"),
        ('ends = "+2h"', 'ends = "2h"', "neither a span"),
        ('on = ["origin"]', 'on = ["operator:nobody"]', "is on nothing"),
        ('title = "Plain"', "title =", "no TOML"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_refused_with_a_reason(old: str, new: str, why: str) -> None:
    with pytest.raises(ScenarioError, match=why):
        plain(old, new)


def test_dates_and_spans_are_moments_of_one_story() -> None:
    scenario = plain()
    assert scenario.moment("2026-04-30T15:40:00+00:00") == scenario.moment("+10m") == 600.0
    assert scenario.shown(600.0) == "04-30 15:40:00Z"
    assert scenario.is_live


def test_each_stretch_runs_at_its_own_pace() -> None:
    tempo = Tempo(plain())
    assert tempo.lasts_s == 3_600 / 60 + 3_600 / 360
    assert tempo.clock_s(3_600) == 60.0
    assert tempo.factor_at(59.0) == 60.0
    assert tempo.factor_at(61.0) == 360.0


def test_the_usual_pace_is_that_of_most_of_the_story_however_long_a_slow_moment_takes() -> None:
    assert (
        Tempo(plain("until = 2026-04-30T16:30:00Z\nfactor = 60.0", 'until = "+50m"\nfactor = 8.0')).usual_factor
        == 360.0
    )
    assert Tempo(shipped("canonical-2026")).usual_factor == 2_000.0


@given(st.floats(0, 7_200))
def test_the_story_and_the_clock_agree_at_each_moment(story_s: float) -> None:
    tempo = Tempo(plain())
    assert tempo.story_s(tempo.clock_s(story_s)) == pytest.approx(story_s, abs=1e-6)


@pytest.mark.parametrize("name", names())
def test_every_scenario_that_ships_can_be_played(name: str) -> None:
    scenario = shipped(name)
    assert scenario.about
    assert scenario.source
    assert Tempo(scenario).lasts_s <= 180
    assert {one.measure for one in scenario.expect} >= {"served-percent", "wrong-bytes"}


def test_the_incident_is_as_it_was_recorded() -> None:
    scenario = shipped("canonical-2026")
    gone = next(one for one in scenario.fault if one.kind == "blackhole")
    assert gone.at == "2026-04-30T16:33:37+00:00"
    assert scenario.moment(gone.until) - scenario.moment(gone.at) > 15 * 3_600
    lasted = {one.on[0]: scenario.moment(one.until) - scenario.moment(one.at) for one in scenario.fault}
    feeds = {name: span for name, span in lasted.items() if name.startswith("feed:")}
    assert feeds == {"feed:security-notices": span_s("+3h13m"), "feed:security-cves": span_s("+13h30m")}
    longer = next(one for one in shipped("canonical-2026-36h").fault if one.kind == "blackhole")
    assert scenario.moment(longer.until) - scenario.moment(gone.at) > 36 * 3_600


def test_what_ships_is_in_the_package(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="canonical-2026"):
        shipped("no-such")
