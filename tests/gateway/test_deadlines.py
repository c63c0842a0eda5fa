"""How long one client may take: deadlines for heads, silence and answers (threat 19)."""

import contextlib
import time
from collections.abc import Iterator

import pytest

from tests.gateway.conftest import HELLO, HUGE, World, open_connections
from tests.gateway.wire import CutShortError, request, wait_until

HEADER_S, IDLE_S, WRITE_S = 3.0, 2.0, 2.0
TICK_S = 1.0  # deadlines are looked at so often: each may come so much sooner or later
GATEWAY_SETTINGS = f"""\
[gateway]
header_timeout_s = {HEADER_S}
idle_timeout_s = {IDLE_S}
write_timeout_s = {WRITE_S}
"""
SLACK_S = 2.0  # a busy machine's


@pytest.fixture(autouse=True)
def _unharmed(world: World) -> Iterator[None]:
    """Whatever a test does, the next client gets its bytes, and nothing is left of the one before."""
    assert world.get(HELLO).body == world.body(HELLO)
    yield
    wait_until(lambda: open_connections(world) == 0)


@pytest.mark.slow
def test_head_that_trickles_in_ends_at_its_deadline(world: World) -> None:
    with world.wire() as wire:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError):
            for byte in request(f"/debian/{HELLO}") * 2:
                wire.send(bytes([byte]))
                if wire.is_ended() or time.monotonic() - begun > HEADER_S + TICK_S + SLACK_S:
                    break
                time.sleep(0.1)  # the attack itself: slower than the deadline, faster than any silence
        took = time.monotonic() - begun
    assert HEADER_S - TICK_S <= took < HEADER_S + TICK_S + SLACK_S


@pytest.mark.slow
def test_connection_that_asks_nothing_ends_at_the_idle_deadline(world: World) -> None:
    begun = time.monotonic()
    with world.wire() as silent, world.wire() as kept:
        assert kept.ask(f"/debian/{HELLO}").status == 200
        assert silent.rest() == kept.rest() == b""
    assert IDLE_S - TICK_S <= time.monotonic() - begun < IDLE_S + 2 * TICK_S + SLACK_S


@pytest.mark.slow
def test_idle_deadline_counts_from_the_last_answer(world: World) -> None:
    begun = time.monotonic()
    with world.wire() as wire:
        while time.monotonic() - begun < IDLE_S + 2 * TICK_S:
            assert wire.ask(f"/debian/{HELLO}").status == 200
            time.sleep(IDLE_S / 4)  # a client that is slow, not idle
        assert not wire.is_ended()


@pytest.mark.slow
def test_client_that_takes_no_byte_ends_at_the_write_deadline(world: World) -> None:
    world.get(HUGE)
    with world.wire(receive_buffer_bytes=4096) as wire:
        wire.send(request(f"/debian/{HUGE}"))
        begun = time.monotonic()
        wait_until(lambda: open_connections(world) == 0, within_s=WRITE_S + 2 * TICK_S + SLACK_S)
        assert time.monotonic() - begun >= WRITE_S - TICK_S
        with pytest.raises(CutShortError):
            wire.read()


@pytest.mark.slow
def test_client_that_takes_its_bytes_slowly_is_served_to_the_end(world: World) -> None:
    begun = time.monotonic()
    with world.wire(receive_buffer_bytes=65_536) as wire:
        wire.send(request(f"/debian/{HUGE}"))
        _, _, headers = wire.read_head()
        size, pieces = int(headers["content-length"]), []
        while size:
            pieces.append(wire.take(min(size, 4 << 20)))
            size -= len(pieces[-1])
            time.sleep(0.4)  # slower than the write deadline in all, never within
        body = b"".join(pieces)
    assert time.monotonic() - begun > WRITE_S + TICK_S
    world.oracle.check(HUGE, body)


@pytest.mark.slow
def test_stream_of_requests_without_a_pause_is_no_slow_head(world: World) -> None:
    one = request(f"/debian/{HELLO}")
    begun = time.monotonic()
    with world.wire() as wire:
        wire.send(one[:10])
        while time.monotonic() - begun < HEADER_S + 2 * TICK_S:
            wire.send(one[10:] + one[:10])  # each piece ends within the next head
            assert wire.read().status == 200
            time.sleep(0.02)
