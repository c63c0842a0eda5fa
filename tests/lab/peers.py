"""What the other ways make of a fault: one cold update, and one cold install after a healthy update."""

from dataclasses import dataclass

from tests.lab.faults import Fault
from tests.lab.laboratory import Laboratory
from tests.lab.outcome import End, Outcome, anonymous, of_install, of_update
from tests.lab.stage import ROLES
from tests.lab.trees import set_package
from tests.lab.ways import Way


@dataclass(frozen=True, slots=True)
class Cell:
    """One way under one fault of the preferred source ("": under none)."""

    way: str
    fault: str
    update: Outcome
    install: Outcome


def measure(laboratory: Laboratory, way: Way, fault: Fault | None) -> Cell:
    """One way under one fault, or under none."""
    update, install = _update(laboratory, way, fault), _install(laboratory, way, fault)
    return Cell(way.name, fault.name if fault else "", update, install)


def _update(laboratory: Laboratory, way: Way, fault: Fault | None) -> Outcome:
    scheme = fault.scheme if fault else "http"
    with (
        laboratory.folder() as folder,
        laboratory.stage(scheme) as stage,
        way.open(stage, laboratory.client(folder)) as apt,
    ):
        if fault and fault.needs_history:
            apt.update()
        if fault:
            stage.strike(fault, ROLES[0])
        return of_update(apt.update(), apt, laboratory.trees)


def _install(laboratory: Laboratory, way: Way, fault: Fault | None) -> Outcome:
    scheme = fault.scheme if fault else "http"
    with (
        laboratory.folder() as folder,
        laboratory.stage(scheme) as stage,
        way.open(stage, laboratory.client(folder)) as apt,
    ):
        before = apt.update()
        if not before.ok:
            said = f"no update without the fault: {before.stderr}"
            return Outcome(End.ERROR, round(before.seconds, 3), anonymous(said, folder))
        if fault:
            stage.strike(fault, ROLES[0])
        return of_install(apt.install(set_package("first")), apt, laboratory.trees)
