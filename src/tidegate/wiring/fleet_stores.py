"""Advisories and hosts of one state directory: opened together, by the desk or by a command."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from tidegate.advisories.sqlite_history import SqliteHistory
from tidegate.fleet.freshness import AgeLimits
from tidegate.fleet.held_supply import HeldSupply
from tidegate.fleet.hosts import HOSTS_MAX
from tidegate.fleet.lookout import Lookout
from tidegate.fleet.sqlite_hosts import SqliteHosts
from tidegate.fleet.supply import Supply
from tidegate.store.layout import Layout
from tidegate.wiring.store import Store, open_store

Alone = Callable[[], Collection[str]]
"""The archives of which nothing can be fetched now."""


@dataclass(frozen=True, slots=True)
class FleetStores:
    """What is known of the fleet, and of what it is open to; beside the gateway's own store."""

    store: Store
    history: SqliteHistory
    hosts: SqliteHosts

    def close(self) -> None:
        """Close the databases."""
        self.hosts.close()
        self.history.close()
        self.store.close()

    def lookout(self, alone: Alone, limits: AgeLimits, *, as_of: int | None = None) -> Lookout:
        """Over all of it."""

        def supply_of(sources: Collection[str]) -> Supply:
            store = self.store
            return HeldSupply(store.catalogue, store.blobs, store.marks, sources=sources, alone=alone())

        return Lookout(self.history, self.hosts, supply_of, limits, as_of=as_of)


def open_fleet_stores(layout: Layout, *, hosts_max: int = HOSTS_MAX) -> FleetStores:
    """Open (and where they are new, make) the databases. Raises OSError or sqlite3.Error."""
    store = open_store(layout)
    return FleetStores(store, SqliteHistory(layout.advisories), SqliteHosts(layout.fleet, hosts_max=hosts_max))
