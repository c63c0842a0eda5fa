"""A process that is killed in the middle of keeping a copy leaves the old one or the new one, whole."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tidegate.watch import warc
from tidegate.watch.folder import WatchFolder
from tidegate.watch.settings import COPY_BYTES_MAX

SIZE = 3_000_000
KILLS = 5
KEEPS = """
import os, sys, itertools
from pathlib import Path
from tidegate.watch.folder import WatchFolder
from tidegate.watch.settings import WatchSettings
from tidegate.watch.watch import Exchange, watches_of
watch = watches_of([WatchSettings(name="page", url="https://x.example/", contains="x")])[0]["page"]
folder = WatchFolder(Path(sys.argv[1]))
folder.sweep()
head = b"HTTP/1.1 200 OK\\r\\nContent-Type: text/plain\\r\\n\\r\\n"
for number in itertools.count():
    body = b"%d" % (number % 10) * 3_000_000
    one = Exchange(watch.url, b"GET / HTTP/1.1\\r\\nHost: x.example\\r\\n\\r\\n", head, 200, {}, body, 1.0 + number)
    folder.keep(watch, (one,), rotate=True)
    os.write(1, b".")
"""


def test_killed_at_any_moment_it_leaves_whole_copies_and_the_next_start_sweeps_the_rest(tmp_path: Path) -> None:
    folder = WatchFolder(tmp_path)
    for number in range(KILLS):
        child = subprocess.Popen([sys.executable, "-c", KEEPS, str(tmp_path)], stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.read(1) == b"."
        left = list(tmp_path.glob("page/coming.*"))
        assert len(left) <= 1, "the last one's was swept"
        time.sleep(number * 0.01)  # somewhere within writing the next one
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        child.stdout.close()
        copy = warc.read(folder.copy_path("page"), COPY_BYTES_MAX)
        assert len(copy.body) == SIZE
        assert len(set(copy.body)) == 1
        if folder.copy_path("page", before=True).exists():
            assert len(warc.read(folder.copy_path("page", before=True), COPY_BYTES_MAX).body) == SIZE
