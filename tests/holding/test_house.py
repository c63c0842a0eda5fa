"""What keeping house goes by beside the store: incidents that are not closed protect what their archive lists."""

import time
from pathlib import Path

from tests.holding.keeping import DAY_S, TIGHT, age
from tests.keeper.house import DEBIAN, archive_of, house
from tests.simulator.archive import SimulatedArchive
from tests.simulator.keys import Keys
from tests.simulator.server import SourceServer
from tidegate.holding.housekeeping import Decision, Standing
from tidegate.incidents.settings import IncidentSettings
from tidegate.store.journal import Happening, Value
from tidegate.wiring.fold_process import folded
from tidegate.wiring.house import surveying
from tidegate.wiring.incidents import Incidents
from tidegate.wiring.store import Store


async def test_while_an_incident_is_not_closed_what_its_archive_lists_stays_and_what_is_told_says_which(
    archive: SimulatedArchive, source_server: SourceServer, keys: Keys, tmp_path: Path
) -> None:
    async with house(tmp_path, archive_of(keys, source_server)) as here:
        await here.adopt()
        package = archive.suites["stable"].packages[0].path
        assert await here.fetch(package) == archive.read(package)
        age(here)
        store = Store(here.layout, here.blobs, here.catalogue, here.marks, here.journal, here.holds)
        incidents = Incidents(here.journal, IncidentSettings(calm_s=1e-6))
        decide = surveying(
            store,
            TIGHT,
            lambda: folded(incidents).archives,
            archives=lambda: [DEBIAN],
            forget_after_s=lambda: 90 * DAY_S,
            offline=False,
        )

        def standings(decision: Decision) -> set[Standing]:
            return {removal.standing for removal in decision.removals}

        assert standings(decide()) == {Standing.UNWANTED}
        begun: dict[str, Value] = {"since": time.time(), "operator": "b", "operators": 2}
        here.journal.append([Happening("last-operator-begun", "another", begun)])
        assert standings(decide()) == {Standing.UNWANTED}
        here.journal.append([Happening("last-operator-begun", DEBIAN, begun)])
        during = decide()
        assert Standing.UNWANTED not in standings(during)
        assert during.kept[Standing.INCIDENT].blobs == 1
        over: dict[str, Value] = {"since": time.time(), "duration_s": 1.0}
        here.journal.append([Happening("last-operator-ended", DEBIAN, over)])
        assert standings(decide()) == {Standing.UNWANTED}
