"""What governs the admin port."""

from typing import Annotated

from msgspec import Meta, Struct

from tidegate.gateway.settings import Port


class AdminSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[admin]`: health, status and metrics. Loopback unless told otherwise."""

    listen: Annotated[Port, Meta(description="HOST:PORT; empty host means all addresses")] = "127.0.0.1:3143"
    hosts: Annotated[
        tuple[str, ...],
        Meta(description="names that a request's Host may have besides the address listened on"),
    ] = ("localhost",)
