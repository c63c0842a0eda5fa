"""What governs the data plane: where it listens and how much one client may take."""

from typing import Annotated

from msgspec import Meta, Struct

Port = Annotated[str, Meta(pattern=r"^(\[[0-9a-fA-F:]+\]|[^\s:]*):\d{1,5}$", title="HOST:PORT")]


class GatewaySettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[gateway]`: the port that apt talks to."""

    listen: Annotated[Port, Meta(description="address that apt talks to; an empty host means all of them")] = (
        "127.0.0.1:3142"
    )
    workers: Annotated[int, Meta(ge=1, le=64, description="processes that serve, over one store")] = 1
    strict: Annotated[
        bool, Meta(description="refuse paths that no signed index lists, instead of passing them through")
    ] = False
    connections_max: Annotated[int, Meta(ge=16, description="open client connections per worker")] = 20_000
    connections_per_client_max: Annotated[
        int, Meta(ge=4, description="open connections per client address and worker")
    ] = 12_000
    flights_per_client_max: Annotated[
        int, Meta(ge=1, description="fetches that one client address may have started at once")
    ] = 64
    header_timeout_s: Annotated[float, Meta(gt=0, description="for a request's head to arrive whole")] = 10.0
    idle_timeout_s: Annotated[float, Meta(gt=0, description="for a kept-alive connection to ask again")] = 65.0
    write_timeout_s: Annotated[float, Meta(gt=0, description="for a client to take any byte of its answer")] = 60.0
    wait_max_s: Annotated[
        float, Meta(gt=0, le=29, description="a request's silence before it is refused; apt gives up at 30 s")
    ] = 25.0
    request_head_bytes_max: Annotated[int, Meta(ge=1024, le=49_152, description="a request's head")] = 16_384
    open_files_max: Annotated[int, Meta(ge=16, description="open blobs kept at hand per worker")] = 8_192
    body_memory_bytes_max: Annotated[int, Meta(ge=0, description="small bodies kept in memory per worker")] = 67_108_864
    tunnels_max: Annotated[int, Meta(ge=0, description="CONNECT tunnels open at once per worker")] = 256
    tunnel_hosts: Annotated[
        tuple[str, ...],
        Meta(description="further HOST:PORT that CONNECT may reach; the archives' own https hosts always may"),
    ] = ()
    access_log: Annotated[bool, Meta(description="one structured line per answer on standard output")] = False
