"""Whether an archive's keys load, and how long they are good."""

from tidegate.cli.render import span
from tidegate.cli.reports import CheckReport
from tidegate.config import keyring_of
from tidegate.sources.settings import ArchiveSettings
from tidegate.trust.certificate import Certificate
from tidegate.trust.keyring import Keyring
from tidegate.trust.verdict import utc

SOON_S = 30 * 86_400
_RENEW = "Install the vendor's newer keyring package, or ask the vendor; an archive is never asked for its key."


def check_keys(archive: ArchiveSettings, now: int) -> CheckReport:
    """The keyring that `archive` goes by, at `now`."""
    return judge_keys(archive.name, keyring_of(archive), now)


def judge_keys(name: str, ring: Keyring, now: int) -> CheckReport:
    """Bad: nothing could sign. Warn: part of the keyring is unusable, or the last key ends soon."""
    title = f"keys of {name}"
    problems = "; ".join(problem.evidence for problem in ring.problems)
    if not ring.certificates:
        saw = problems or "none is known, so all that it publishes is refused"
        return CheckReport(name=title, state="bad", saw=saw, todo="Give archive.keyring, or Signed-By in the source.")
    ends = [end for certificate in ring.certificates if (end := _good_until(certificate, now)) is not None]
    if not ends:
        return CheckReport(
            name=title, state="bad", saw=f"all of {_count(ring)} have expired or are revoked", todo=_RENEW
        )
    last = max(ends)
    if last - now < SOON_S:
        saw = f"the last good key expires in {span(last - now)}, {utc(int(last))}"
        return CheckReport(name=title, state="warn", saw=saw, todo=_RENEW)
    if problems:
        return CheckReport(name=title, state="warn", saw=f"{len(ends)} good; {problems}", todo="See to that file.")
    return CheckReport(name=title, state="ok", saw=f"{len(ends)} good of {_count(ring)}")


def _good_until(certificate: Certificate, now: int) -> float | None:
    """When the last of its signing keys ends (infinity: never); None where none is good now."""
    good = [key for key in certificate.keys if key.may_sign and not key.revoked and (key.expires or now + 1) > now]
    return max((float("inf") if key.expires is None else key.expires for key in good), default=None)


def _count(ring: Keyring) -> str:
    count = len(ring.certificates)
    return f"{count} certificate{'' if count == 1 else 's'}"
