"""What governs the fleet's side: where hosts report, how much they may send, and when one counts as silent."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.fleet.freshness import DEFAULT_LIMITS, AgeLimits
from tidegate.fleet.hosts import HOSTS_MAX
from tidegate.fleet.inventory import INVENTORY_BYTES_MAX


class FleetSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[fleet]`: where hosts report what they have, and when what is known of them is too old."""

    listen: Annotated[
        str,
        Meta(
            pattern=r"^$|^(\[[0-9a-fA-F:]+\]|[^\s:]*):\d{1,5}$",
            title="HOST:PORT, or empty",
            description="address that hosts report to, with a token; empty: none, and nothing listens",
        ),
    ] = ""
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that a request for advisories may be to, besides addresses; a report may be to any"),
    ] = ("localhost",)
    host_max_s: Annotated[int, Meta(ge=60, description="a host that reported longer ago is unknown since then")] = (
        DEFAULT_LIMITS.host_max_s
    )
    feed_confirmed_max_s: Annotated[
        int, Meta(ge=60, description="a feed that was last seen longer ago, changed or not, is not believed any more")
    ] = DEFAULT_LIMITS.confirmed_max_s
    feed_published_max_s: Annotated[
        int, Meta(ge=60, description="a feed that its publisher made longer ago is not believed any more")
    ] = DEFAULT_LIMITS.published_max_s
    hosts_max: Annotated[int, Meta(ge=1, le=HOSTS_MAX, description="hosts kept; a report of one more is refused")] = (
        200_000
    )
    report_bytes_max: Annotated[
        int, Meta(ge=65_536, le=INVENTORY_BYTES_MAX, description="one report, before and after decompression")
    ] = INVENTORY_BYTES_MAX
    reports_memory_bytes_max: Annotated[
        int, Meta(ge=INVENTORY_BYTES_MAX, description="all reports that are on their way in, together")
    ] = 134_217_728
    reports_waiting_max: Annotated[
        int, Meta(ge=1, description="requests of hosts that are under way at once; further ones are told to come later")
    ] = 512
    report_timeout_s: Annotated[float, Meta(gt=0, description="for a report to arrive whole")] = 20.0
    requests_per_client_max: Annotated[
        int, Meta(ge=1, description="requests of one client address in a minute; hosts behind one NAT share it")
    ] = 600

    @property
    def ages(self) -> AgeLimits:
        """When what is known is too old to be believed."""
        return AgeLimits(
            confirmed_max_s=self.feed_confirmed_max_s,
            published_max_s=self.feed_published_max_s,
            host_max_s=self.host_max_s,
        )
