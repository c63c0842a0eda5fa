"""The whole of Tidegate's settings, collected from the rooms that they govern."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.advisories.settings import AdvisoriesSettings
from tidegate.answers.settings import AnswersSettings
from tidegate.fleet.settings import FleetSettings
from tidegate.gateway.settings import GatewaySettings
from tidegate.holding.settings import HoldSettings
from tidegate.incidents.settings import HookSettings, IncidentSettings
from tidegate.keeper.settings import KeeperSettings
from tidegate.sources.settings import ArchiveSettings, FetchSettings, HealthSettings
from tidegate.store.settings import JournalSettings, StoreSettings
from tidegate.trust.settings import TrustSettings
from tidegate.watch.settings import WATCHES_MAX, CopiesSettings, WatchSettings
from tidegate.web.settings import AdminSettings, StatusSettings


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a running Tidegate goes by. Built by `tidegate.config.gather` or `load`, never changed."""

    gateway: Annotated[GatewaySettings, Meta(description="the port that apt talks to")] = GatewaySettings()
    admin: Annotated[AdminSettings, Meta(description="health, status and metrics")] = AdminSettings()
    store: Annotated[StoreSettings, Meta(description="where things are kept")] = StoreSettings()
    journal: Annotated[JournalSettings, Meta(description="the record of what happened")] = JournalSettings()
    trust: Annotated[TrustSettings, Meta(description="when a Release is accepted")] = TrustSettings()
    fetch: Annotated[FetchSettings, Meta(description="limits towards sources")] = FetchSettings()
    health: Annotated[HealthSettings, Meta(description="which source is asked, and which is left alone")] = (
        HealthSettings()
    )
    keeper: Annotated[KeeperSettings, Meta(description="refresh, adoption and retention")] = KeeperSettings()
    hold: Annotated[HoldSettings, Meta(description="what the fleet is to have before it asks")] = HoldSettings()
    fleet: Annotated[FleetSettings, Meta(description="where hosts report what they have")] = FleetSettings()
    advisories: Annotated[AdvisoriesSettings, Meta(description="what is known of vulnerabilities")] = (
        AdvisoriesSettings()
    )
    answers: Annotated[AnswersSettings, Meta(description="notices and CVEs, as scanners ask for them")] = (
        AnswersSettings()
    )
    incidents: Annotated[IncidentSettings, Meta(description="when one begins and when it is over")] = IncidentSettings()
    hook: Annotated[tuple[HookSettings, ...], Meta(description="who is told of incidents")] = ()
    watch: Annotated[
        tuple[WatchSettings, ...], Meta(max_length=WATCHES_MAX, description="pages that you depend on")
    ] = ()
    copies: Annotated[CopiesSettings, Meta(description="limits of what is kept of watched pages")] = CopiesSettings()
    status: Annotated[StatusSettings, Meta(description="the page for the people who get their updates here")] = (
        StatusSettings()
    )
    archive: Annotated[
        tuple[ArchiveSettings, ...],
        Meta(description="what is served; where none is named, the host's own apt sources say"),
    ] = ()
