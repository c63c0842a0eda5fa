"""Whose word holds for a host, what its kernels are, what can be had, and what is not known."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.advisories.samples import NOON, provenance
from tests.fleet.incident import DAY_S, NOTHING, Stock, host, image, meta, package, uname
from tidegate.advisories.feeds import FEEDS
from tidegate.advisories.memory_history import MemoryHistory
from tidegate.advisories.statement import Piece, Status
from tidegate.advisories.taking_in import take_in
from tidegate.archive.versions import compare
from tidegate.fleet.exposure import verdict
from tidegate.fleet.inventory import Form, Host, Inventory, Package, Suite
from tidegate.fleet.knowledge import known_of
from tidegate.fleet.supply import Offer
from tidegate.fleet.verdict import Exposure, Finding, Verdict

CVE = "CVE-2026-0001"
RUNS = "6.8.0-110.110"


def feed(*lines: str, cve: str = CVE, at: int = NOON, into: MemoryHistory | None = None) -> MemoryHistory:
    """The tracker with one CVE's lines, taken in whole."""
    history = into or MemoryHistory()
    data = "\n".join([f"Candidate: {cve}", *lines]).encode()
    take_in(history, FEEDS["ubuntu-tracker"], [Piece(f"active/{cve}", data)], provenance("ubuntu-tracker", at))
    return history


def record(package: str, fixed: str | None, *, introduced: str = "0") -> dict[str, Any]:
    """Ubuntu's OSV record of the CVE, about one package of noble."""
    events = [{"introduced": introduced}] + ([{"fixed": fixed}] if fixed else [])
    place = {
        "ecosystem": "Ubuntu:24.04:LTS",
        "name": package,
        "purl": f"pkg:deb/ubuntu/{package}@1?arch=source&distro=noble",
    }
    return {
        "id": f"UBUNTU-{CVE}",
        "modified": "2026-04-01T00:00:00Z",
        "affected": [{"package": place, "ranges": [{"type": "ECOSYSTEM", "events": events}]}],
    }


def notice(identity: str, package: str, fixed: str, details: str) -> dict[str, Any]:
    """A notice that names the CVE and an update of one package of noble."""
    return record(package, fixed) | {"id": identity, "upstream": [f"UBUNTU-{CVE}"], "details": details}


def osv(*records: dict[str, Any], at: int = NOON, into: MemoryHistory) -> MemoryHistory:
    """Ubuntu's OSV with these records."""
    pieces = [Piece(f"osv/{one['id']}.json", json.dumps(one).encode()) for one in records]
    assert take_in(into, FEEDS["ubuntu-osv"], pieces, provenance("ubuntu-osv", at)).problems == ()
    return into


def judged(history: MemoryHistory, inventory: Inventory, supply: Stock = NOTHING, *, now: int = NOON) -> Verdict:
    return verdict(inventory, known_of(history, "ubuntu", inventory.host.release, now), supply, now)


def only(found: Verdict) -> Finding:
    (finding,) = found.findings
    return finding


def noble(*packages: Any, **more: Any) -> Inventory:
    """A host of noble; a container, unless it is said what runs."""
    given = dict[str, Any](runs="", taken_at=NOON) | more
    return host("noble", *packages, **given)


def offered(binary: str, version: str, *, source: str = "", can: bool = True, pocket: str = "") -> Stock:
    offer = Offer(binary, "amd64", version, version, can, pocket)
    return Stock({("noble", source or binary): (offer,)})


# Whose word holds.


def test_what_nobody_has_triaged_is_shown_apart_and_is_no_exposure() -> None:
    found = judged(feed("noble_bash: needs-triage"), noble(package("bash", "5.2")))
    assert [(one.about, one.package, one.status) for one in found.untriaged] == [(CVE, "bash", Status.NEEDS_TRIAGE)]
    assert found.findings == ()
    assert found.clean


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("needed", "a fix is needed"),
        ("pending (5.3)", "was not published yet (5.3)"),
        ("deferred (2026-05-01)", "put the fix off: 2026-05-01"),
        ("ignored (end of life)", "will not fix it here: end of life"),
    ],
)
def test_where_there_is_no_fix_it_is_said_why(said: str, why: str) -> None:
    found = only(judged(feed(f"noble_bash: {said}"), noble(package("bash", "5.2")), offered("bash", "5.3", can=False)))
    assert (found.exposure, found.fixed) == (Exposure.NO_FIX, None)
    assert why in found.reason


def test_a_fix_counts_for_the_source_and_not_for_the_binarys_own_version() -> None:
    history = feed("noble_shadow: released (1:4.13-1)")
    old = Package("login", "amd64", "9:9", "shadow", "1:4.12-1", held=True)
    found = only(judged(history, noble(old), offered("login", "1:4.13-1", source="shadow")))
    assert (found.exposure, found.version, found.binaries) == (Exposure.FIXABLE, "1:4.12-1", ("login",))
    assert found.held_back
    assert "holds it back" in found.reason


def test_a_half_done_update_is_open_by_the_binaries_that_are_old_and_all_of_them_have_to_be_had() -> None:
    history = feed("noble_openssl: released (3.0.13-2)")
    half = [
        package("openssl", "3.0.13-2", "openssl"),
        package("libssl3", "3.0.13-1", "openssl"),
        package("libssl-dev", "3.0.13-1", "openssl"),
    ]
    found = only(judged(history, noble(*half), offered("libssl3", "3.0.13-2", source="openssl")))
    assert (found.exposure, found.binaries) == (Exposure.NOT_HELD, ("libssl-dev", "libssl3"))
    assert "lists libssl-dev" in found.reason


def test_the_newest_word_of_several_feeds_holds_also_where_a_fix_is_taken_back() -> None:
    inventory = noble(package("bash", "5.3"))
    history = feed("noble_bash: released (5.3)", at=NOON - 7200)
    osv(record("bash", "5.3"), at=NOON - 7200, into=history)
    assert judged(history, inventory).clean
    feed("noble_bash: needed", at=NOON - 60, into=history)
    assert only(judged(history, inventory)).exposure is Exposure.NO_FIX
    assert judged(history, inventory, now=NOON - 61).clean


def test_affected_says_less_than_needs_triage_which_the_same_vendor_means_by_it() -> None:
    history = feed("noble_bash: needs-triage", at=NOON - 60)
    osv(record("bash", None), into=history)
    found = judged(history, noble(package("bash", "5.2")))
    assert (len(found.untriaged), found.findings) == (1, ())


def test_what_is_older_than_the_fault_has_it_not() -> None:
    history = osv(record("bash", "5.3", introduced="5.2"), into=MemoryHistory())
    assert judged(history, noble(package("bash", "5.1"))).clean
    assert only(judged(history, noble(package("bash", "5.2")))).fixed == "5.3"


def test_what_is_listed_for_another_architecture_or_in_a_pocket_that_is_not_enabled_cannot_be_had() -> None:
    history = feed("noble_bash: released (5.3)")

    def of(architecture: str, pocket: str) -> Exposure:
        offer = Offer("bash", architecture, "5.3", "5.3", obtainable=True, pocket=pocket)
        return only(judged(history, noble(package("bash", "5.2")), Stock({("noble", "bash"): (offer,)}))).exposure

    assert of("amd64", "") is Exposure.FIXABLE
    assert of("all", "") is Exposure.FIXABLE
    assert of("arm64", "") is Exposure.NOT_HELD
    assert of("amd64", "esm-infra") is Exposure.NOT_HELD


# Pockets.

ESM = ("noble_bash: ignored (end of standard support)", "esm-infra/noble_bash: released (5.2-1ubuntu1+esm1)")


@pytest.mark.parametrize(
    ("version", "pockets", "exposure"),
    [
        ("5.2-1", ["infra"], Exposure.FIXABLE),
        ("5.2-1", [], Exposure.NO_FIX),
        ("5.2-1", ["apps"], Exposure.NO_FIX),
        ("5.2-1", None, Exposure.NO_FIX),
        ("5.2-1ubuntu1+esm1", [], None),
        ("5.2-1ubuntu1+esm1", None, None),
    ],
)
def test_a_fix_in_esm_is_one_for_hosts_that_have_it(
    version: str, pockets: Sequence[str] | None, exposure: Exposure | None
) -> None:
    supply = offered("bash", "5.2-1ubuntu1+esm1", pocket="esm-infra")
    found = judged(feed(*ESM), noble(package("bash", version), pockets=pockets), supply)
    assert [one.exposure for one in found.findings] == ([exposure] if exposure else [])
    if exposure is Exposure.NO_FIX:
        assert "for hosts with esm-infra" in found.findings[0].reason


@pytest.mark.parametrize(
    ("version", "pockets", "is_open"),
    [
        ("8:6.9-1.3ubuntu0.22.04.5", [], True),
        ("8:6.9-1.3ubuntu0.22.04.5", None, True),
        ("8:6.9-1.3ubuntu0.22.04.3+esm1", [], False),
        ("8:6.9-1.3ubuntu0.22.04.5+esm1", None, False),
        ("8:6.9-1.3ubuntu0.22.04.5", ["apps"], False),
    ],
)
def test_an_update_for_all_that_is_higher_than_esms_does_not_have_its_fix(
    version: str, pockets: Sequence[str] | None, is_open: bool
) -> None:
    """imagemagick of jammy and CVE-2021-20241; Trivy, with the same data, found it and we did not."""
    history = feed("noble_imagemagick: needed", "esm-apps/noble_imagemagick: released (8:6.9-1.3ubuntu0.22.04.3+esm1)")
    told = noble(package("imagemagick", version), pockets=pockets)
    assert bool(judged(history, told).findings) is is_open


def test_trustys_esm_is_esm_infra_and_its_legacy_goes_on_where_that_ends() -> None:
    def of(*pockets: str) -> Finding:
        old = host("trusty", package("bash", "4.3"), runs="", taken_at=NOON, pockets=pockets)
        history = feed(
            "trusty_bash: ignored (out of standard support)",
            "trusty/esm_bash: needed",
            "esm-infra-legacy/trusty_bash: released (4.3+esm9)",
        )
        return only(judged(history, old))

    assert of().status is Status.IGNORED
    assert (of("infra").status, of("infra").pocket) == (Status.NEEDED, "esm-infra")
    assert (of("infra", "infra-legacy").fixed, of("infra", "infra-legacy").pocket) == ("4.3+esm9", "esm-infra-legacy")
    trusty = host("trusty", package("zlib1g", "1", "zlib"), runs="", taken_at=NOON, pockets=["infra"])
    offers = (Offer("zlib1g", "amd64", "1+esm1", "1+esm1", obtainable=True, pocket="esm-infra"),)
    found = judged(feed("trusty/esm_zlib: released (1+esm1)"), trusty, Stock({("trusty", "zlib"): offers}))
    assert only(found).exposure is Exposure.FIXABLE


def test_a_fips_package_is_judged_by_its_own_line_of_versions() -> None:
    history = feed("noble_openssl: released (3.0.13-5)", "fips-updates/noble_openssl: released (3.0.13-0ubuntu3+Fips2)")
    suites = frozenset({Suite("UbuntuFIPSUpdates", "noble-updates")})

    def of(version: str) -> tuple[str | None, ...]:
        inventory = noble(package("openssl", version))
        made = Host("web-1", "", "ubuntu", "noble", uname(RUNS), suites=suites)
        found = judged(history, Inventory(made, inventory.packages, NOON, inventory.form))
        return tuple(one.fixed for one in found.findings)

    assert of("3.0.13-0ubuntu3+Fips1") == ("3.0.13-0ubuntu3+Fips2",)
    assert of("3.0.13-0ubuntu3+Fips2") == ()
    assert of("3.0.13-4") == ("3.0.13-5",)


# Kernels.


def test_each_flavour_is_judged_by_its_own_source() -> None:
    history = feed("noble_linux: released (6.8.0-117.117)", "noble_linux-aws: released (6.8.0-1055.58)")
    aws = image("6.8.0-1050.52", "linux-signed-aws", "aws")
    generic = image("6.8.0-2000.2000")
    inventory = host("noble", aws, generic, meta("aws"), runs="6.8.0-1050-aws", taken_at=NOON)
    found = only(judged(history, inventory))
    # A fixed kernel of another flavour is no reason to restart: it is not the one that starts.
    assert (found.package, found.exposure, found.fixed) == ("linux-aws", Exposure.NOT_HELD, "6.8.0-1055.58")
    offers = tuple(
        Offer(f"linux-image-6.8.0-1055-{flavour}", "amd64", "6.8.0-1055.58", "6.8.0-1055.58", can)
        for flavour, can in (("aws", True), ("aws-64k", False))
    )
    assert only(judged(history, inventory, Stock({("noble", "linux-signed-aws"): offers}))).exposure is Exposure.FIXABLE


def test_a_newer_kernel_of_the_same_flavour_from_another_source_waits_for_a_restart_too() -> None:
    history = feed(
        "noble_linux-hwe-6.14: ignored (superseded)", "noble_linux-hwe-6.17: released (6.17.0-29.29~24.04.1)"
    )
    old = image("6.14.0-37.37~24.04.1", "linux-signed-hwe-6.14")
    new = image("6.17.0-29.29~24.04.1", "linux-signed-hwe-6.17")
    found = only(judged(history, host("noble", old, new, runs="6.14.0-37-generic", taken_at=NOON)))
    assert (found.exposure, found.package) == (Exposure.NOT_RUNNING, "linux-hwe-6.14")
    assert "6.17.0-29-generic is installed" in found.reason


def test_an_older_kernel_without_the_fault_is_not_what_a_restart_brings() -> None:
    history = feed("noble_linux: not-affected (introduced later)", "noble_linux-hwe-6.17: needed")
    new = image("6.17.0-20.20~24.04.1", "linux-signed-hwe-6.17")
    found = only(judged(history, noble(image(RUNS), new, runs="6.17.0-20-generic")))
    assert (found.exposure, found.package) == (Exposure.NO_FIX, "linux-hwe-6.17")


def test_headers_and_libraries_of_the_kernels_source_run_nowhere() -> None:
    history = feed("noble_linux: released (6.8.0-117.117)")
    parts = [
        package("linux-libc-dev", "6.8.0-110.110", "linux"),
        package("linux-headers-6.8.0-110-generic", "6.8.0-110.110", "linux"),
        package("linux-tools-common", "6.8.0-110.110", "linux"),
    ]
    assert judged(history, host("noble", *parts, runs="", taken_at=NOON)).clean


def test_without_a_meta_package_an_upgrade_brings_no_kernel_and_this_is_said() -> None:
    history = feed("noble_linux: released (6.8.0-117.117)")
    bare = host("noble", image(RUNS), runs=RUNS, taken_at=NOON)
    assert "no meta package" in only(judged(history, bare)).reason
    followed = noble(image(RUNS), meta(), runs=RUNS)
    assert "no meta package" not in only(judged(history, followed)).reason
    held = package("linux-image-generic", "6.8.0.110.110", "linux-meta", held=True)
    assert only(judged(history, noble(image(RUNS), held, runs=RUNS))).held_back
    assert not only(judged(history, followed)).held_back


def test_a_kernel_that_is_no_packages_is_not_judged_and_the_host_is_not_clean() -> None:
    history = feed("noble_linux: released (6.8.0-117.117)")
    found = judged(history, noble(image(RUNS), meta(), runs="6.18.44-custom-1"))
    assert "6.18.44-custom-1 runs, and no package" in found.gaps[0]
    assert (only(found).exposure, only(found).last_known) == (Exposure.UNKNOWN, Exposure.NOT_HELD)
    elsewhere = host("noble", image("6.9.0-1.1", "linux-mainline"), runs="6.9.0-1.1", taken_at=NOON)
    found = judged(history, elsewhere)
    assert (found.findings, found.clean) == ((), False)
    assert found.gaps == ("no feed says anything about linux-mainline, whose 6.9.0-1-generic runs",)


# What is not known.


@pytest.mark.parametrize(
    ("version", "origin", "who"),
    [
        ("22.1.0-1nodesource1", "", "nodesource"),
        ("18.0-1~ppa2", "", "ppa"),
        ("18.0-1", "Example Corp", "Example Corp"),
        ("18.0-1kappa2", "", ""),
        ("18.0-1", "Ubuntu", ""),
    ],
)
def test_of_a_third_partys_package_the_vendors_statements_say_nothing(version: str, origin: str, who: str) -> None:
    history = feed("noble_nodejs: released (18.1)")
    found = only(judged(history, noble(package("nodejs", version, origin=origin))))
    assert (found.exposure is Exposure.UNKNOWN, who in found.reason) == (bool(who), True)


def test_a_record_that_cannot_be_read_any_more_makes_its_packages_unknown_and_no_others() -> None:
    history = feed("noble_bash: released (5.3)", at=NOON - 7200)
    broken = Piece(f"active/{CVE}", b"Candidate: " + CVE.encode() + b"\nnoble_bash: maybe")
    other = Piece("active/CVE-2026-0002", b"Candidate: CVE-2026-0002\nnoble_zlib: needed")
    third = Piece("active/CVE-2026-0003", b"nonsense")
    pieces = [broken, other, third]
    take_in(history, FEEDS["ubuntu-tracker"], pieces, provenance("ubuntu-tracker", NOON - 60))
    found = judged(history, noble(package("bash", "5.3"), package("zlib1g", "1", "zlib")))
    assert {one.package: (one.exposure, one.since) for one in found.findings} == {
        "bash": (Exposure.UNKNOWN, NOON - 60),
        "zlib": (Exposure.NO_FIX, NOON - 60),
    }
    (gap,) = found.gaps
    assert "CVE-2026-0003" in gap
    assert not found.clean


def test_what_another_feed_of_the_vendor_says_is_known_though_one_cannot_be_read() -> None:
    history = feed("noble_bash: released (5.3)", at=NOON - 7200)
    osv(record("bash", "5.3"), into=history)
    broken = Piece(f"active/{CVE}", b"Candidate: " + CVE.encode() + b"\nnoble_bash: maybe")
    other = Piece("active/CVE-2026-0002", b"Candidate: CVE-2026-0002\nnoble_zlib: needed")
    take_in(history, FEEDS["ubuntu-tracker"], [broken, other], provenance("ubuntu-tracker", NOON - 60))
    assert judged(history, noble(package("bash", "5.3"))).clean


def test_one_fresh_record_makes_no_old_feed_young() -> None:
    history = feed("noble_bash: released (5.3)", at=NOON - 30 * DAY_S)
    piece = Piece("active/CVE-2026-0002", b"Candidate: CVE-2026-0002\nnoble_zlib: needed")
    take_in(history, FEEDS["ubuntu-tracker"], [piece], provenance("ubuntu-tracker", NOON), whole=False)
    found = judged(history, noble(package("bash", "5.3")))
    assert (found.unknown_since, found.clean) == (NOON - 30 * DAY_S, False)


def test_a_feed_that_is_fetched_every_day_and_stands_still_is_old_all_the_same() -> None:
    history = feed("noble_bash: released (5.3)", at=NOON - 30 * DAY_S)
    history.confirm(provenance("ubuntu-tracker", NOON))
    found = judged(history, noble(package("bash", "5.3")))
    assert found.unknown_since == NOON - 30 * DAY_S - 60
    assert not found.clean


@pytest.mark.parametrize(("distribution", "release"), [("ubuntu", "zesty"), ("linuxmint", "zena")])
def test_of_a_release_or_a_distribution_that_no_feed_speaks_of_nothing_is_known(
    distribution: str, release: str
) -> None:
    made = noble(package("bash", "1"))
    other = Host("web-1", "", distribution, release)
    inventory = Inventory(other, made.packages[:1], NOON, made.form)
    knowledge = known_of(feed("noble_bash: needed"), distribution, release, NOON)
    found = verdict(inventory, knowledge, NOTHING, NOON)
    assert (found.unknown_since, found.findings, found.clean) == (0, (), False)


def test_knowledge_of_another_release_is_a_mistake_and_no_answer() -> None:
    with pytest.raises(ValueError, match="knowledge of jammy for a host of noble"):
        verdict(
            noble(package("bash", "1")), known_of(feed("noble_bash: needed"), "ubuntu", "jammy", NOON), NOTHING, NOON
        )


MITIGATES = "This update mitigates the issue until kernel updates are there."


def test_a_live_patch_is_no_version_to_install() -> None:
    history = feed("noble_linux: needed")
    osv(notice("LSN-0108-1", "linux-aws", "6.8.0-1.1", MITIGATES), into=history)
    found = only(judged(history, noble(image(RUNS), meta(), runs=RUNS)))
    assert (found.about, found.exposure, found.mitigations) == (CVE, Exposure.NO_FIX, ())


@pytest.mark.parametrize(
    ("package_of_notice", "details", "mitigated"),
    [
        ("kmod", MITIGATES, True),
        ("kmod", "Several issues were fixed.", False),
        ("linux", MITIGATES, False),
    ],
)
def test_only_an_update_of_another_package_that_says_so_is_a_mitigation(
    package_of_notice: str, details: str, mitigated: bool
) -> None:
    history = feed("noble_linux: needed")
    osv(notice("USN-1-1", package_of_notice, "7", details), into=history)
    found = only(judged(history, noble(image(RUNS), meta(), runs=RUNS)))
    assert found.exposure is (Exposure.MITIGATION_ONLY if mitigated else Exposure.NO_FIX)


def test_debians_kernel_is_judged_by_its_binarys_version_and_not_by_that_of_its_signatures() -> None:
    history = MemoryHistory()
    said = {"releases": {"bookworm": {"status": "resolved", "fixed_version": "6.1.119-1", "urgency": "low"}}}
    piece = Piece(f"linux/{CVE}", json.dumps(said).encode())
    take_in(history, FEEDS["debian-tracker"], [piece], provenance("debian-tracker", NOON))

    def of(runs: str, *versions: str) -> Verdict:
        kernels = [
            Package(f"linux-image-6.1.0-{abi}-amd64", "amd64", version, "linux-signed-amd64", f"{version[:-2]}+1")
            for abi, version in zip(("27", "28"), versions, strict=False)
        ]
        latest = Package("linux-image-amd64", "amd64", versions[-1], "linux-signed-amd64", "6.1+1")
        inventory = Inventory(Host("db-1", "", "debian", "bookworm", runs), (*kernels, latest), NOON, Form.REPORT)
        offer = Offer("linux-image-6.1.0-28-amd64", "amd64", "6.1.119-1", "6.1.119+1", obtainable=True)
        supply = Stock({("bookworm", "linux-signed-amd64"): (offer,)})
        return verdict(inventory, known_of(history, "debian", "bookworm", NOON), supply, NOON)

    found = only(of("6.1.0-27-amd64", "6.1.115-1"))
    assert (found.package, found.exposure, found.reason) == ("linux", Exposure.FIXABLE, "6.1.119-1 can be had")
    assert only(of("6.1.0-27-amd64", "6.1.115-1", "6.1.119-1")).exposure is Exposure.NOT_RUNNING
    assert of("6.1.0-28-amd64", "6.1.115-1", "6.1.119-1").clean


# Whatever is said.

VERSIONS = st.sampled_from(["1", "2", "2+esm1", "3~rc1", "3"])
LINES = st.builds(
    "{}noble_{}: {}".format,
    st.sampled_from(["", "esm-infra/", "esm-apps/", "fips/"]),
    st.sampled_from(["bash", "zlib"]),
    st.one_of(
        st.sampled_from(["needs-triage", "needed", "pending", "deferred", "ignored (no)", "not-affected", "DNE"]),
        st.builds("released ({})".format, VERSIONS),
        st.builds("pending ({})".format, VERSIONS),
    ),
)


@given(
    st.lists(LINES, max_size=6, unique_by=lambda line: line.partition(":")[0]),
    VERSIONS,
    st.sampled_from([None, (), ("infra",), ("infra", "apps")]),
    st.booleans(),
    st.integers(0, 10),
)
def test_only_what_was_published_for_a_host_is_fixable_or_kept_from_it(
    lines: list[str], version: str, pockets: Sequence[str] | None, can: bool, days: int
) -> None:
    inventory = noble(package("bash", version), package("zlib", version), pockets=pockets)
    supply = Stock({("noble", name): (Offer(name, "amd64", "3", "3", can),) for name in ("bash", "zlib")})
    knowledge = known_of(feed(*lines), "ubuntu", "noble", NOON + days * DAY_S)
    found = verdict(inventory, knowledge, supply, NOON + days * DAY_S)
    released = {line for line in lines if "released" in line}
    for one in found.findings:
        was = one.last_known or one.exposure
        if was in (Exposure.FIXABLE, Exposure.NOT_HELD):
            assert any(f"_{one.package}: released ({one.fixed})" in line for line in released)
            assert compare(version, one.fixed or "") < 0
            assert (was is Exposure.FIXABLE) is can
            assert one.pocket in {"", *(f"esm-{name}" for name in pockets or ())} or pockets is None
        else:
            assert was is Exposure.NO_FIX
        assert (one.exposure is Exposure.UNKNOWN) is (days > 2)
    assert found.clean is (days <= 2 and bool(knowledge.said) and not found.findings)
