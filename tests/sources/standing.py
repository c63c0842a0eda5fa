"""Sources to rank, a clock to turn, and short words for what happened to them."""

from dataclasses import dataclass

from tidegate.sources.archive import Reach, Source, source_of
from tidegate.sources.failure import Failure, FetchError
from tidegate.sources.health import Health

NOW = 1_700_000_000.0
DEB = "pool/main/h/hello/hello_1_amd64.deb"


@dataclass(slots=True)
class Clock:
    """Tells the time that a test sets."""

    now: float = NOW

    def __call__(self) -> float:
        return self.now


def source(name: str, operator: str = "", priority: int = 0) -> Source:
    """A mirror of an operator of its own, unless told otherwise."""
    url = f"http://{name}.example"
    return source_of(url, reach=Reach.PUBLIC, operator=operator or name, kind="mirror", priority=priority)


A, B, C = source("a"), source("b"), source("c")


def failed(health: Health, source: Source, failure: Failure, status: int | None = None) -> None:
    """A request to it failed."""
    health.failed(source.url, FetchError(failure, "in a test", status))


def measured(health: Health, source: Source, first_byte_s: float, rate_bytes_s: float | None = None) -> None:
    """It has answered often enough for its times to be known."""
    for _ in range(16):
        health.answered(source.url, first_byte_s)
    if rate_bytes_s is not None:
        for _ in range(32):
            health.succeeded(source.url, size=1 << 20, seconds=(1 << 20) / rate_bytes_s)
