"""`tidegate drill`: rehearse, in a laboratory or in the running gateway."""

import os
import signal
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlencode

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import Column, JsonOption, json_wanted, note, say, say_json, table

if TYPE_CHECKING:
    from tidegate.config import Gathered
    from tidegate.drill.scenario import Scenario
    from tidegate.web.drill_report import DrillReport
    from tidegate.wiring.drill_lab import Progress

_VERDICTS = (Column("verdict"), Column("measured", is_figure=True), Column("expected"), Column("what"))
_SCENARIOS = (Column("scenario"), Column("takes", is_figure=True), Column("what"))


def drill(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(metavar="SCENARIO", help="One that ships, or a file (NAME.toml); none: list those that ship."),
    ] = None,
    lab: Annotated[
        bool, typer.Option("--lab", help="On loopback: a vendor, mirrors, a gateway and clients of its own.")
    ] = False,
    live: Annotated[
        bool,
        typer.Option("--live", help="In the running gateway: faults round its own sources, while it goes on serving."),
    ] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the drill in the running gateway, at once.")] = False,
    minutes: Annotated[
        float, typer.Option("--minutes", metavar="N", min=0.1, max=1440, help="How long a live drill takes.")
    ] = 5.0,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write picture, journal, post-mortem and report there."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a scenario, and say what came of it. Exits 0 if all that was expected came true, 1 otherwise.

    In the laboratory (--lab) nothing outside of this machine is asked, and nothing of the running gateway is touched.
    Live (--live), the running gateway's sources seem to fail; what it holds is served as ever. It refuses to begin
    where clients would suffer, and it is over at the end, by --stop, or when this command is killed.
    """
    if stop:
        _stop(settings_for(config, overrides(state=state)))
        return
    if scenario is None:
        _list(context, as_json)
        return
    found, name = _scenario(scenario)
    if lab == live:
        raise Failure(ExitCode.USAGE, Complaint("on which ground?", todo="Say either --lab or --live."))
    if lab:
        report = _in_lab(found, name, out)
    else:
        report = _in_gateway(found, name, out, settings_for(config, overrides(state=state)), minutes)
    if json_wanted(context, as_json):
        say_json(report)
    else:
        _say(report)
    raise typer.Exit(ExitCode.OK if report.verdict == "passed" else ExitCode.NO)


def _scenario(given: str) -> "tuple[Scenario, str]":
    """A scenario, and its name. Raises Failure."""
    from tidegate.drill.scenario import SCENARIO_BYTES_MAX, ScenarioError, read
    from tidegate.drill.shipped import shipped

    path = Path(given)
    try:
        if path.suffix != ".toml":
            return shipped(given), given
        with path.open("rb") as file:
            data = file.read(SCENARIO_BYTES_MAX + 1)
        return read(data), path.stem.lower()
    except ScenarioError as error:
        raise Failure(ExitCode.USAGE, Complaint(str(error), given, "docs/drills.md says how one is written.")) from None


def _in_lab(scenario: "Scenario", name: str, out: Path | None) -> "DrillReport":
    from tidegate.drill.process import LabError
    from tidegate.wiring.drill import in_lab

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="tidegate-drill-") as folder:
        try:
            return in_lab(scenario, name, Path(folder), out, by=_who(), tell=_Progress().tell, stop=stop)
        except LabError as error:
            raise Failure(ExitCode.UNAVAILABLE, Complaint(f"the laboratory: {error}")) from None


def _in_gateway(
    scenario: "Scenario", name: str, out: Path | None, gathered: "Gathered", minutes: float
) -> "DrillReport":
    from tidegate.wiring.ask import NotRunningError
    from tidegate.wiring.drill import in_gateway
    from tidegate.wiring.store import layout_of

    if not scenario.is_live:
        what = "; ".join(scenario.lab_only) or "nothing goes wrong in it"
        what = f"it cannot be played in a running gateway: {what}"
        raise Failure(ExitCode.USAGE, Complaint(what, name, "--lab plays it; docs/drills.md says which faults can."))
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    settings = gathered.settings
    layout = layout_of(settings.store, os.environ, uid=os.getuid())
    tell, rules = _Progress().tell, settings.incidents
    try:
        return in_gateway(scenario, name, layout, rules, out, by=_who(), lasts_s=60 * minutes, tell=tell, stop=stop)
    except KeyError as error:
        raise Failure(ExitCode.NO, Complaint(f"the gateway refuses: {error.args[0]}")) from None
    except NotRunningError as error:
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error))) from None


def _stop(gathered: "Gathered") -> None:
    from tidegate.wiring.ask import NotRunningError, ask
    from tidegate.wiring.store import layout_of

    layout = layout_of(gathered.settings.store, os.environ, uid=os.getuid())
    target = "/drill/end?" + urlencode({"verdict": "stopped", "because": f"stopped by {_who()}"})
    try:
        ask(layout, "POST", target, timeout_s=10.0)
    except NotRunningError as error:
        raise Failure(ExitCode.UNAVAILABLE, Complaint(str(error))) from None
    say("No fault is on any more.")


def _who() -> str:
    return os.environ.get("SUDO_USER") or os.environ.get("USER") or str(os.getuid())


class _Progress:
    """One line that goes on in a terminal; in a log, a line for each thing that is staged."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()

    def tell(self, progress: "Progress") -> None:
        """How far it is."""
        counts = f"{progress.served:,} of {progress.requests:,} requests served"
        if progress.said:
            clear = "\r\x1b[K" if self._is_terminal else ""
            note(f"{clear}{progress.story}  {progress.said}")
        if self._is_terminal:
            share = min(1.0, progress.clock_s / max(progress.lasts_s, 1e-3))
            sys.stderr.write(f"\r\x1b[K{progress.story}  {share:4.0%}  {counts}")
            sys.stderr.flush()


def _say(report: "DrillReport") -> None:
    if sys.stderr.isatty():
        note("")
    say(f"{report.title}: {report.verdict}{f', {report.reason}' if report.reason else ''}")
    say(
        f"{report.served:,} of {report.requests:,} requests were served in {report.seconds:.0f} s"
        f" ({report.story_s / 3_600:.1f} h in the story); {report.apt_runs} runs of the real apt"
        if report.ground == "lab"
        else f"{report.served:,} of {report.requests:,} requests were served in {report.seconds:.0f} s"
    )
    say("")
    rows = [
        [one.verdict, _figure(one.measured), one.expected, f"{one.measure}: {one.meaning}"]
        for one in report.expectations
    ]
    table(_VERDICTS, rows)
    for name in report.left_out:
        note(f"left out, nothing here stands for it: {name}")
    for number in report.numbers:
        if not number.agrees:
            say(f"{number.what}: {number.told:g} is told, {number.at_least:g} to {number.at_most:g} were counted")
    for name in report.files:
        note(f"written: {name}")


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:,.2f}".rstrip("0").rstrip(".")


def _list(context: typer.Context, as_json: bool) -> None:
    from tidegate.drill.scenario import Tempo
    from tidegate.drill.shipped import names, shipped
    from tidegate.web.drill_report import ScenarioReport, ScenariosReport

    found = [(name, shipped(name)) for name in names()]
    if json_wanted(context, as_json):
        told = [
            ScenarioReport(
                name=name,
                title=one.title,
                about=one.about.strip(),
                story_s=one.ends_s,
                seconds=Tempo(one).lasts_s,
                live=one.is_live,
            )
            for name, one in found
        ]
        say_json(ScenariosReport(scenarios=tuple(told)))
        return
    table(_SCENARIOS, [[name, f"{Tempo(one).lasts_s:.0f} s", one.title] for name, one in found])
