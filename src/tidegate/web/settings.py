"""What governs the admin port."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.gateway.settings import Port


class AdminSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[admin]`: health, status and metrics. Loopback unless told otherwise."""

    listen: Annotated[
        Port, Meta(description="address of health, status and metrics; an empty host means all of them")
    ] = "127.0.0.1:3143"
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that a request's Host may have besides the address listened on"),
    ] = ("localhost",)
