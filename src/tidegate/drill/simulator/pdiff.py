"""Packages.diff: an Index and ed-style patches, as dak publishes them and apt's rred applies them."""

import gzip
import hashlib
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

DIFF_TIMEOUT_S = 30.0


@dataclass(slots=True)
class PatchSeries:
    """The states that one index went through, and the patches between them, oldest first."""

    states: list[bytes] = field(default_factory=list)
    patches: list[tuple[str, bytes]] = field(default_factory=list)  # name, ed script
    keep: int = 14

    def add(self, state: bytes, date: int) -> None:
        """Note the index's newest state; a patch leads to it from the one before, if it differs."""
        if self.states and self.states[-1] == state:
            return
        if self.states:
            name = time.strftime("%Y-%m-%d-%H%M.%S", time.gmtime(date))
            self.patches = [*self.patches, (name, ed_script(self.states[-1], state))][-self.keep :]
        self.states = [*self.states, state][-self.keep - 1 :]

    def files(self) -> dict[str, bytes]:
        """The folder's content: `Index`, and each patch as NAME.gz. Empty as long as nothing changed."""
        if not self.patches:
            return {}
        packed = {f"{name}.gz": gzip.compress(script, mtime=0) for name, script in self.patches}
        olds = zip(self.states[:-1], self.patches, strict=True)
        lines = [f"SHA256-Current: {_fact(self.states[-1])}", "SHA256-History:"]
        lines += [f" {_fact(old)} {name}" for old, (name, _) in olds]
        lines += ["SHA256-Patches:"]
        lines += [f" {_fact(script)} {name}" for name, script in self.patches]
        lines += ["SHA256-Download:"]
        lines += [f" {_fact(body)} {name}" for name, body in packed.items()]
        return {"Index": ("\n".join(lines) + "\n").encode(), **packed}


def ed_script(old: bytes, new: bytes) -> bytes:
    """What `diff --ed` says leads from one text to the other."""
    with tempfile.TemporaryDirectory(prefix="tg-diff-") as folder:
        before, after = Path(folder, "old"), Path(folder, "new")
        before.write_bytes(old)
        after.write_bytes(new)
        done = subprocess.run(
            ["diff", "--text", "--ed", str(before), str(after)],
            capture_output=True,
            timeout=DIFF_TIMEOUT_S,
            check=False,
        )
    assert done.returncode in (0, 1), done.stderr.decode(errors="replace")
    return done.stdout


def _fact(data: bytes) -> str:
    return f"{hashlib.sha256(data).hexdigest()} {len(data)}"
