"""`python -m bench`: measure Tidegate beside its peers and hold the figures against the bounds."""

import argparse
import resource
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

from bench.archive import FULL, QUICK
from bench.environment import load_average, machine, versions
from bench.experiments import adoption, apt_loop, cold, exposure, flight64, hits, slow_clients
from bench.finding import Finding, say
from bench.process import BenchError
from bench.report import Report, Section, digest, read, write
from bench.series import judge
from bench.world import Plan, World

HERE = Path(__file__).resolve().parent
DOCS = HERE.parent / "docs" / "benchmarks"
ROUNDS, ROUNDS_QUICK = 7, 2
LOAD_S, LOAD_S_QUICK = 2, 1
OPEN_FILES = 32_768
NOTE_CHARS_MAX = 400


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's way to be run, and its method in words: the module's own docstring."""

    measure: Callable[[World], Finding]
    method: str


def _experiment(module: ModuleType) -> Experiment:
    return Experiment(module.measure, module.__doc__ or "")


EXPERIMENTS = {
    "hits": _experiment(hits),
    "cold": _experiment(cold),
    "flight64": _experiment(flight64),
    "adoption": _experiment(adoption),
    "apt-loop": _experiment(apt_loop),
    "slow-clients": _experiment(slow_clients),
    "exposure": _experiment(exposure),
}


def _named_url(text: str) -> tuple[str, str]:
    name, equals, url = text.partition("=")
    if not (name and equals and url):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=URL")
    return name, url


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=EXPERIMENTS, help="this experiment (repeatable)")
    parser.add_argument("--rounds", type=_positive, help=f"alternating rounds (default {ROUNDS})")
    parser.add_argument("--seconds", type=_positive, help=f"of each load (default {LOAD_S})")
    parser.add_argument(
        "--hosts", type=_positive, action="append", default=[], help="exposure: a fleet of so many (repeatable)"
    )
    parser.add_argument("--quick", action="store_true", help="small files, few rounds: prove that it works")
    parser.add_argument(
        "--peer",
        action="append",
        default=[],
        type=_named_url,
        metavar="NAME=URL",
        help="another http proxy that already runs; it must be allowed to fetch from the origin",
    )
    parser.add_argument("--origin-port", type=_positive, help="where the origin listens (default: any port)")
    parser.add_argument("--work", type=Path, help="directory for stores and caches (default: a temporary one)")
    parser.add_argument("--write", action="store_true", help="also write docs/benchmarks.md and .json")
    told = parser.parse_args(argv)
    if told.write and told.quick:
        parser.error("--quick proves that the bench works; its figures are not to be written down")
    return told


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when all of it was measured, 1 when something could not be."""
    told = _arguments(argv)
    plan = Plan(
        scale=QUICK if told.quick else FULL,
        rounds=told.rounds or (ROUNDS_QUICK if told.quick else ROUNDS),
        load_s=told.seconds or (LOAD_S_QUICK if told.quick else LOAD_S),
        cache=HERE / "cache",
        external=tuple(told.peer),
        hosts=tuple(told.hosts),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything started is ended
    _raise_open_files()
    report, failed = _measured(plan, told.only or list(EXPERIMENTS), told.origin_port, told.work)
    if told.write:
        kept = read(DOCS.with_suffix(".json"))
        sections = kept.sections | report.sections
        write(Report(sections={name: sections[name] for name in EXPERIMENTS if name in sections}), DOCS)
    for name, why in failed:
        say(f"{name} could not be measured: {why}")
    return 1 if failed else 0


def _measured(
    plan: Plan, names: Sequence[str], port: int | None, where: Path | None
) -> tuple[Report, list[tuple[str, str]]]:
    """Carry the experiments out one after the other; what is done is on disk at once."""
    report, failed = Report(), list[tuple[str, str]]()
    out = HERE / "out" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{plan.scale.name}"
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-", dir=where)))
        work.chmod(0o755)  # a server that gives up root must still get in
        world = World(plan, work, stack, port)
        for name in names:
            say(f"{name}: {plan.rounds} rounds")
            try:
                report.sections[name] = _section(EXPERIMENTS[name], world)
            except BenchError as error:
                failed.append((name, str(error)))
            write(report, out)
    print(digest(report))
    say(f"everything is in {out.with_suffix('.md')} and .json")
    return report, failed


def _section(experiment: Experiment, world: World) -> Section:
    load_before = load_average()
    measured_at = datetime.now(UTC).isoformat(timespec="seconds")
    finding = experiment.measure(world)
    return Section(
        method=experiment.method,
        measured_at=measured_at,
        load_before=load_before,
        scale=world.plan.scale.name,
        rounds=world.plan.rounds,
        load_s=world.plan.load_s,
        machine=machine(world.work),
        versions=versions(),
        settings={peer: _portable(text, world.work) for peer, text in finding.settings.items()},
        series=finding.series,
        verdicts=judge(finding.targets, finding.series),
        notes=tuple(_one_line(_portable(note, world.work)) for note in finding.notes),
    )


def _portable(text: str, work: Path) -> str:
    """Settings and notes without this machine's own directories."""
    return text.replace(str(work), "WORK").replace(str(HERE.parent), "REPOSITORY")


def _one_line(note: str) -> str:
    """A note without line ends, and no longer than anybody reads."""
    flat = " ".join(note.split())
    return flat if len(flat) <= NOTE_CHARS_MAX else f"{flat[:NOTE_CHARS_MAX]} [...]"


def _raise_open_files() -> None:
    """Allow as many open files as the crowd and its server need, as far as we may; children inherit it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= OPEN_FILES:
        return
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


if __name__ == "__main__":
    sys.exit(main())
