"""What is looked at every few seconds, as values."""

from msgspec import Struct


class ProcessSample(Struct, frozen=True):
    """One process of the gateway."""

    name: str
    """`gateway` where one process serves; else `supervisor`, `worker 0`…; `desk`."""
    pid: int
    rss_bytes: int
    pss_bytes: int
    descriptors: int
    threads: int
    blobs: int | None = None
    """Of its descriptors, those of held files, which it keeps at hand; None: not counted."""

    @property
    def others(self) -> int | None:
        """Its other descriptors."""
        return None if self.blobs is None else self.descriptors - self.blobs


class Sample(Struct, frozen=True):
    """The gateway at a moment. Bytes of files are their lengths."""

    at_s: float
    """Since the load began."""
    processes: tuple[ProcessSample, ...]
    children: int
    """Processes that work something out and end."""
    journal_bytes: int
    wal_bytes: int
    noted_bytes: int
    state_bytes: int
    cache_bytes: int
    events: int
    """The number of the newest one."""


class LoadSample(Struct, frozen=True):
    """What the clients saw in a few seconds. Latency is counted from when a request was due."""

    until_s: float
    requests: int
    hits: int
    bytes: int
    p50_ms: float
    p99_ms: float
    worst_ms: float
    wrong_bytes: int
    errors: tuple[str, ...]
    """A sentence for each request that was not answered as it should be; the first ones."""
    error_count: int


class Told(Struct, frozen=True):
    """All that a soak came to."""

    minutes: float
    at: str
    samples: tuple[Sample, ...]
    load: tuple[LoadSample, ...]
    publications: int
    lies: int
    outages: int
    apt_runs: int
    apt_failed: tuple[str, ...]
    reports: int
    reports_failed: int
    pages: int
    """Of the dashboard, read whole."""
    stream_breaks: int
    stream_decisions: int
    decisions: int
    """Events from the stream's first one on that it should have told."""
    kinds: dict[str, int]
    event_bytes: int
    """The journal's tables once the gateway has ended."""
    troubles: tuple[str, ...]
    """What `tidegate journal verify` says, and what the gateway logged as an error."""
