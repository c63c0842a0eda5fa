"""What every `Catalogue` promises. A subclass of `CatalogueContract` gives it as the fixture `catalogue`."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from tests.store.drafts import sha256
from tidegate.archive.packages import Package
from tidegate.store.catalogue import Account, Adoption, Catalogue, Listed, Look, Offer, Snapshot, Validator

NOW = 1_795_000_000
HOUR_S = 3600


def listed(path: str, content: str = "") -> Listed:
    """A path whose content is `content` (else its own name)."""
    data = (content or path).encode()
    return Listed(path, sha256(data), len(data))


def snapshot(suite: str = "stable", *, date: int = NOW, adopted_at: int = NOW, archive: str = "debian") -> Snapshot:
    payload = sha256(f"{archive} {suite} {date}".encode())
    return Snapshot(archive, suite, date, None, payload, "http://mirror.example/debian", adopted_at, adopted_at)


def adoption(new: Snapshot, members: Sequence[Listed] = (), sha512: dict[bytes, bytes] | None = None) -> Adoption:
    return Adoption(new, members, sha512 or {})


def package(name: str, version: str = "1", architecture: str = "amd64", source: str = "") -> Package:
    """A package where archives keep it."""
    source = source or name
    path = f"pool/main/{source[0]}/{source}/{name}_{version}_{architecture}.deb"
    data = path.encode()
    return Package(path, sha256(data), len(data), name, version, architecture, source, version)


INRELEASE = listed("dists/stable/InRelease")
PACKAGES = listed("dists/stable/main/binary-amd64/Packages.xz", "packages 1")
NEWER_PACKAGES = listed("dists/stable/main/binary-amd64/Packages.xz", "packages 2")
HELLO = listed("pool/main/h/hello/hello_1_amd64.deb", "hello 1")


class CatalogueContract:
    # Adoption

    def test_nothing_is_served_at_first(self, catalogue: Catalogue) -> None:
        assert catalogue.served() == ()
        assert catalogue.snapshot("debian", "stable") is None
        assert catalogue.artifact("debian", HELLO.path) is None
        assert catalogue.by_digest("debian", HELLO.digest) is None

    def test_an_adopted_snapshot_is_served_with_its_members(self, catalogue: Catalogue) -> None:
        adopted = catalogue.adopt(adoption(snapshot(), [INRELEASE, PACKAGES]))
        assert adopted.id > 0
        assert catalogue.snapshot("debian", "stable") == adopted
        assert catalogue.served() == (adopted,)
        assert catalogue.member(adopted, PACKAGES.path) == PACKAGES
        assert catalogue.member(adopted, HELLO.path) is None
        assert set(catalogue.members(adopted)) == {INRELEASE, PACKAGES}

    def test_every_field_of_a_snapshot_is_kept(self, catalogue: Catalogue) -> None:
        new = Snapshot(
            "debian",
            "stable",
            NOW - 5,
            NOW + 5,
            b"\0\xff" * 16,
            "http://m.example",
            NOW,
            NOW + 1,
            confirmed_by=("a.example", "b.example"),
        )
        adopted = catalogue.adopt(adoption(new))
        kept = catalogue.snapshot("debian", "stable")
        assert kept == adopted == replace(new, id=adopted.id)

    def test_a_newer_snapshot_takes_the_older_ones_place(self, catalogue: Catalogue) -> None:
        old = catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        new = catalogue.adopt(adoption(snapshot(date=NOW + 1), [NEWER_PACKAGES]))
        assert new.id != old.id
        assert catalogue.served() == (new,)
        assert catalogue.member(new, PACKAGES.path) == NEWER_PACKAGES

    def test_suites_and_archives_do_not_touch_each_other(self, catalogue: Catalogue) -> None:
        first = catalogue.adopt(adoption(snapshot("b"), [PACKAGES]))
        second = catalogue.adopt(adoption(snapshot("a")))
        third = catalogue.adopt(adoption(snapshot("a", archive="contoso")))
        assert catalogue.served() == (third, second, first)
        assert catalogue.by_digest("contoso", PACKAGES.digest) is None

    def test_an_adoption_that_fails_half_way_changes_nothing(self, catalogue: Catalogue) -> None:
        old = catalogue.adopt(adoption(snapshot(), [PACKAGES]))

        class Broken(Sequence[Listed]):
            def __len__(self) -> int:
                return 2

            def __getitem__(self, index: int) -> Listed:  # type: ignore[override]  # only iteration is asked for
                if index:
                    raise OSError("the list of members cannot be read on")
                return NEWER_PACKAGES

        with pytest.raises(OSError, match="read on"):
            catalogue.adopt(adoption(snapshot(date=NOW + 1), Broken()))
        assert catalogue.served() == (old,)
        assert catalogue.members(old) == (PACKAGES,)
        assert catalogue.by_digest("debian", NEWER_PACKAGES.digest) is None

    def test_members_can_be_added_to_a_served_snapshot(self, catalogue: Catalogue) -> None:
        adopted = catalogue.adopt(adoption(snapshot(), [INRELEASE]))
        detached = listed("dists/stable/Release.gpg")
        catalogue.add_members(adopted, [detached])
        assert catalogue.member(adopted, detached.path) == detached
        assert catalogue.member(adopted, INRELEASE.path) == INRELEASE

    def test_a_confirmation_changes_the_served_snapshot_alone(self, catalogue: Catalogue) -> None:
        catalogue.adopt(adoption(snapshot()))
        catalogue.adopt(adoption(snapshot(date=NOW + 1)))
        other = catalogue.adopt(adoption(snapshot("other")))
        catalogue.confirm("debian", "stable", NOW + HOUR_S, ["b.example", "a.example"])
        kept = catalogue.snapshot("debian", "stable")
        assert kept is not None
        assert (kept.confirmed_at, kept.adopted_at) == (NOW + HOUR_S, NOW)
        assert kept.confirmed_by == ("a.example", "b.example")
        assert catalogue.snapshot("debian", "other") == other

    def test_a_later_confirmation_by_fewer_operators_is_one_by_fewer(self, catalogue: Catalogue) -> None:
        catalogue.adopt(adoption(snapshot()))
        catalogue.confirm("debian", "stable", NOW + 1, ["a.example", "b.example"])
        catalogue.confirm("debian", "stable", NOW + 2, ["b.example"])
        kept = catalogue.snapshot("debian", "stable")
        assert kept is not None
        assert (kept.confirmed_at, kept.confirmed_by) == (NOW + 2, ("b.example",))

    def test_confirming_what_is_not_served_does_nothing(self, catalogue: Catalogue) -> None:
        catalogue.confirm("debian", "stable", NOW, ["a.example"])
        assert catalogue.served() == ()

    # By digest

    def test_members_are_found_by_sha256_and_by_sha512(self, catalogue: Catalogue) -> None:
        strong = hashlib.sha512(b"packages 1").digest()
        catalogue.adopt(adoption(snapshot(), [PACKAGES], {strong: PACKAGES.digest}))
        assert catalogue.by_digest("debian", PACKAGES.digest) == PACKAGES
        assert catalogue.by_digest("debian", strong) == PACKAGES
        assert catalogue.by_digest("debian", hashlib.sha512(b"other").digest()) is None

    def test_one_archives_sha512_says_nothing_about_another_archive(self, catalogue: Catalogue) -> None:
        """A vendor may list what it likes: it must not bend the names of another vendor's files."""
        strong = hashlib.sha512(b"packages 1").digest()
        lie = listed("dists/stable/main/binary-amd64/Packages.xz", "something else")
        catalogue.adopt(adoption(snapshot(archive="contoso"), [lie], {strong: lie.digest}))
        catalogue.adopt(adoption(snapshot(), [PACKAGES], {strong: PACKAGES.digest}))
        catalogue.adopt(adoption(snapshot(archive="zebra"), [lie], {strong: lie.digest}))
        assert catalogue.by_digest("debian", strong) == PACKAGES
        assert catalogue.by_digest("contoso", strong) == lie

    def test_an_older_generation_stays_reachable_by_digest_until_it_is_retired(self, catalogue: Catalogue) -> None:
        strong = hashlib.sha512(b"packages 1").digest()
        catalogue.adopt(adoption(snapshot(), [PACKAGES], {strong: PACKAGES.digest}))
        catalogue.adopt(adoption(snapshot(date=NOW + 1, adopted_at=NOW + HOUR_S), [NEWER_PACKAGES]))
        assert catalogue.by_digest("debian", PACKAGES.digest) == PACKAGES
        assert catalogue.by_digest("debian", strong) == PACKAGES
        assert catalogue.retire(NOW + HOUR_S) == 0
        assert catalogue.by_digest("debian", PACKAGES.digest) == PACKAGES
        assert catalogue.retire(NOW + HOUR_S + 1) == 1
        assert catalogue.by_digest("debian", PACKAGES.digest) is None
        assert catalogue.by_digest("debian", strong) is None
        assert catalogue.by_digest("debian", NEWER_PACKAGES.digest) == NEWER_PACKAGES

    # Listings

    def test_a_listing_is_invisible_until_a_snapshot_has_its_index(self, catalogue: Catalogue) -> None:
        assert catalogue.add_listing(PACKAGES.digest, [HELLO]) == 1
        assert catalogue.has_listing(PACKAGES.digest)
        assert catalogue.artifact("debian", HELLO.path) is None
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == HELLO
        assert catalogue.artifact("contoso", HELLO.path) is None

    def test_a_listing_taken_in_after_the_adoption_is_seen_at_once(self, catalogue: Catalogue) -> None:
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) is None
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        assert catalogue.artifact("debian", HELLO.path) == HELLO

    def test_a_listing_that_is_known_is_left_as_it_is(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.add_listing(PACKAGES.digest, [])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == HELLO

    def test_a_listing_that_breaks_off_is_not_known_at_all(self, catalogue: Catalogue) -> None:
        def broken() -> Iterator[Listed]:
            yield HELLO
            raise OSError("the index cannot be read on")

        with pytest.raises(OSError, match="read on"):
            catalogue.add_listing(PACKAGES.digest, broken())
        assert not catalogue.has_listing(PACKAGES.digest)
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) is None

    def test_an_index_without_artifacts_is_known_all_the_same(self, catalogue: Catalogue) -> None:
        assert catalogue.add_listing(PACKAGES.digest, []) == 0
        assert catalogue.has_listing(PACKAGES.digest)

    def test_served_snapshots_are_asked_before_replaced_ones_and_newer_before_older(self, catalogue: Catalogue) -> None:
        rebuilt = listed(HELLO.path, "hello 1, built again")
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.add_listing(NEWER_PACKAGES.digest, [rebuilt])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        catalogue.adopt(adoption(snapshot(date=NOW + 1), [NEWER_PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == rebuilt
        catalogue.adopt(adoption(snapshot("older", date=NOW - 9), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == rebuilt
        catalogue.adopt(adoption(snapshot("newer", date=NOW + 9), [PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == HELLO

    def test_a_replaced_snapshots_artifacts_stay_known_until_it_is_retired(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        catalogue.adopt(adoption(snapshot(date=NOW + 1, adopted_at=NOW + HOUR_S), [NEWER_PACKAGES]))
        assert catalogue.artifact("debian", HELLO.path) == HELLO
        assert catalogue.retire(NOW + HOUR_S + 1) == 1
        assert catalogue.artifact("debian", HELLO.path) is None
        assert not catalogue.has_listing(PACKAGES.digest)

    def test_a_listing_that_another_snapshot_has_outlives_the_retired_one(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        catalogue.adopt(adoption(snapshot(date=NOW + 1, adopted_at=NOW + HOUR_S), [PACKAGES]))
        assert catalogue.retire(NOW + HOUR_S + 1) == 1
        assert catalogue.artifact("debian", HELLO.path) == HELLO

    def test_what_is_served_is_never_retired(self, catalogue: Catalogue) -> None:
        adopted = catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.retire(NOW * 2) == 0
        assert catalogue.served() == (adopted,)
        assert catalogue.members(adopted) == (PACKAGES,)

    # Packages

    def test_an_index_tells_its_packages_by_name_with_every_field(self, catalogue: Catalogue) -> None:
        binary = package("libgreet1", "1:2.0-1", source="greet")._replace(source_version="2.0-1+b1")
        source = package("greet", "1:2.0-1", "source")
        other = package("hello")
        assert catalogue.add_listing(PACKAGES.digest, [binary, other, source]) == 3
        assert catalogue.packages(PACKAGES.digest) == (source, other, binary)
        assert catalogue.packages(PACKAGES.digest, {"libgreet1", "greet", "nothing"}) == (source, binary)
        assert catalogue.packages(PACKAGES.digest, ()) == ()
        assert catalogue.package_names(PACKAGES.digest) == ("greet", "hello", "libgreet1")

    def test_what_is_no_package_has_no_name(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.packages(PACKAGES.digest) == ()
        assert catalogue.package_names(PACKAGES.digest) == ()
        assert catalogue.offers_at("debian", HELLO.path) == ()

    def test_of_an_index_that_was_not_taken_in_nothing_is_known(self, catalogue: Catalogue) -> None:
        assert catalogue.packages(PACKAGES.digest) == ()
        assert catalogue.packages(PACKAGES.digest, ["hello"]) == ()
        assert catalogue.package_names(PACKAGES.digest) == ()

    def test_several_versions_of_a_package_are_all_told(self, catalogue: Catalogue) -> None:
        versions = (package("hello", "1"), package("hello", "2"), package("hello", "2", "all"))
        catalogue.add_listing(PACKAGES.digest, reversed(versions))
        assert set(catalogue.packages(PACKAGES.digest, ["hello"])) == set(versions)
        assert catalogue.package_names(PACKAGES.digest) == ("hello",)

    def test_packages_are_told_before_their_index_is_adopted_and_paths_only_after(self, catalogue: Catalogue) -> None:
        hello = package("hello")
        catalogue.add_listing(PACKAGES.digest, [hello])
        assert catalogue.packages(PACKAGES.digest, ["hello"]) == (hello,)
        assert catalogue.offers_at("debian", hello.path) == ()
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        assert catalogue.offers_at("debian", hello.path) == (Offer("stable", PACKAGES.path, hello),)
        assert catalogue.offers_at("contoso", hello.path) == ()
        assert catalogue.artifact("debian", hello.path) == Listed(hello.path, hello.sha256, hello.size)

    def test_a_path_is_offered_once_by_each_suite_that_lists_it_served_ones_first(self, catalogue: Catalogue) -> None:
        hello, rebuilt = package("hello"), package("hello")._replace(size=7)
        security = listed("dists/security/main/binary-amd64/Packages.xz", "security's")
        catalogue.add_listing(PACKAGES.digest, [hello])
        catalogue.add_listing(NEWER_PACKAGES.digest, [rebuilt])
        catalogue.add_listing(security.digest, [hello])
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        catalogue.adopt(adoption(snapshot(date=NOW + 1), [NEWER_PACKAGES]))
        catalogue.adopt(adoption(snapshot("security", date=NOW + 2), [security]))
        catalogue.adopt(adoption(snapshot("security", date=NOW + 3)))
        assert catalogue.offers_at("debian", hello.path) == (
            Offer("stable", NEWER_PACKAGES.path, rebuilt),
            Offer("security", security.path, hello),
        )

    def test_a_snapshot_tells_which_of_its_indices_were_taken_in(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [package("hello")])
        adopted = catalogue.adopt(adoption(snapshot(), [INRELEASE, PACKAGES]))
        assert catalogue.listings(adopted) == (PACKAGES,)
        assert catalogue.outdated() == ()

    # Generation

    def test_bytes_are_accounted_for_by_the_weightiest_of_each_archive(self, catalogue: Catalogue) -> None:
        older = listed("pool/main/h/hello/hello_0_amd64.deb", "hello 0")
        catalogue.add_listing(PACKAGES.digest, [HELLO, older])
        catalogue.add_listing(NEWER_PACKAGES.digest, [HELLO])
        catalogue.adopt(adoption(snapshot(), [INRELEASE, PACKAGES]))
        catalogue.adopt(adoption(snapshot(date=NOW + HOUR_S, adopted_at=NOW + HOUR_S), [NEWER_PACKAGES]))
        catalogue.adopt(adoption(snapshot("other", archive="third"), [HELLO]))
        asked = [HELLO.digest, older.digest, PACKAGES.digest, NEWER_PACKAGES.digest, sha256(b"never")]
        size = HELLO.size
        assert catalogue.accounts(asked) == {
            HELLO.digest: (
                Account("third", "other", HELLO.path, size, True, True),
                Account("debian", "stable", HELLO.path, size, False, True),
            ),
            older.digest: (Account("debian", "stable", older.path, older.size, False, False),),
            PACKAGES.digest: (Account("debian", "stable", PACKAGES.path, PACKAGES.size, True, False),),
            NEWER_PACKAGES.digest: (Account("debian", "stable", NEWER_PACKAGES.path, NEWER_PACKAGES.size, True, True),),
        }

    def test_a_listing_without_a_snapshot_accounts_for_nothing(self, catalogue: Catalogue) -> None:
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        assert catalogue.accounts([HELLO.digest, PACKAGES.digest]) == {}
        assert catalogue.accounts([]) == {}

    def test_the_generation_changes_with_every_change_of_an_answer(self, catalogue: Catalogue) -> None:
        seen = [catalogue.generation()]

        def changed() -> None:
            now = catalogue.generation()
            assert now != seen[-1]
            seen.append(now)

        adopted = catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        changed()
        catalogue.add_members(adopted, [INRELEASE])
        changed()
        catalogue.add_listing(PACKAGES.digest, [HELLO])
        changed()
        catalogue.confirm("debian", "stable", NOW + 1, ["a.example"])
        changed()
        catalogue.adopt(adoption(snapshot(date=NOW + 1)))
        changed()
        catalogue.retire(NOW + 1)
        changed()

    def test_looking_does_not_change_the_generation(self, catalogue: Catalogue) -> None:
        catalogue.adopt(adoption(snapshot(), [PACKAGES]))
        before = catalogue.generation()
        catalogue.served()
        catalogue.artifact("debian", HELLO.path)
        catalogue.by_digest("debian", PACKAGES.digest)
        assert catalogue.generation() == before

    # What was asked, looked at, and said

    def test_what_clients_asked_for_is_remembered_by_when_they_last_did(self, catalogue: Catalogue) -> None:
        catalogue.note_asked("debian", "stable", "main/i18n/Translation-de.xz", NOW)
        catalogue.note_asked("debian", "stable", "main/Contents-amd64.gz", NOW + 10)
        catalogue.note_asked("debian", "other", "main/cnf/Commands-amd64.xz", NOW + 10)
        assert catalogue.asked("debian", "stable", NOW) == {"main/i18n/Translation-de.xz", "main/Contents-amd64.gz"}
        assert catalogue.asked("debian", "stable", NOW + 1) == {"main/Contents-amd64.gz"}
        catalogue.note_asked("debian", "stable", "main/i18n/Translation-de.xz", NOW + 20)
        assert catalogue.asked("debian", "stable", NOW + 11) == {"main/i18n/Translation-de.xz"}
        assert catalogue.asked("contoso", "stable", 0) == frozenset()

    def test_the_last_look_at_each_suite_is_remembered(self, catalogue: Catalogue) -> None:
        catalogue.note_look(Look("debian", "stable", NOW, True, "adopted"))
        failed = Look("debian", "stable", NOW + 1, False, "http://mirror.example: silent: no answer within 10 s")
        other = Look("contoso", "./", NOW, True, "confirmed", "two Releases of one Date")
        catalogue.note_look(failed)
        catalogue.note_look(other)
        assert catalogue.looks() == (other, failed)

    def test_what_a_source_said_about_a_file_is_remembered(self, catalogue: Catalogue) -> None:
        said = Validator("Sun, 22 Nov 2026 10:00:00 GMT", None, sha256(b"release"))
        assert catalogue.validator("http://a.example", "dists/stable/") is None
        catalogue.note_validator("http://a.example", "dists/stable/", Validator(None, '"x"', b""))
        catalogue.note_validator("http://a.example", "dists/stable/", said)
        assert catalogue.validator("http://a.example", "dists/stable/") == said
        assert catalogue.validator("http://b.example", "dists/stable/") is None
