"""`tidegate verify FILE…`: what is seen in a Release file, what would be done with it, and why."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tidegate.cli.exit_codes import ExitCode
from tidegate.cli.failure import Complaint, Failure
from tidegate.cli.options import ConfigOption, StateOption, overrides, settings_for
from tidegate.cli.render import JsonOption, json_wanted, say, say_json, span

if TYPE_CHECKING:
    from tidegate.cli.reports import VerifiedFile
    from tidegate.config import Settings
    from tidegate.trust.acceptance import Mark, Rules
    from tidegate.trust.explain import Explanation, ReleaseSeen, SignatureSeen
    from tidegate.trust.keyring import Keyring

CLEARSIGNED = b"-----BEGIN PGP SIGNED MESSAGE-----"


def verify(
    context: typer.Context,
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="An InRelease, or a Release with its Release.gpg beside it.", exists=True),
    ],
    keyring: Annotated[
        list[Path] | None,
        typer.Option("--keyring", metavar="FILE", help="Keys that may sign, instead of an archive's."),
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option("--archive", metavar="NAME", help="Whose keys may sign; otherwise the first whose do."),
    ] = None,
    suite: Annotated[
        str | None,
        typer.Option("--suite", metavar="SUITE", help="What was asked for; otherwise the file's own word is taken."),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    as_json: JsonOption = False,
) -> None:
    """Explain Release files: who signed, when, what the gateway would do with them, and why.

    The newest Release accepted so far is taken from the state, where there is one. Exits with 1 when any of the
    files would be refused.
    """
    from tidegate.cli.reports import VerifyReport

    settings = settings_for(config, overrides(state=state)).settings
    candidates = list(_candidates(settings, keyring or [], archive))
    asking = _Asking(settings, suite, int(time.time()))
    report = VerifyReport(files=tuple(_verified(path, pair, candidates, asking) for path, pair in _paired(files)))
    if json_wanted(context, as_json):
        say_json(report)
    else:
        for number, each in enumerate(report.files):
            say("\n".join([*([""] if number else []), *_lines(each)]))
    if any(each.explanation.verdict == "refused" for each in report.files):
        raise typer.Exit(ExitCode.NO)


@dataclass(frozen=True, slots=True)
class _Candidate:
    """An archive that the file may be of; without a name for keyrings that were given."""

    name: str | None
    keyring: "Keyring"
    suites: tuple[str, ...] = ()
    accept_info_change: bool = False


@dataclass(frozen=True, slots=True)
class _Asking:
    settings: "Settings"
    suite: str | None
    now: int


def _paired(files: Sequence[Path]) -> Iterator[tuple[Path, Path | None]]:
    """Each Release once: with its Release.gpg when it has no signature of its own."""
    seen = set()
    for path in files:
        release = path.with_suffix("") if path.suffix == ".gpg" else path
        if release in seen:
            continue
        seen.add(release)
        signature = release.with_name(f"{release.name}.gpg")
        with release.open("rb") as file:
            is_clearsigned = file.read(len(CLEARSIGNED)) == CLEARSIGNED
        yield release, signature if signature.exists() and not is_clearsigned else None


def _candidates(settings: "Settings", keyrings: Sequence[Path], wanted: str | None) -> Iterator[_Candidate]:
    from tidegate import presets
    from tidegate.config import keyring_of
    from tidegate.sources.settings import ArchiveSettings
    from tidegate.trust.keyring import load_keyrings

    if keyrings:
        yield _Candidate(wanted, load_keyrings((str(path), path.read_bytes()) for path in keyrings))
        return
    known: dict[str, ArchiveSettings] = {
        each.name: ArchiveSettings(name=each.name) for each in presets.load() if each.keyring
    }
    # The configured ones come first: they are what this gateway would go by.
    ordered = {each.name: each for each in settings.archive} | {
        name: each for name, each in known.items() if name not in {one.name for one in settings.archive}
    }
    if wanted is not None and wanted not in ordered:
        raise Failure(
            ExitCode.USAGE,
            Complaint(f"there is no archive {wanted!r}", todo=f"Known are {', '.join(ordered)}; or give --keyring."),
        )
    for each in ordered.values():
        if wanted in {None, each.name}:
            yield _Candidate(each.name, keyring_of(each), each.suites, each.accept_info_change)


def _verified(path: Path, signature: Path | None, candidates: Sequence[_Candidate], asking: _Asking) -> "VerifiedFile":
    """By the candidate that accepts, or at least knows a signer; among such the one that has the suite."""
    from tidegate.cli.reports import VerifiedFile

    bytes_max = asking.settings.trust.release_bytes_max + 1
    raw = _read(path, bytes_max)
    detached = _read(signature, bytes_max) if signature else None
    found = [(each, *_explained(raw, detached, each, asking)) for each in candidates]
    candidate, explanation, compared = max(
        found, key=lambda one: (_fitness(one[1]), one[2], _has_suite(one[0], one[1].release))
    )
    return VerifiedFile(
        file=str(path),
        signature=str(signature) if signature else None,
        archive=candidate.name if _fitness(explanation) else None,
        compared=compared,
        explanation=explanation,
    )


def _fitness(explanation: "Explanation") -> int:
    if explanation.verdict != "refused":
        return 2
    return int(any(each.primary for each in explanation.signatures))


def _has_suite(candidate: _Candidate, release: "ReleaseSeen | None") -> bool:
    return release is not None and not {release.suite, release.codename}.isdisjoint(candidate.suites)


def _explained(
    raw: bytes, detached: bytes | None, candidate: _Candidate, asking: _Asking
) -> tuple["Explanation", bool]:
    from tidegate.trust.explain import explain

    def ask(mark: "Mark | None") -> "Explanation":
        return explain(
            raw,
            candidate.keyring,
            mark,
            asking.now,
            signature=detached,
            asked_suite=asking.suite,
            settings=asking.settings.trust,
            rules=_rules(candidate, asking),
        )

    first = ask(None)
    mark = _mark(candidate, asking, first.release) if first.release else None
    return (ask(mark), True) if mark else (first, False)


def _rules(candidate: _Candidate, asking: _Asking) -> "Rules":
    from tidegate import presets
    from tidegate.trust.acceptance import Rules

    preset = next((each for each in presets.load() if each.name == candidate.name), None)
    return Rules(
        future_skew_s=asking.settings.trust.future_skew_s,
        accept_info_change=candidate.accept_info_change,
        strict_suite=preset.strict_for(asking.suite) if preset and asking.suite else False,
    )


def _mark(candidate: _Candidate, asking: _Asking, release: "ReleaseSeen") -> "Mark | None":
    """What was accepted last of the same suite, from the state where there is one."""
    import os

    from tidegate.config.places import state_directory
    from tidegate.store.layout import Layout
    from tidegate.store.marks import SqliteMarks

    state = state_directory(asking.settings.store, os.environ, uid=os.geteuid())
    path = Layout(state, state).marks
    if candidate.name is None or not os.access(path, os.R_OK | os.W_OK):
        return None
    names = [asking.suite] if asking.suite else [release.codename, release.suite]
    marks = SqliteMarks(path)
    try:
        found = [mark for name in names if name and (mark := marks.get(candidate.name, name))]
    finally:
        marks.close()
    return found[0] if found else None


def _read(path: Path, bytes_max: int) -> bytes:
    with path.open("rb") as file:
        return file.read(bytes_max)


def _lines(verified: "VerifiedFile") -> Iterator[str]:
    seen = verified.explanation
    reason = f" ({seen.reason})" if seen.reason else ""
    yield f"{verified.file}: {seen.verdict}{reason}"
    yield f"  {seen.evidence}"
    whose = f"the keys of {verified.archive}" if verified.archive else "the keyrings given, or none that fits"
    yield f"  judged by    {whose}; {'against' if verified.compared else 'without'} an earlier Release of ours"
    yield f"  frame        {seen.frame}, {seen.bytes_signed} bytes signed"
    if seen.release:
        yield from _release_lines(seen.release)
    for signature in seen.signatures:
        yield from _signature_lines(signature)
    for alarm in seen.alarms:
        yield f"  alarm        {alarm.reason}: {alarm.evidence}"


def _release_lines(release: "ReleaseSeen") -> Iterator[str]:
    from tidegate.trust.verdict import utc

    names = [release.origin, release.label, release.suite, release.codename, release.version]
    yield f"  release      {', '.join(name for name in names if name)}"
    yield f"  date         {utc(release.date)}, {span(release.age_s)} ago"
    if release.valid_until is None or release.expires_in_s is None:
        yield "  valid until  it does not say: a freeze cannot be seen in it"
    else:
        left = release.expires_in_s
        yield f"  valid until  {utc(release.valid_until)}, {f'in {span(left)}' if left >= 0 else f'{span(-left)} ago'}"
    yield f"  components   {' '.join(release.components)}"
    yield f"  for          {' '.join(release.architectures)}"
    digests = ", ".join(f"{count} by {name}" for name, count in release.indices.items())
    yield f"  indices      {digests}{', by-hash' if release.acquire_by_hash else ''}"


def _signature_lines(signature: "SignatureSeen") -> Iterator[str]:
    from tidegate.trust.verdict import utc

    facts = [signature.key, signature.algorithm, signature.digest]
    made = f"made {utc(signature.created)}" if signature.created is not None else None
    yield f"  signature    {signature.state}: {', '.join(fact for fact in [*facts, made] if fact)}"
    yield f"               {signature.whose or signature.why}"
    if signature.whose and signature.state != "good":
        yield f"               {signature.why}"
