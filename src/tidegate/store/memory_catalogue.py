"""The catalogue in memory: the second implementation, which keeps the port honest."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from tidegate.archive.packages import Package
from tidegate.store.catalogue import Account, Adoption, Listed, Look, Offer, Snapshot, Validator, weightiest


class MemoryCatalogue:
    """`Catalogue` in dictionaries, for one process."""

    def __init__(self) -> None:
        self._generation = 0
        self._snapshots: dict[int, Snapshot] = {}
        self._members: dict[int, dict[str, Listed]] = {}
        self._listings: dict[bytes, dict[str, Listed | Package]] = {}
        self._sha512: dict[int, Mapping[bytes, bytes]] = {}
        self._asked: dict[tuple[str, str, str], int] = {}
        self._looks: dict[tuple[str, str], Look] = {}
        self._validators: dict[tuple[str, str], Validator] = {}

    def generation(self) -> int:
        return self._generation

    def look_again(self) -> None:
        """No other process writes here."""

    def adopt(self, adoption: Adoption) -> Snapshot:
        members = {member.path: member for member in adoption.members}
        before = self.snapshot(adoption.snapshot.archive, adoption.snapshot.suite)
        if before is not None:
            self._snapshots[before.id] = replace(before, replaced_at=adoption.snapshot.adopted_at)
        adopted = replace(adoption.snapshot, id=max(self._snapshots, default=0) + 1)
        self._snapshots[adopted.id] = adopted
        self._members[adopted.id] = members
        self._sha512[adopted.id] = adoption.sha512
        self._generation += 1
        return adopted

    def add_members(self, snapshot: Snapshot, members: Sequence[Listed]) -> None:
        self._members[snapshot.id] |= {member.path: member for member in members}
        self._generation += 1

    def confirm(self, archive: str, suite: str, now: int, by: Collection[str]) -> None:
        current = self.snapshot(archive, suite)
        if current is not None:
            self._snapshots[current.id] = replace(current, confirmed_at=now, confirmed_by=tuple(sorted(by)))
            self._generation += 1

    def served(self) -> tuple[Snapshot, ...]:
        served = (one for one in self._snapshots.values() if one.replaced_at is None)
        return tuple(sorted(served, key=lambda one: (one.archive, one.suite)))

    def snapshot(self, archive: str, suite: str) -> Snapshot | None:
        return next((one for one in self.served() if (one.archive, one.suite) == (archive, suite)), None)

    def member(self, snapshot: Snapshot, path: str) -> Listed | None:
        return self._members.get(snapshot.id, {}).get(path)

    def members(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        return tuple(self._members.get(snapshot.id, {}).values())

    def _of_archive(self, archive: str) -> list[Snapshot]:
        known = (one for one in self._snapshots.values() if one.archive == archive)
        return sorted(known, key=lambda one: (one.replaced_at is not None, -one.date))

    def by_digest(self, archive: str, digest: bytes) -> Listed | None:
        for snapshot in self._of_archive(archive):
            named = self._sha512[snapshot.id].get(digest, digest)
            for member in self._members[snapshot.id].values():
                if member.digest == named:
                    return member
        return None

    def artifact(self, archive: str, path: str) -> Listed | None:
        for snapshot in self._of_archive(archive):
            for member in self._members[snapshot.id].values():
                found = self._listings.get(member.digest, {}).get(path)
                if found is not None:
                    return Listed(*found[:3])
        return None

    def accounts(self, digests: Collection[bytes]) -> Mapping[bytes, tuple[Account, ...]]:
        found: dict[bytes, list[Account]] = {}
        for one in self._snapshots.values():
            for member in self._members[one.id].values():
                for is_member, listed in ((True, [member]), (False, self._listings.get(member.digest, {}).values())):
                    for path, digest, size, *_ in listed:
                        account = Account(one.archive, one.suite, path, size, is_member, one.replaced_at is None)
                        found.setdefault(digest, []).append(account)
        return {digest: weightiest(found[digest]) for digest in digests if digest in found}

    def add_listing(self, digest: bytes, artifacts: Iterable[Listed | Package]) -> int:
        rows = {artifact.path: artifact for artifact in artifacts}
        self._listings.setdefault(digest, rows)
        self._generation += 1
        return len(rows)

    def has_listing(self, digest: bytes) -> bool:
        return digest in self._listings

    def outdated(self) -> tuple[Listed, ...]:
        return ()  # what is in memory was taken in by this very version

    def listings(self, snapshot: Snapshot) -> tuple[Listed, ...]:
        return tuple(sorted(member for member in self.members(snapshot) if member.digest in self._listings))

    def packages(self, index: bytes, names: Collection[str] | None = None) -> tuple[Package, ...]:
        found = (row for row in self._listings.get(index, {}).values() if isinstance(row, Package))
        wanted = (one for one in found if names is None or one.name in names)
        return tuple(sorted(wanted, key=lambda one: (one.name, one.path)))

    def package_names(self, index: bytes) -> tuple[str, ...]:
        return tuple(sorted({one.name for one in self.packages(index)}))

    def offers_at(self, archive: str, path: str) -> tuple[Offer, ...]:
        offers: dict[tuple[str, str], Offer] = {}
        for snapshot in self._of_archive(archive):
            for member in self.listings(snapshot):
                found = self._listings[member.digest].get(path)
                if isinstance(found, Package):
                    offers.setdefault((snapshot.suite, member.path), Offer(snapshot.suite, member.path, found))
        return tuple(offers.values())

    def note_asked(self, archive: str, suite: str, path: str, now: int) -> None:
        self._asked[archive, suite, path] = now

    def asked(self, archive: str, suite: str, since: int) -> frozenset[str]:
        return frozenset(p for (a, s, p), at in self._asked.items() if (a, s) == (archive, suite) and at >= since)

    def note_look(self, look: Look) -> None:
        self._looks[look.archive, look.suite] = look

    def looks(self) -> tuple[Look, ...]:
        return tuple(self._looks[key] for key in sorted(self._looks))

    def validator(self, source: str, path: str) -> Validator | None:
        return self._validators.get((source, path))

    def note_validator(self, source: str, path: str, validator: Validator) -> None:
        self._validators[source, path] = validator

    def retire(self, before: int) -> int:
        gone = [one.id for one in self._snapshots.values() if one.replaced_at is not None and one.replaced_at < before]
        for snapshot in gone:
            del self._snapshots[snapshot], self._members[snapshot], self._sha512[snapshot]
        if gone:
            held = {member.digest for members in self._members.values() for member in members.values()}
            self._listings = {digest: rows for digest, rows in self._listings.items() if digest in held}
            self._generation += 1
        return len(gone)
