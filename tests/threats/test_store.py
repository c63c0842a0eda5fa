"""The store after a power cut and under a rotting disk, with the whole product over it."""

import os
import threading
from contextlib import suppress
from pathlib import Path

from tests.oracle import sha256sum
from tests.threats.conftest import HELLO, INRELEASE, QUIET, Siege


def _blob(siege: Siege, body: bytes) -> Path:
    name = sha256sum(body)
    return siege.gateway.state / "cache/blobs" / name[:2] / name[2:]


def _blobs_are_what_their_names_say(siege: Siege) -> bool:
    blobs = list((siege.gateway.state / "cache/blobs").glob("??/*"))
    return bool(blobs) and all(sha256sum(path.read_bytes()) == path.parent.name + path.name for path in blobs)


def test_fetch_cut_by_kill_9_leaves_nothing_partial_and_begins_anew(siege: Siege) -> None:
    gate = siege.server.hold(100, HELLO)

    def ask() -> None:
        with suppress(OSError):  # the connection dies with the gateway
            siege.gateway.get(f"/debian/{HELLO}")

    client = threading.Thread(target=ask)
    client.start()
    siege.server.wait_for(lambda: gate.held == 1)
    siege.gateway.kill9()
    client.join()
    siege.server.heal()
    siege.gateway.start()
    assert list((siege.gateway.state / "cache/tmp").iterdir()) == []
    assert _blobs_are_what_their_names_say(siege)
    assert siege.get(HELLO).status == 200


def test_adoption_cut_by_kill_9_leaves_the_old_snapshot_whole_and_is_made_again(siege: Siege) -> None:
    before = siege.get(INRELEASE).body
    siege.archive.update_package("hello", "1.1")
    siege.archive.publish()
    gate = siege.server.hold(None, lambda path: "binary-amd64" in path)
    command = ("refresh", "--wait", "--config", str(siege.gateway.config), "--state", str(siege.gateway.state))
    look = threading.Thread(target=lambda: siege.gateway.command(*command))
    look.start()
    siege.server.wait_for(lambda: gate.held == 1)
    assert siege.get(INRELEASE).body == before
    siege.gateway.kill9()
    look.join()
    siege.gateway.start()  # ready at once: the old one is served while the look at the news still hangs
    assert siege.get(INRELEASE).body == before
    assert _blobs_are_what_their_names_say(siege)
    siege.server.heal()
    siege.gateway.wait_for(lambda: siege.get(INRELEASE).body == siege.archive.read(INRELEASE))


def test_rotten_blob_is_found_by_scrubbing_and_fetched_again(siege: Siege) -> None:
    body = siege.get(HELLO).body
    blob = _blob(siege, body)
    siege.gateway.wait_for(blob.exists)
    siege.gateway.stop()
    with blob.open("r+b") as file:
        file.seek(len(body) // 2)
        file.write(bytes([body[len(body) // 2] ^ 0xFF]))
        os.fsync(file.fileno())
    text = siege.gateway.config.read_text()
    siege.gateway.config.write_text(text.replace(QUIET, f"{QUIET}scrub_interval_s = 0.05\n"))
    siege.gateway.start()
    event = siege.wait_for_event("bit-rot")
    assert event.subject == sha256sum(body)
    siege.gateway.wait_for(lambda: blob.exists() and blob.read_bytes() == body)
    assert siege.get(HELLO).body == body
    assert len(siege.server.asked(HELLO)) == 2, "once before, and once by the scrub itself"
