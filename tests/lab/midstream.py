"""The preferred source falls silent in the middle of a large download: how long does the client wait?"""

import threading
from dataclasses import dataclass

from tests.lab.bulk import GIANTS, SUITE, path_of
from tests.lab.download import Download, download
from tests.lab.laboratory import Laboratory
from tests.lab.stage import Stage
from tests.lab.trees import ALIAS, Trees
from tests.lab.ways import gateway_over

HALF_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Midstream:
    """What was measured; `sent_bytes` were sent by all sources together for the struck object."""

    size_bytes: int
    calm_s: float
    calm_longest_gap_s: float
    struck_s: float
    longest_gap_s: float
    sent_bytes: int
    right: bool  # complete, and the bytes that the signed index lists

    @property
    def overhead(self) -> float:
        """What was sent beyond the object, as a share of it."""
        return self.sent_bytes / self.size_bytes - 1


def measure(laboratory: Laboratory, trees: Trees) -> Midstream:
    """One calm download, then one whose source is blackholed when half of it is sent."""
    calm, struck = (path_of(trees, name) for name in GIANTS)
    with laboratory.stage(trees=trees) as stage, laboratory.folder() as folder:
        gateway = gateway_over(stage, folder / "gateway")
        try:
            gateway.start(until="/healthz")
            laboratory.client(folder, SUITE).apt(stage, ALIAS, proxy=gateway.url).update().check()
            before = download(gateway.port, f"{ALIAS}/{calm}")
            after = _struck(stage, gateway.port, struck)
        finally:
            gateway.kill9()
        right = after.complete and not _objection(trees, struck, after.body)
        sent = sum(request.sent_bytes for source in stage.sources for request in source.server.asked(struck))
    return Midstream(
        size_bytes=trees.archive.file(struck).stat().st_size,
        calm_s=round(before.seconds, 3),
        calm_longest_gap_s=round(before.longest_gap_s, 3),
        struck_s=round(after.seconds, 3),
        longest_gap_s=round(after.longest_gap_s, 3),
        sent_bytes=sent,
        right=right,
    )


def _struck(stage: Stage, port: int, path: str) -> Download:
    half = stage.trees.archive.file(path).stat().st_size // 2
    gates = {source.role: source.server.hold(half, path) for source in stage.sources}
    downloads: list[Download] = []
    client = threading.Thread(target=lambda: downloads.append(download(port, f"{ALIAS}/{path}")))
    client.start()
    asked = _first_asked(stage, path)
    stage.source(asked).server.wait_for(lambda: gates[asked].held == 1, HALF_TIMEOUT_S)
    stage.source(asked).server.blackhole()
    for role, gate in gates.items():
        if role != asked:
            gate.release()
    client.join()
    return downloads[0]


def _objection(trees: Trees, path: str, body: bytes) -> str:
    """Why these bytes are not the object, by gpgv and sha256sum."""
    try:
        trees.oracle().check(path, body)
    except AssertionError as error:
        return str(error)
    return ""


def _first_asked(stage: Stage, path: str) -> str:
    """The source that a download is being fetched from."""
    while True:
        for source in stage.sources:
            if source.server.asked(path):
                return source.role
