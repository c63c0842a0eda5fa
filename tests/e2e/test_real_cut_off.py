"""A server of real Debian, held by its closure, comes whole and at full speed once the network is gone."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cut_off import UNUSED, Seen, run
from tests.e2e.island import doors, host_sources, in_reach, may_land

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(200)]

SERVER = (
    *("openssh-server", "nginx", "python3-venv", "curl", "wget", "htop", "rsync", "tmux", "screen", "sudo", "ufw"),
    *("fail2ban", "chrony", "postfix", "dovecot-imapd", "redis-server", "unattended-upgrades", "apparmor", "lvm2"),
    *("nfs-kernel-server", "logrotate", "cron", "rsyslog", "ca-certificates", "gnupg", "jq", "strace", "tcpdump"),
)
TAKEN = 5
RATE_MIN_BYTES_S = 25_000_000
"""Measured: 170 MB/s and more for one curl. A machine that does other things as well still gives this."""
AT_ONCE_S = 0.05
STORY_TIMEOUT_S = 180.0


@pytest.fixture(scope="module")
def seen() -> Seen:
    reach = doors(host_sources())
    if not reach or not in_reach(reach):
        pytest.skip("none of the archives that this host's sources name can be reached from here")
    if not may_land():
        pytest.skip("only root may make a network of its own that leads to the archives, and cut it")
    with tempfile.TemporaryDirectory(prefix="tidegate-") as root:  # 300 MB, which pytest would keep
        return run(Path(root), SERVER, taken=TAKEN, timeout_s=STORY_TIMEOUT_S)


def shares(readiness: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["kind"]: (one["held"], one["wanted"]) for one in readiness["stock"]["shares"]}


def test_readiness_says_that_all_of_it_is_held_before_the_network_goes(seen: Seen) -> None:
    assert seen.in_reach == (True, False)
    told = {one["kind"]: one["percent"] for one in seen.ready["stock"]["shares"]}
    assert told == {"security": 100.0, "updates": 100.0, "install": 100.0}
    assert (seen.ready["stock"]["lacking"], seen.ready["stock"]["unmet"]) == (0, [])
    assert shares(seen.ready)["install"][1] >= seen.served.packages


def test_client_without_a_past_updates_and_fetches_the_whole_server_from_hits_alone(seen: Seen) -> None:
    served = seen.served
    assert served.packages == len(served.files) >= 200
    assert set(served.how) <= {"hit"}, served.how
    assert served.judged >= served.packages + 6, "gpgv and sha256sum agree to each list and each package"
    assert served.bytes / served.curl_s > RATE_MIN_BYTES_S
    assert served.bytes / served.download_s > RATE_MIN_BYTES_S


def test_what_is_not_held_is_refused_at_once_and_the_status_says_since_when(seen: Seen) -> None:
    refused = seen.served.refused
    assert refused.seconds < AT_ONCE_S
    assert all(reason.startswith(("503 not held, and ", "403 not held, and ")) for reason in refused.reasons)
    assert "not held, and " in refused.said
    assert all(one["since"] for one in seen.served.alone)


def test_readiness_names_what_was_taken_out_of_the_store_and_what_was_refused(seen: Seen) -> None:
    lacking = {"/".join(("", one["archive"], one["path"])) for one in seen.lacking["stock"]["lacks"]}
    refused = {path for path in lacking if f"/{UNUSED}_" in path}
    assert len(refused) == 1, "it was asked for, so the fleet uses it"
    assert {path.replace("+", "%2b").replace("~", "%7e") for path in lacking - refused} == set(seen.taken)
    held, wanted = shares(seen.lacking)["install"]
    assert wanted - held == TAKEN + 1
    assert seen.lacking["verdict"] != "ok"
    assert seen.lacking_exit != 0
    assert "not held, and " in seen.lost
