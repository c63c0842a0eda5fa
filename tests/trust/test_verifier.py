"""Two verifiers in one: a yes needs both."""

import pytest

from tests.trust.conftest import RELEASE, Cast
from tidegate.trust.settings import TrustSettings
from tidegate.trust.verdict import Reason, Refused, Signed, Signer
from tidegate.trust.verifier import Both, Gpgv, Sequoia, agree, verifier_for

A, B = Signer("A", "A", 1), Signer("B", "B", 2)
NO = Refused(Reason.UNKNOWN_KEY, "who is that")
ALARM = Refused(Reason.WEAK_KEY, "weak")


def test_setting_decides_who_verifies() -> None:
    kinds = [
        type(verifier_for(TrustSettings(verifier=which)))
        for which in ("sequoia", "gpgv", "both")
    ]  # fmt: skip
    assert kinds == [Sequoia, Gpgv, Both]


def test_two_yeses_are_a_yes_by_the_signers_that_both_name() -> None:
    first, second = Signed(b"x", (A, B)), Signed(b"x", (B,), (ALARM,))
    assert agree(first, second) == Signed(b"x", (B,), (ALARM,))


def test_two_noes_are_the_first_no() -> None:
    assert agree(NO, ALARM) == NO


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Signed(b"x", (A,)), NO),
        (NO, Signed(b"x", (A,))),
        (Signed(b"x", (A,)), Signed(b"y", (A,))),
        (Signed(b"x", (A,)), Signed(b"x", (B,))),
    ],
)
def test_whatever_they_do_not_agree_on_is_refused(first: Signed | Refused, second: Signed | Refused) -> None:
    verdict = agree(first, second)
    assert isinstance(verdict, Refused)
    assert verdict.reason is Reason.VERIFIERS_DISAGREE


def test_key_held_together_by_sha1_is_taken_by_gpgv_alone(cast: Cast) -> None:
    raw = cast.clearsign(RELEASE, cast.bound_by_sha1, digest="SHA256")
    verdicts = {
        which: verifier_for(TrustSettings(verifier=which)).verify_inrelease(raw, cast.ring, cast.now)
        for which in ("sequoia", "gpgv", "both")
    }
    assert isinstance(verdicts["gpgv"], Signed)
    assert isinstance(verdicts["sequoia"], Refused)
    assert verdicts["sequoia"].reason is Reason.WEAK_KEY
    assert "gpgv" in verdicts["sequoia"].evidence
    assert isinstance(verdicts["both"], Refused)
    assert verdicts["both"].reason is Reason.VERIFIERS_DISAGREE
