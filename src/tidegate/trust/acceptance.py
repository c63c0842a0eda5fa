"""The rules by which a signed Release becomes the newest truth about a suite.

A signature says who wrote a Release, not that it is the one to serve now. The mark of a suite (the newest
Release that was ever accepted) is what older, other and foreign Releases are measured against: threats 7
to 12 and 14. Pure: values and `now` in, a verdict out; who keeps the mark keeps it durably.
"""

from dataclasses import dataclass
from hashlib import sha256

from tidegate.archive.errors import FormatError, WeakDigests
from tidegate.archive.release import Release, parse_release
from tidegate.trust.verdict import Reason, Refused, Signed, printable, utc


@dataclass(frozen=True, slots=True)
class Mark:
    """The high-water mark of a suite: what was accepted last, and by whom it was signed."""

    date: int
    """The Release's Date."""
    digest: bytes
    """`content_digest` of the signed payload."""
    origin: str | None
    label: str | None
    suite: str | None
    codename: str | None
    signers: tuple[str, ...]
    """Fingerprints of the primary keys, sorted, upper case."""
    accepted_at: int


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator may loosen; the defaults are apt's own or stricter."""

    future_skew_s: int = 10
    """A Date further ahead than this is refused; apt's own `Acquire::Max-FutureTime`."""
    accept_info_change: bool = False
    """Let Origin, Label and Codename change, as `apt-get update --allow-releaseinfo-change` does."""
    strict_suite: bool = True
    """Refuse a Release that names another suite than was asked for; otherwise only an alarm."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A yes. Keep `mark` when it differs from the one that was given (signers may change alone)."""

    mark: Mark
    changed: bool
    """The content is news; False when it is what was accepted before."""
    alarms: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Freshness:
    """How old a Release is at a given time, for status pages; seconds."""

    age_s: int
    """Since its Date; never negative."""
    expires_in_s: int | None
    """Until Valid-Until, negative once it has passed; None for an archive that sets no end."""
    clock_behind: bool
    """Our clock stands before the mark: the figures are counted from the mark instead."""


DEFAULT_RULES = Rules()


def read_release(payload: bytes) -> Release | Refused:
    """The Release in a signed payload, or why it is none: not even a vendor's signature makes it one."""
    try:
        return parse_release(payload)
    except WeakDigests as error:
        return Refused(
            Reason.WEAK_INDEX_DIGESTS,
            f"the Release lists its indices by weak digests only ({printable(str(error))}): ask the vendor for SHA256",
        )
    except FormatError as error:
        return Refused(Reason.MALFORMED, f"the Release cannot be read ({printable(str(error))}): tell its vendor")


def content_digest(release: bytes) -> bytes:
    """SHA-256 of a signed payload, the same for an InRelease and a Release with Release.gpg.

    A cleartext signature does not cover the line end before the signature (RFC 9580, 7.1), a detached one
    does. So line ends at the end are left out, or one publication would look like a split view of itself.
    """
    return sha256(release.rstrip(b"\n")).digest()


def accept(
    signed: Signed,
    release: Release,
    mark: Mark | None,
    *,
    asked_suite: str,
    now: int,
    rules: Rules = DEFAULT_RULES,
) -> Accepted | Refused:
    """Whether `release`, parsed from `signed.release`, may be what `asked_suite` means from now on.

    Without a mark the suite is seen for the first time, and its own dates are all there is to go by.
    """
    floor = now if mark is None else max(now, mark.date)
    digest = content_digest(signed.release)
    refusal = (
        _refuse_suite(release, asked_suite, rules)
        or _refuse_future(release, floor, rules)
        or (mark and _refuse_history(release, digest, mark))
        or _refuse_expired(release, floor)
        or (mark and _refuse_info_change(release, mark, rules))
    )
    if refusal:
        return refusal
    signers = tuple(sorted({signer.primary for signer in signed.signers}))
    changed = mark is None or mark.digest != digest
    accepted_at = now if mark is None or changed else mark.accepted_at
    return Accepted(
        mark=Mark(
            date=release.date,
            digest=digest,
            origin=release.origin,
            label=release.label,
            suite=release.suite,
            codename=release.codename,
            signers=signers,
            accepted_at=accepted_at,
        ),
        changed=changed,
        alarms=(
            *signed.alarms,
            *_alarms(release, mark, signers, asked_suite=asked_suite, now=now, rules=rules),
        ),
    )


def freshness(mark: Mark, release: Release, now: int) -> Freshness:
    """Age and remaining validity of `release`, by a clock that never runs before `mark`."""
    floor = max(now, mark.date)
    return Freshness(
        age_s=max(0, floor - release.date),
        expires_in_s=None if release.valid_until is None else release.valid_until - floor,
        clock_behind=now < mark.date,
    )


def names_suite(release: Release, asked_suite: str) -> bool:
    """Whether `release` answers to `asked_suite`, the last part of `dists/<asked_suite>/`.

    The Suite or the Codename must say so, as apt has it (apt-secure(8)). Documented compositions beside
    that: `bookworm/updates` and `stable/updates` are how the security archive was addressed until Debian
    11, whose Release says `bookworm` or `bookworm-security`; `stable-proposed-updates` is a link to what calls
    itself `proposed-updates`. A flat repository (`./`, `x/y/`) has no name.
    """
    if asked_suite == "" or asked_suite.endswith("/"):
        return True
    names = {release.suite, release.codename} - {None}
    if asked_suite in names:
        return True
    if asked_suite == "stable-proposed-updates":
        return "proposed-updates" in names
    head, _, tail = asked_suite.rpartition("/")
    return tail == "updates" and not names.isdisjoint({head, f"{head}-security"})


def _refuse_suite(release: Release, asked_suite: str, rules: Rules) -> Refused | None:
    if not rules.strict_suite or names_suite(release, asked_suite):
        return None
    return _wrong_suite(release, asked_suite)


def _wrong_suite(release: Release, asked_suite: str) -> Refused:
    return Refused(
        Reason.WRONG_SUITE,
        f"asked for suite {printable(asked_suite)}, but this Release says Suite {_said(release.suite)} and "
        f"Codename {_said(release.codename)}: the source, or somebody before it, mixes suites up; try another",
    )


def _refuse_future(release: Release, floor: int, rules: Rules) -> Refused | None:
    ahead_s = release.date - floor
    if ahead_s <= rules.future_skew_s:
        return None
    return Refused(
        Reason.FROM_THE_FUTURE,
        f"Date {utc(release.date)} is {ahead_s} s ahead of our clock, {rules.future_skew_s} s are allowed: "
        "check this machine's clock first, then the source",
    )


def _refuse_history(release: Release, digest: bytes, mark: Mark) -> Refused | None:
    if release.date < mark.date:
        return Refused(
            Reason.OLDER_THAN_ACCEPTED,
            f"Date {utc(release.date)} is older than {utc(mark.date)}, which was accepted before: the source "
            "is behind or plays an old state back; the newer one stays, try another source",
        )
    if release.date == mark.date and digest != mark.digest:
        return Refused(
            Reason.SPLIT_VIEW,
            f"two validly signed Releases carry the Date {utc(release.date)}: accepted {mark.digest.hex()[:16]}, "
            f"now offered {digest.hex()[:16]}; compare other sources and ask the archive's operator",
        )
    return None


def _refuse_expired(release: Release, floor: int) -> Refused | None:
    """A Release that was over before its own Date is over, too, though our clock has not got there."""
    floor = max(floor, release.date)
    if release.valid_until is None or release.valid_until >= floor:
        return None
    return Refused(
        Reason.EXPIRED,
        f"Valid-Until {utc(release.valid_until)} has passed (it is {utc(floor)}): the source stands still or this "
        "machine's clock is ahead; try another source",
    )


def _refuse_info_change(release: Release, mark: Mark, rules: Rules) -> Refused | None:
    change = _info_change(release, mark)
    return None if rules.accept_info_change else change


def _info_change(release: Release, mark: Mark) -> Refused | None:
    fields = (
        ("Origin", mark.origin, release.origin),
        ("Label", mark.label, release.label),
        ("Codename", mark.codename, release.codename),
    )
    changes = [f"{name} from {_said(old)} to {_said(new)}" for name, old, new in fields if old != new]
    if not changes:
        return None
    return Refused(
        Reason.INFO_CHANGED,
        f"the Release changed {', '.join(changes)}: another archive may answer here; if the change was "
        "announced, allow it (accept_info_change), as apt-get update --allow-releaseinfo-change does",
    )


def _alarms(
    release: Release, mark: Mark | None, signers: tuple[str, ...], *, asked_suite: str, now: int, rules: Rules
) -> tuple[Refused, ...]:
    """What is worth telling about a Release that is accepted all the same."""
    found: list[Refused | None] = [None if names_suite(release, asked_suite) else _wrong_suite(release, asked_suite)]
    if mark is not None:
        found += [
            _info_change(release, mark),
            _suite_change(release, mark),
            _signer_change(signers, mark),
            _clock_behind(mark, now, rules),
        ]
    return tuple(alarm for alarm in found if alarm is not None)


def _suite_change(release: Release, mark: Mark) -> Refused | None:
    """Alone it is only worth a notice, in apt as well: every new Debian turns testing into stable."""
    if release.suite == mark.suite:
        return None
    return Refused(
        Reason.INFO_CHANGED,
        f"the Release changed Suite from {_said(mark.suite)} to {_said(release.suite)}, as when a new version "
        "comes out; nothing to do if that was announced",
    )


def _signer_change(signers: tuple[str, ...], mark: Mark) -> Refused | None:
    if signers == mark.signers:
        return None
    added = sorted(set(signers) - set(mark.signers))
    gone = sorted(set(mark.signers) - set(signers))
    changes = [f"new {', '.join(added)}"] if added else []
    changes += [f"no longer {', '.join(gone)}"] if gone else []
    return Refused(
        Reason.SIGNERS_CHANGED,
        f"signed by other pinned keys than before: {'; '.join(changes)}; look for the vendor's announcement",
    )


def _clock_behind(mark: Mark, now: int, rules: Rules) -> Refused | None:
    if now + rules.future_skew_s >= mark.date:
        return None
    return Refused(
        Reason.CLOCK_BEHIND,
        f"this machine's clock says {utc(now)}, before the Date {utc(mark.date)} that was already accepted: "
        "set the clock; until then that Date counts as now",
    )


def _said(value: str | None) -> str:
    return "nothing" if value is None else repr(printable(value))
