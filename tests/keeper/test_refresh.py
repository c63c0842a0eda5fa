"""Refresh and adoption against a real signed archive: what is adopted, confirmed, refused, and what stays served."""

import asyncio
import shutil
from pathlib import Path

import pytest

from tests.keeper.house import DEBIAN, INRELEASE, ServerFactory, archive_of, assert_coherent, house
from tests.simulator import attacks
from tests.simulator.answer import Style
from tests.simulator.archive import SimulatedArchive
from tests.simulator.attacks import UNACCEPTABLE
from tests.simulator.faults import CorruptByte, HtmlPage, RawAnswer, Silence, Status
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tests.sources.sinks import SHORT_S, answered
from tidegate.keeper.outcome import Adopted, Confirmed
from tidegate.store.ingest_process import ingest_in_process
from tidegate.trust.verdict import Reason

PACKAGES = "dists/stable/main/binary-amd64/Packages.xz"


# Adoption


async def test_a_first_look_adopts_the_suite_whole(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        assert snapshot.date == archive.release_date()
        assert snapshot.source == source_server.url
        assert assert_coherent(here, keys) == 1
        assert here.read(INRELEASE) == archive.read(INRELEASE)
        assert here.read(PACKAGES) == archive.read(PACKAGES)
        for package in archive.suites["stable"].packages:
            assert await here.fetch(package.path) == archive.read(package.path)
        (adopted,) = await here.events("adopted")
        assert adopted.subject == "debian stable"
        assert adopted.data["source"] == source_server.url
        assert adopted.data["signers"] == keys.good.fingerprint
        (look,) = here.catalogue.looks()
        assert (look.ok, look.outcome) == (True, "adopted")
        assert here.looked == [((DEBIAN, "stable"), Adopted(snapshot))]


async def test_only_what_is_wanted_is_fetched_and_by_hash_where_that_is_offered(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
    assert [request.path for request in source_server.asked()] == [INRELEASE, archive.by_hash_path(PACKAGES)]


async def test_a_publication_is_adopted_and_only_its_news_are_fetched(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server, deb_src=True)) as here:
        first = await here.adopt()
        source_server.forget()
        updated = archive.update_package("hello", "1.1")
        archive.publish()
        second = await here.adopt()
        assert second.date > first.date
        assert [request.path for request in source_server.asked()] == [INRELEASE, archive.by_hash_path(PACKAGES)]
        assert here.knows(updated.path)
        assert_coherent(here, keys)


async def test_an_archive_without_inrelease_is_adopted_by_release_and_its_signature(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    archive.suite("stable", inrelease=False)
    archive.publish()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert here.read("dists/stable/Release") == archive.read("dists/stable/Release")
        assert here.read("dists/stable/Release.gpg") == archive.read("dists/stable/Release.gpg")
        assert here.read(INRELEASE) is None
        assert_coherent(here, keys)
        assert isinstance(await here.look(), Confirmed)


@pytest.mark.parametrize("suite", ["./", "ubuntu2204/x86_64/"])
async def test_a_flat_repository_is_adopted(keys: Keys, tmp_path: Path, suite: str, serve: ServerFactory) -> None:
    flat = SimulatedArchive(tmp_path / "flat", keys)
    package = flat.add_package("tool", suite=suite)
    flat.publish()
    server = serve(root=flat.public)
    async with house(tmp_path, archive_of(keys, server, suites=(suite,))) as here:
        await here.adopt(suite)
        assert assert_coherent(here, keys, (suite,)) == 1
        assert await here.fetch(package.path) == flat.read(package.path)


@pytest.mark.parametrize("offered", [{"by_hash": False}, {"by_hash": False, "by_hash_advertised_only": True}])
async def test_without_by_hash_or_where_it_is_only_advertised_the_plain_name_will_do(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, offered: dict[str, bool]
) -> None:
    archive.suite("stable", **offered)
    archive.update_package("hello", "2.0")
    archive._by_hash.clear()
    archive.publish()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert_coherent(here, keys)
    assert len(source_server.asked(PACKAGES)) == 1


async def test_adoption_takes_indices_apart_in_a_process_of_its_own(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    configured = archive_of(keys, source_server, deb_src=True)
    async with house(tmp_path, configured, ingest=lambda layout, _: ingest_in_process(layout.catalogue)) as here:
        await here.adopt()
        assert_coherent(here, keys)
        source = archive.suites["stable"].source_packages[0]
        for path in (*source.paths, *(package.path for package in archive.suites["stable"].packages)):
            assert here.knows(path)
        attacks.traversal(archive)
        assert "main/binary-amd64/Packages" in await here.refused()
        assert_coherent(here, keys)


async def test_an_index_of_no_bytes_is_an_index(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    archive.suite("stable", components=("main", "contrib"), compressions=("",), listed_only=())
    archive.publish()
    path = "dists/stable/contrib/binary-amd64/Packages"
    assert archive.read(path) == b""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        assert here.read(path) == b""


# Nothing new


@pytest.mark.parametrize("style", [Style(), Style(etag=True), Style(last_modified=False, etag=True)])
async def test_an_unchanged_suite_costs_one_conditional_request(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path, style: Style
) -> None:
    server = serve(style=style)
    async with house(tmp_path, archive_of(keys, server)) as here:
        snapshot = await here.adopt()
        server.forget()
        here.clock_s += 600
        outcome = await here.look()
        assert isinstance(outcome, Confirmed)
        assert await answered(server) == [(INRELEASE, 304)]
        served = here.served()
        assert served is not None
        assert served.confirmed_at >= snapshot.confirmed_at + 600
        assert served.adopted_at == snapshot.adopted_at


@pytest.mark.parametrize("style", [Style(last_modified=False), Style(conditional=False)])
async def test_a_source_without_validators_is_confirmed_by_the_whole_inrelease(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path, style: Style
) -> None:
    server = serve(style=style)
    async with house(tmp_path, archive_of(keys, server)) as here:
        await here.adopt()
        server.forget()
        assert isinstance(await here.look(), Confirmed)
        assert await answered(server) == [(INRELEASE, 200)]


async def test_a_restart_asks_conditionally_too(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    configured = archive_of(keys, source_server)
    async with house(tmp_path, configured) as here:
        await here.adopt()
    source_server.forget()
    async with house(tmp_path, configured) as here:
        assert isinstance(await here.look(), Confirmed)
        assert_coherent(here, keys)
    assert await answered(source_server) == [(INRELEASE, 304)]


async def test_a_look_that_is_asked_for_sees_what_was_published_before_it_was_asked_for(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """One under way got its answer from before the publication: to share it would be to tell old news as new."""
    source_server = serve(style=Style(conditional=False))
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        gate = source_server.hold(0)  # the head of what stands now is out, its body is not
        under_way = here.keeper.look(here.archive.name, "stable")
        await asyncio.to_thread(source_server.wait_for, lambda: gate.held >= 1)
        archive.update_package("hello", "2.0")
        archive.publish()
        asked_for = asyncio.create_task(here.keeper.look_anew(here.archive.name, "stable"))
        source_server.heal(None)
        source_server.release()
        await under_way
        await asked_for
        assert here.catalogue.served()[0].date == max(one.date for _, _, one in here.marks.all())
        newest = tuple(p for p in archive.suites["stable"].packages if p.name == "hello")
        assert all(here.knows(package.path) for package in newest)


async def test_looks_at_once_share_one(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        tasks = {here.keeper.look(DEBIAN, "stable") for _ in range(20)}
        assert len(tasks) == 1
        outcomes = [await here.keeper.look(DEBIAN, "stable") for _ in range(3)]
        assert isinstance(outcomes[0], Adopted)
    assert len(source_server.asked(INRELEASE)) == 3
    assert [status for path, status in await answered(source_server) if path == INRELEASE] == [200, 304, 304]


# Refusals

SAID = {
    "older": Reason.OLDER_THAN_ACCEPTED,
    "same date, other content": Reason.SPLIT_VIEW,
    "from the future": Reason.FROM_THE_FUTURE,
    "expired": Reason.EXPIRED,
    "unsigned": Reason.UNSIGNED,
    "empty": Reason.UNSIGNED,
    "signed by an unknown key": Reason.UNKNOWN_KEY,
    "signed by an expired key": Reason.EXPIRED_KEY,
    "a bad signature beside a good one": Reason.BAD_SIGNATURE,
    "changed after signing": Reason.BAD_SIGNATURE,
    "text before the signed part": Reason.BAD_FRAME,
    "torn": "incomplete",
    "only MD5": Reason.WEAK_INDEX_DIGESTS,
    "a path out of the archive": "incomplete",
    "oversized": "oversized",
}


def test_every_unacceptable_publication_has_its_word_here() -> None:
    assert SAID.keys() == UNACCEPTABLE.keys()


@pytest.mark.parametrize("name", UNACCEPTABLE)
async def test_what_is_unacceptable_is_refused_with_its_reason_and_the_old_snapshot_stays(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path, name: str
) -> None:
    """Threats 2, 3, 5, 6, 8, 11, 13, 14, 16, 27 and 29. The source shows it all each time, changed or not."""
    source_server = serve(style=Style(conditional=False))
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        inrelease = archive.read(INRELEASE)
        if name == "torn":
            archive.update_package("hello", "1.1")
        UNACCEPTABLE[name](archive)
        reason = await here.refused()
        assert SAID[name] in reason
        assert source_server.url in reason
        assert here.served() == snapshot
        assert here.read(INRELEASE) == inrelease
        assert_coherent(here, keys)
        kinds = {"incomplete": "incomplete", "oversized": "source-failed"}
        (event,) = await here.events(kinds.get(str(SAID[name]), "refused"))
        assert SAID[name] in str(event.data["reason"])
        (look,) = here.catalogue.looks()
        assert not look.ok
        assert look.outcome == reason


@pytest.mark.parametrize("name", sorted(UNACCEPTABLE.keys() - {"older", "same date, other content", "torn"}))
async def test_what_is_unacceptable_is_not_adopted_as_the_first_either(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, name: str
) -> None:
    UNACCEPTABLE[name](archive)
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        assert SAID[name] in await here.refused()
        assert here.served() is None
        assert assert_coherent(here, keys) == 0


async def test_the_next_good_publication_is_adopted_after_a_refusal(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        for broken in (attacks.unsigned, attacks.future_release, attacks.framed):
            broken(archive)
            await here.refused()
        archive.publish()
        await here.adopt()
        assert_coherent(here, keys)


async def test_an_older_release_behind_an_honest_not_modified_changes_nothing(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 8: many servers call a file of an older time `not modified since`, so nobody sees that it went back."""
    archive.publish()
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        archive.restore(1)
        await here.look()
        served = here.served()
        assert served is not None
        assert (served.id, served.date) == (snapshot.id, snapshot.date)


async def test_an_older_release_after_a_restart_is_refused(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threats 8 and 9."""
    archive.publish()
    configured = archive_of(keys, serve(style=Style(conditional=False)))
    async with house(tmp_path, configured) as here:
        snapshot = await here.adopt()
    archive.restore(1)
    async with house(tmp_path, configured) as here:
        assert Reason.OLDER_THAN_ACCEPTED in await here.refused()
        assert here.served() == snapshot


async def test_an_older_release_after_the_cache_was_wiped_is_refused_and_nothing_is_served(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 9."""
    archive.publish()
    configured = archive_of(keys, source_server)
    async with house(tmp_path, configured) as here:
        await here.adopt()
    shutil.rmtree(tmp_path / "cache")
    archive.restore(1)
    async with house(tmp_path, configured) as here:
        assert Reason.OLDER_THAN_ACCEPTED in await here.refused()
        assert here.served() is None
        archive.restore(2)
        await here.adopt()  # what was accepted before is no news to the mark, and adopted all the same
        assert_coherent(here, keys)


async def test_a_date_in_the_future_never_raises_the_mark(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 11."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        before = here.marks.get(DEBIAN, "stable")
        attacks.future_release(archive)
        await here.refused()
        assert here.marks.get(DEBIAN, "stable") == before


async def test_a_half_synced_mirror_is_not_adopted_until_it_is_whole(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 13."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        updated = archive.update_package("hello", "1.1")
        attacks.torn(archive)
        assert "Packages" in await here.refused()
        assert here.served() == snapshot
        assert not here.knows(updated.path)
        archive.restore(2)  # the same files: torn() broke the tree of this very generation
        assert "incomplete" in await here.refused()
        archive.publish()
        await here.adopt()
        assert here.knows(updated.path)
        assert_coherent(here, keys)


async def test_indices_of_a_torn_mirror_come_from_one_that_is_whole(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    archive.update_package("hello", "1.1")
    archive.publish()
    torn, whole = serve(), serve()
    torn.fault(Status(404), "*Packages*")
    torn.fault(Status(404), "*by-hash*")
    async with house(tmp_path, archive_of(keys, torn, whole)) as here:
        snapshot = await here.adopt()
        assert snapshot.source == torn.url
        assert_coherent(here, keys)


@pytest.mark.parametrize("ending", ["xz", "gz", "zst", "bz2"])
async def test_an_index_that_unpacks_to_more_than_its_release_lists_is_refused(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path, ending: str
) -> None:
    """Threat 17."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        attacks.index_bomb(archive, ending, size_bytes=64 << 20)
        assert f"Packages.{ending}" in await here.refused()
        assert here.served() == snapshot


async def test_an_index_with_one_endless_stanza_is_refused(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 16."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        attacks.oversized_index(archive, size_bytes=16 << 20)
        assert "Packages" in await here.refused()
        assert here.served() == snapshot


async def test_a_change_of_signer_within_the_keyring_is_adopted_and_alarmed(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 7."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        archive.suite("stable", signers=(keys.second,))
        archive.publish()
        await here.adopt()
        (alarm,) = await here.events("alarm")
        assert alarm.data["reason"] == Reason.SIGNERS_CHANGED
        assert keys.second.fingerprint in str(alarm.data["evidence"])


async def test_the_same_statement_signed_anew_is_a_confirmation(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        archive.sign("stable", keys.good, keys.second)
        archive.replace(INRELEASE, archive.read(INRELEASE), mtime=archive.clock + 5)
        assert isinstance(await here.look(), Confirmed)
        mark = here.marks.get(DEBIAN, "stable")
        assert mark is not None
        assert set(mark.signers) == {keys.good.fingerprint, keys.second.fingerprint}


async def test_a_changed_origin_is_refused_unless_the_operator_said_otherwise(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    configured = archive_of(keys, source_server)
    async with house(tmp_path, configured) as here:
        await here.adopt()
        archive.suite("stable", origin="Somebody else")
        archive.publish()
        assert Reason.INFO_CHANGED in await here.refused()
    async with house(tmp_path, archive_of(keys, source_server, accept_info_change=True)) as here:
        await here.adopt()


async def test_a_suite_under_another_ones_name_is_refused(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    archive.add_package("new", suite="testing")
    archive.publish()
    server = serve()
    tree = archive.public.resolve()
    shutil.rmtree(tree / "dists/stable")
    shutil.copytree(tree / "dists/testing", tree / "dists/stable")
    async with house(tmp_path, archive_of(keys, server)) as here:
        assert Reason.WRONG_SUITE in await here.refused()


async def test_a_captive_portal_is_not_mistaken_for_the_archive(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    """Threat 2."""
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        snapshot = await here.adopt()
        source_server.fault(HtmlPage())
        assert Reason.UNSIGNED in await here.refused()
        assert here.served() == snapshot


async def test_not_modified_without_having_been_asked_is_no_confirmation(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    source_server.fault(RawAnswer(b"HTTP/1.1 304 Not Modified\r\n\r\n"))
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        assert "answered 304" in await here.refused()
        assert here.served() is None


# Several sources


async def test_a_source_that_fails_is_followed_by_the_next(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    for fault in (Silence(), Status(500), RawAnswer(b"nonsense\r\n\r\n")):
        first, second = serve(), serve()
        first.fault(fault)
        archive.publish()
        async with house(tmp_path, archive_of(keys, first, second), first_byte_timeout_s=SHORT_S) as here:
            assert (await here.adopt()).source == second.url
            assert_coherent(here, keys)


async def test_a_source_that_is_refused_or_behind_is_followed_by_the_next(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    behind = serve(root=archive.generation(archive.published))
    archive.publish()
    current = serve()
    async with house(tmp_path, archive_of(keys, current)) as here:
        await here.adopt()
    archive.publish()
    async with house(tmp_path, archive_of(keys, behind, current)) as here:
        assert (await here.adopt()).source == current.url
        (event,) = await here.events("refused")
        assert event.data["source"] == behind.url
        assert Reason.OLDER_THAN_ACCEPTED in str(event.data["reason"])


async def test_where_every_source_fails_each_is_told_with_its_own_reason(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    first, second = serve(), serve()
    first.fault(Status(500))
    second.refuse()
    async with house(tmp_path, archive_of(keys, first, second)) as here:
        reason = await here.refused()
        assert f"{first.url}: status: answered 500" in reason
        assert f"{second.url}: unreachable" in reason
        assert len(await here.events("source-failed", 2)) == 2


async def test_an_archive_without_sources_says_so(keys: Keys, tmp_path: Path) -> None:
    async with house(tmp_path, archive_of(keys)) as here:
        assert await here.refused() == "no source is configured"


async def test_a_source_that_gave_wrong_bytes_is_not_asked_for_the_news(
    archive: SimulatedArchive, serve: ServerFactory, keys: Keys, tmp_path: Path
) -> None:
    """Threat 1."""
    liar, honest = serve(), serve()
    liar.fault(CorruptByte(10), "*by-hash*")
    async with house(tmp_path, archive_of(keys, liar, honest)) as here:
        await here.adopt()
        assert_coherent(here, keys)
        liar.forget()
        archive.publish()
        assert (await here.adopt()).source == honest.url
        assert liar.asked() == []
