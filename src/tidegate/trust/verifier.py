"""Who verifies, by the setting `trust.verifier`: Sequoia in process, gpgv, or both, where both must say yes."""

from dataclasses import dataclass
from typing import Protocol, assert_never

from tidegate.trust import gpgv, openpgp
from tidegate.trust.keyring import Keyring
from tidegate.trust.settings import DEFAULTS, TrustSettings
from tidegate.trust.verdict import Reason, Refused, Signed


class Verifier(Protocol):
    """Bytes, pinned keys and a time in, a verdict out. Never raises for whatever the bytes are."""

    def verify_inrelease(self, raw: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        """Of an InRelease."""
        ...

    def verify_detached(self, release: bytes, signature: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        """Of a Release and its Release.gpg."""
        ...


@dataclass(frozen=True, slots=True)
class Sequoia:
    """In process: about 2 ms, and the interpreter is held for as long."""

    settings: TrustSettings = DEFAULTS

    def verify_inrelease(self, raw: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return openpgp.verify_inrelease(raw, keyring, now, self.settings)

    def verify_detached(self, release: bytes, signature: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return openpgp.verify_detached(release, signature, keyring, now, self.settings)


@dataclass(frozen=True, slots=True)
class Gpgv:
    """A process for each file: blocks, so it belongs into a thread."""

    settings: TrustSettings = DEFAULTS

    def verify_inrelease(self, raw: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return gpgv.verify_inrelease(raw, keyring, now, self.settings)

    def verify_detached(self, release: bytes, signature: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return gpgv.verify_detached(release, signature, keyring, now, self.settings)


@dataclass(frozen=True, slots=True)
class Both:
    """Two yeses, about the same text and with a signer in common, are one yes."""

    first: Verifier
    second: Verifier

    def verify_inrelease(self, raw: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return agree(self.first.verify_inrelease(raw, keyring, now), self.second.verify_inrelease(raw, keyring, now))

    def verify_detached(self, release: bytes, signature: bytes, keyring: Keyring, now: int) -> Signed | Refused:
        return agree(
            self.first.verify_detached(release, signature, keyring, now),
            self.second.verify_detached(release, signature, keyring, now),
        )


def verifier_for(settings: TrustSettings = DEFAULTS) -> Verifier:
    """The verifier that the settings ask for."""
    match settings.verifier:
        case "sequoia":
            return Sequoia(settings)
        case "gpgv":
            return Gpgv(settings)
        case "both":
            return Both(Sequoia(settings), Gpgv(settings))
        case never:
            assert_never(never)


def agree(first: Signed | Refused, second: Signed | Refused) -> Signed | Refused:
    """One verdict of two. Two noes are the first's no; a yes and a no disagree, which is worth an alarm."""
    if isinstance(first, Refused):
        return first if isinstance(second, Refused) else _disagree("the first refuses", first)
    if isinstance(second, Refused):
        return _disagree("the second refuses", second)
    vouched = {signer.fingerprint for signer in second.signers}
    common = tuple(signer for signer in first.signers if signer.fingerprint in vouched)
    if first.release != second.release or not common:
        return Refused(
            Reason.VERIFIERS_DISAGREE,
            "Sequoia and gpgv accept different texts or signers in one file: try another source and report it",
        )
    return Signed(first.release, common, tuple(dict.fromkeys((*first.alarms, *second.alarms))))


def _disagree(who: str, refused: Refused) -> Refused:
    return Refused(
        Reason.VERIFIERS_DISAGREE,
        f"of two verifiers {who} ({refused.reason}: {refused.evidence}) and the other accepts",
    )
