"""gpgv itself as the oracle: what it says of files, read without any of Tidegate's code."""

import subprocess
from pathlib import Path

GPGV_TIMEOUT_S = 20.0


def gpgv_accepts(room: Path, ring: bytes, raw: bytes, detached: bytes | None = None) -> bool:
    """Whether gpgv, as apt's method reads it, sees a good signature and no bad one."""
    (room / "ring.gpg").write_bytes(ring)
    (room / "signed").write_bytes(raw)
    command = ["gpgv", "--homedir", str(room), "--keyring", str(room / "ring.gpg"), "--status-fd", "1"]
    if detached is not None:
        (room / "signature").write_bytes(detached)
        command.append(str(room / "signature"))
    ran = subprocess.run([*command, str(room / "signed")], capture_output=True, timeout=GPGV_TIMEOUT_S, check=False)
    words = [line.split()[1] for line in ran.stdout.decode("utf-8", "replace").splitlines() if "[GNUPG:]" in line]
    return "GOODSIG" in words and "BADSIG" not in words
