"""One archive and what becomes of it at bad sources: the honest tree, the one of before, and the broken ones."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.oracle import Oracle
from tests.simulator import attacks
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys

Attack = Callable[[SimulatedArchive, str], None]

ALIAS = "http://archive.example/debian"
HERALD = "herald"  # a package whose version tells how new a client's lists are
NEWEST, BEFORE = "2.0", "1.0"
BOMB_BYTES = 256 << 20
STATEMENTS = ("InRelease", "Release", "Release.gpg")


@dataclass(frozen=True, slots=True)
class Plan:
    """What the archive is to hold. Each set is a package that depends on parts of these sizes."""

    suites: tuple[str, ...] = ("stable", "again1", "again2", "again3")
    sets: tuple[str, ...] = ("first", "again1", "again2", "again3", "held")
    parts_bytes: tuple[int, ...] = (20_000, 20_000, 20_000, 300_000, 3_000_000)

    @property
    def suite(self) -> str:
        """The suite that is installed from."""
        return self.suites[0]


@dataclass(frozen=True, slots=True)
class Trees:
    """Directories that a source may serve. `archive.public` is the honest one, and the newest that is honest."""

    plan: Plan
    archive: SimulatedArchive
    before: Path
    broken: Mapping[str, Path]

    @property
    def honest(self) -> Path:
        """What healthy sources serve."""
        return self.archive.public

    @property
    def keyring(self) -> Path:
        """The vendor's keys."""
        return self.archive.keys.keyring

    def oracle(self) -> Oracle:
        """A judge that knows the honest tree and the one of before."""
        judge = Oracle(self.keyring, self.honest, self.plan.suites)
        judge.admit(self.before)
        return judge


def signed_bomb(archive: SimulatedArchive, suite: str) -> None:
    """A well-signed Release that lists a small index of enormous content."""
    target = archive.suite(suite)
    compressions = target.compressions
    attacks.index_bomb(archive, "gz", suite, BOMB_BYTES)
    target.compressions = compressions
    target.overrides.clear()


ATTACKS: Mapping[str, Attack] = {
    "future": attacks.future_release,
    "expired": attacks.expired_release,
    "unsigned": attacks.unsigned,
    "unknown key": attacks.signed_by_unknown,
    "expired key": attacks.signed_by_expired,
    "bad second signature": attacks.bad_second_signature,
    "signed bomb": signed_bomb,
}


def grow(root: Path, keys: Keys, plan: Plan | None = None, which: Mapping[str, Attack] = ATTACKS) -> Trees:
    """Publish the archive of before, the attacks, and last what is honest."""
    plan = plan or Plan()
    archive = SimulatedArchive(root / "archive", keys)
    for suite in plan.suites:
        archive.add_package(HERALD, BEFORE, suite=suite)
    before = archive.generation(archive.publish())
    for suite in plan.suites:
        archive.update_package(HERALD, NEWEST, suite=suite)
    for name in plan.sets:
        _add_set(archive, plan, name)
    broken = {name: _everywhere(archive, attack, root / name.replace(" ", "-"), plan) for name, attack in which.items()}
    archive.publish()
    broken["torn"] = _torn(archive.public.resolve(), before, root / "torn", plan)
    return Trees(plan, archive, before, broken)


def set_package(name: str) -> str:
    """The package that pulls in a set."""
    return f"set-{name}"


def _add_set(archive: SimulatedArchive, plan: Plan, name: str) -> None:
    parts = [f"{set_package(name)}-part{number}" for number in range(1, len(plan.parts_bytes) + 1)]
    for part, size in zip(parts, plan.parts_bytes, strict=True):
        archive.add_package(part, suite=plan.suite, filling_bytes=size)
    archive.add_package(set_package(name), suite=plan.suite, depends=", ".join(parts))


def _everywhere(archive: SimulatedArchive, attack: Attack, tree: Path, plan: Plan) -> Path:
    """A tree in which every suite is struck; an attack itself publishes one suite after the other."""
    for number, suite in enumerate(plan.suites):
        attack(archive, suite)
        struck = archive.generation(archive.published)
        if number == 0:
            _copy(struck, tree)
        else:
            shutil.rmtree(tree / "dists" / suite)
            _copy(struck / "dists" / suite, tree / "dists" / suite)
    return tree


def _torn(honest: Path, before: Path, tree: Path, plan: Plan) -> Path:
    """A mirror in mid-sync: the newest Release files over the indices of before."""
    _copy(honest, tree)
    for suite in plan.suites:
        for path in sorted((tree / "dists" / suite).rglob("*")):
            if path.is_dir() or path.name in STATEMENTS:
                continue
            path.unlink()
            old = before / path.relative_to(tree)
            if old.exists():
                os.link(old, path)
    return tree


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, copy_function=os.link)
