"""Copy Fail and the 44 CVEs of rust-coreutils, from 30 April to 20 May 2026: each in its class at each moment."""

from dataclasses import replace

import pytest

from tests.fleet.incident import (
    COPY_FAIL,
    DAY_S,
    END,
    FIXED,
    KERNEL,
    KMOD,
    MITIGATED,
    NOTHING,
    OLD_KERNEL,
    UUTILS,
    Stock,
    copy_fail,
    day,
    host,
    image,
    judge,
    meta,
    module,
    moments,
    ordinary,
    package,
    stock,
)
from tidegate.fleet.inventory import Module
from tidegate.fleet.supply import Offer
from tidegate.fleet.verdict import Effect, Exposure

RELEASES = ("jammy", "noble", "questing")
RUST_COREUTILS = {"questing": "0.2.2-0ubuntu2.1", "resolute": "0.8.0-0ubuntu3"}


@pytest.mark.parametrize("release", RELEASES)
def test_copy_fail_on_a_host_that_does_nothing_is_in_the_right_class_at_each_moment(release: str) -> None:
    for when in moments():
        april = ordinary(release, when)
        expected = {
            "outage": Exposure.NOT_HELD if when >= FIXED else Exposure.MITIGATION_ONLY,
            "held": Exposure.FIXABLE if when >= FIXED else Exposure.MITIGATION_ONLY,
        }
        for name, supply in (("outage", stock(release, can=False)), ("held", stock(release, can=True))):
            verdict = judge(april, when, supply)
            found = copy_fail(verdict)
            assert found is not None
            assert not verdict.clean
            if when < MITIGATED:
                assert (found.exposure, found.mitigations) == (Exposure.NO_FIX, ()), when
                continue
            assert found.exposure is expected[name], (name, when)
            (mitigation,) = found.mitigations
            assert (mitigation.notice, mitigation.version) == ("USN-8226-1", KMOD[release])
            assert (mitigation.effect, mitigation.obtainable) == (Effect.NOT_APPLIED, name == "held")


@pytest.mark.parametrize("release", RELEASES)
def test_with_kmods_update_copy_fail_is_mitigated_until_the_kernel_is_there(release: str) -> None:
    for when in moments():
        if when < MITIGATED:
            continue
        updated = ordinary(release, when, kmod=KMOD[release], modules=[module(blocked=True)])
        found = copy_fail(judge(updated, when, NOTHING))
        assert found is not None
        assert found.exposure is (Exposure.NOT_HELD if when >= FIXED else Exposure.MITIGATION_ONLY)
        assert [one.effect for one in found.mitigations] == [Effect.EFFECTIVE]


@pytest.mark.parametrize("release", RELEASES)
def test_with_the_fixed_kernel_on_disk_a_restart_is_pending_and_then_it_is_over(release: str) -> None:
    for when in (moment for moment in moments() if moment >= FIXED):
        both = (OLD_KERNEL[release], KERNEL[release])
        waiting = judge(ordinary(release, when, kernels=both, runs=both[0]), when)
        found = copy_fail(waiting)
        assert found is not None
        assert (found.exposure, found.version, found.fixed) == (Exposure.NOT_RUNNING, *both)
        assert "restart" in found.reason
        assert not waiting.clean
        restarted = judge(ordinary(release, when, kernels=both), when)
        assert restarted.findings == ()
        assert restarted.clean
        # The old one is still there, and somebody could start it.
        assert [(one.about, one.version) for one in restarted.dormant] == [(COPY_FAIL, both[0])]


def test_resolute_never_had_copy_fail() -> None:
    for when in moments():
        packages = (image(KERNEL["resolute"]), meta(), package("kmod", "34.2-2ubuntu4"))
        verdict = judge(host("resolute", *packages, runs=KERNEL["resolute"], taken_at=when), when)
        assert verdict.findings == ()
        assert verdict.clean


@pytest.mark.parametrize("release", sorted(RUST_COREUTILS))
def test_no_cve_of_rust_coreutils_was_ever_kept_from_anybody_by_the_outage(release: str) -> None:
    runs = KERNEL[release]
    for when in moments():
        version = RUST_COREUTILS[release]
        coreutils = package("rust-coreutils", version)
        offer = Offer("rust-coreutils", "amd64", version, version, obtainable=False)
        for supply in (NOTHING, Stock({(release, "rust-coreutils"): (offer,)})):
            verdict = judge(host(release, coreutils, image(runs), runs=runs, taken_at=when), when, supply)
            found = {one.about: one.exposure for one in verdict.findings if one.package == "rust-coreutils"}
            assert found == dict.fromkeys(UUTILS[release], Exposure.NO_FIX)


@pytest.mark.parametrize(
    ("modules", "effect", "why"),
    [
        ([module(blocked=True)], Effect.EFFECTIVE, "refuses to load"),
        ([module(loadable=False)], Effect.EFFECTIVE, "has no algif_aead"),
        ([module(blocked=True, loaded=True)], Effect.NOT_EFFECTIVE, "unload it, or restart"),
        ([module(blocked=True, built_in=True)], Effect.NOT_EFFECTIVE, "built into the kernel"),
        ([module(blocked=False)], Effect.NOT_EFFECTIVE, "modprobe would load"),
        ([module(blocked=True, built_in=None)], Effect.UNKNOWN, "does not say"),
        ([], Effect.UNKNOWN, "says nothing about the modules"),
        ([Module("nf_tables", loaded=True)], Effect.UNKNOWN, "says nothing about the modules"),
    ],
)
def test_whether_kmods_update_helps_is_judged_by_what_the_host_says_of_the_module(
    modules: list[Module], effect: Effect, why: str
) -> None:
    when = day("05-02")
    found = copy_fail(judge(ordinary("noble", when, kmod=KMOD["noble"], modules=modules), when))
    assert found is not None
    assert found.exposure is Exposure.MITIGATION_ONLY
    assert [one.effect for one in found.mitigations] == [effect]
    assert why in found.mitigations[0].reason


def test_a_rule_of_ones_own_helps_as_much_as_kmods_update() -> None:
    when = day("05-02")
    found = copy_fail(judge(ordinary("noble", when, modules=[module(blocked=True)]), when))
    assert found is not None
    assert [one.effect for one in found.mitigations] == [Effect.EFFECTIVE]


def test_what_was_known_on_1_may_is_answered_so_on_20_may() -> None:
    then = day("05-01")
    april = ordinary("noble", then)
    before = judge(april, then)
    assert judge(april, then) == before
    assert (before.at, before.findings[0].exposure) == (then, Exposure.MITIGATION_ONLY)
    later = judge(replace(april, taken_at=END - DAY_S), END - DAY_S)
    assert later.findings[0].exposure is Exposure.NOT_HELD


def test_a_feed_21_months_old_says_unknown_and_never_clean() -> None:
    late = END + 21 * 30 * DAY_S
    fixed = ordinary("noble", late, kernels=[KERNEL["noble"]])
    verdict = judge(fixed, late)
    assert (verdict.findings, verdict.clean) == ((), False)
    assert verdict.unknown_since == verdict.feed_at
    assert END - 2 * DAY_S < (verdict.unknown_since or 0) < END
    april = judge(ordinary("noble", late), late, stock("noble", can=True))
    assert {one.exposure for one in april.findings} == {Exposure.UNKNOWN}
    assert {one.last_known for one in april.findings} == {Exposure.FIXABLE}


def test_a_host_that_stopped_reporting_is_unknown_since_it_did() -> None:
    reported, now = day("05-10"), day("05-20")
    verdict = judge(ordinary("noble", reported, kernels=[KERNEL["noble"]]), now)
    assert (verdict.unknown_since, verdict.clean) == (reported, False)
    assert verdict.why == ("the host last reported 10 days ago",)
