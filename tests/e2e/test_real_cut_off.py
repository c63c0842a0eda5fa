"""A server of real Debian, held by its closure, comes whole and at full speed once the network is gone."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cut_off import UNUSED, Seen, run
from tests.e2e.island import doors, host_sources, in_reach, may_land

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.timeout(300)]

SERVER = (
    *("openssh-server", "nginx", "python3-venv", "curl", "wget", "htop", "rsync", "tmux", "screen", "sudo", "ufw"),
    *("fail2ban", "chrony", "postfix", "dovecot-imapd", "redis-server", "unattended-upgrades", "apparmor", "lvm2"),
    *("nfs-kernel-server", "logrotate", "cron", "rsyslog", "ca-certificates", "gnupg", "jq", "strace", "tcpdump"),
)
TAKEN = 5
RATE_MIN_BYTES_S = 25_000_000
APT_RATE_MIN_BYTES_S = 5_000_000
"""Measured: 400 MB/s for one curl, 50 MB/s for apt, which does more than fetch; on a very busy machine 270 and 19."""
AT_ONCE_S = 0.05
STORY_TIMEOUT_S = 280.0


def shares(readiness: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {one["kind"]: (one["held"], one["wanted"]) for one in readiness["stock"]["shares"]}


def ready_before(seen: Seen) -> None:
    """Readiness says that all of it is held, before the network goes."""
    assert seen.in_reach == (True, False)
    told = {one["kind"]: one["percent"] for one in seen.ready["stock"]["shares"]}
    assert told == {"security": 100.0, "updates": 100.0, "install": 100.0}
    assert (seen.ready["stock"]["lacking"], seen.ready["stock"]["unmet"]) == (0, [])
    assert shares(seen.ready)["install"][1] >= seen.served.packages


def served_whole(seen: Seen) -> None:
    """A client without a past updates and fetches the whole server, from hits alone."""
    served = seen.served
    assert served.packages == len(served.files) >= 200
    assert set(served.how) <= {"hit"}, served.how
    assert served.judged >= served.packages + 6, "gpgv and sha256sum agree to each list and each package"
    assert served.bytes / served.curl_s > RATE_MIN_BYTES_S
    assert served.bytes / served.download_s > APT_RATE_MIN_BYTES_S


def refused_at_once(seen: Seen) -> None:
    """What is not held is refused, and the status says since when."""
    refused = seen.served.refused
    assert refused.seconds < AT_ONCE_S
    assert all(reason.startswith(("503 not held, and ", "403 not held, and ")) for reason in refused.reasons)
    assert "not held, and " in refused.said
    assert all(one["since"] for one in seen.served.alone)


def named_afterwards(seen: Seen) -> None:
    """Readiness names what was taken out of the store, and what was refused."""
    lacking = {"/".join(("", one["archive"], one["path"])) for one in seen.lacking["stock"]["lacks"]}
    refused = {path for path in lacking if f"/{UNUSED}_" in path}
    assert len(refused) == 1, "it was asked for, so the fleet uses it"
    assert {path.replace("+", "%2b").replace("~", "%7e") for path in lacking - refused} == set(seen.taken)
    held, wanted = shares(seen.lacking)["install"]
    assert wanted - held == TAKEN + 1
    assert seen.lacking["verdict"] != "ok"
    assert seen.lacking_exit != 0
    assert "not held, and " in seen.lost


def test_a_server_that_is_held_comes_whole_once_the_network_is_gone_and_readiness_tells_the_truth() -> None:
    reach = doors(host_sources())
    if not reach or not in_reach(reach):
        pytest.skip("none of the archives that this host's sources name can be reached from here")
    if not may_land():
        pytest.skip("only root may make a network of its own that leads to the archives, and cut it")
    with tempfile.TemporaryDirectory(prefix="tidegate-") as root:  # 300 MB, which pytest would keep
        seen = run(Path(root), SERVER, taken=TAKEN, timeout_s=STORY_TIMEOUT_S)
    ready_before(seen)
    served_whole(seen)
    refused_at_once(seen)
    named_afterwards(seen)
