"""The report is made from its JSON and hides nothing."""

from pathlib import Path

from bench.report import Report, Section, markdown, read, write
from bench.series import Series, Target, judge

SERIES = (
    Series("1 KiB", "tidegate", "requests/s", "/s", (90.0, 120.0, 130.0)),
    Series("1 KiB", "nginx", "requests/s", "/s", (100.0, 100.0, 100.0)),
)
TARGETS = (
    Target("1 KiB", "tidegate", "requests/s", "at least", 1.0, "nginx"),
    Target("1 KiB", "tidegate", "requests/s", "at least", 1.5, "squid"),
    Target("1 KiB", "tidegate", "requests/s", "at most", 110.0),
)


def report() -> Report:
    section = Section(
        method="How it is done.",
        measured_at="2026-01-01T00:00:00+00:00",
        load_before="0.00 0.00 0.00",
        scale="full",
        rounds=3,
        load_s=2,
        machine={"cpu": "one"},
        versions={"nginx": "1.0"},
        settings={"nginx": "worker_processes 1;"},
        series=SERIES,
        verdicts=judge(TARGETS, SERIES),
        notes=("squid took no part",),
    )
    return Report(sections={"hits": section})


def test_a_report_survives_being_written_and_read(tmp_path: Path) -> None:
    write(report(), tmp_path / "benchmarks")
    assert read(tmp_path / "benchmarks.json") == report()
    assert (tmp_path / "benchmarks.md").read_text() == markdown(read(tmp_path / "benchmarks.json"))


def test_a_missing_report_is_empty(tmp_path: Path) -> None:
    assert read(tmp_path / "benchmarks.json").sections == {}


def test_bounds_met_missed_and_not_measured_are_all_shown() -> None:
    shown = markdown(report())
    assert "| at least 1.00 \u00d7 nginx | 1.20 (0.9 to 1.30) | met |" in shown
    assert "| at least 1.50 \u00d7 squid | \u2014 | not measured |" in shown
    assert "| at most 110 /s | 120 /s (90 to 130) | **not met** |" in shown
    assert "[hits](#hits) | 1 | 1 | 1 | 3 |" in shown


def test_method_notes_settings_and_versions_are_in_the_report() -> None:
    shown = markdown(report())
    for part in ("How it is done.", "squid took no part", "worker_processes 1;", "| nginx | 1.0 |"):
        assert part in shown
