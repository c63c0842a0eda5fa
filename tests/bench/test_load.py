"""The same demand for every peer."""

from collections import Counter
from pathlib import Path

from bench.load import SEQUENCE_LENGTH, write_script, zipf
from bench.peers import mirror_door, proxy_door

PATHS = tuple(f"pool/{n}.deb" for n in range(500))


def test_a_zipf_sequence_is_the_same_every_time_and_leaves_no_path_out() -> None:
    sequence = zipf(PATHS)
    assert sequence == zipf(PATHS)
    assert set(sequence) == set(PATHS)
    assert len(sequence) == SEQUENCE_LENGTH + len(PATHS)


def test_the_most_wanted_path_is_asked_for_twice_as_often_as_the_second() -> None:
    (_, first), (_, second), *_ = Counter(zipf(PATHS)).most_common(2)
    assert 1.8 < first / second < 2.2


def test_scripts_differ_between_peers_only_in_what_stands_before_the_path(tmp_path: Path) -> None:
    mirror = mirror_door("m", 1, "bench")
    proxy = proxy_door("p", 2, "http://127.0.0.1:3/bench")
    written = []
    for door in (mirror, proxy):
        script = write_script(door, PATHS, tmp_path / door.name)
        targets = (script.parent / "targets").read_text().split()
        written.append([target.removeprefix(door.prefix) for target in targets])
    assert written[0] == written[1] == [f"/{path}" for path in PATHS]
    assert proxy.request("x") == b"GET http://127.0.0.1:3/bench/x HTTP/1.1\r\nHost: 127.0.0.1:3\r\n\r\n"
