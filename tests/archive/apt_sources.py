"""Read sources as apt does: run by the system's Python, since only that has python3-apt.

Reads a JSON list of [ending, text] from standard input; writes for each the sorted pairs of address and suite
that apt sees in a file of that ending, or null where apt refuses it.
"""

import json
import pathlib
import sys
import tempfile

import apt_pkg  # type: ignore[import-not-found]  # python3-apt: only the system's Python has it

apt_pkg.init_config()
apt_pkg.config.set("APT::Architecture", "amd64")
apt_pkg.init_system()
answers: list[list[tuple[str, str]] | None] = []
for number, (ending, text) in enumerate(json.load(sys.stdin)):
    with tempfile.TemporaryDirectory() as folder:
        parts = pathlib.Path(folder, "parts")
        parts.mkdir()
        parts.joinpath(f"source{number}{ending}").write_text(text)
        apt_pkg.config.set("Dir::Etc::sourcelist", "/dev/null")
        apt_pkg.config.set("Dir::Etc::sourceparts", str(parts))
        sources = apt_pkg.SourceList()
        try:
            sources.read_main_list()
            answers.append(sorted({(index.uri, index.dist) for index in sources.list}))
        except apt_pkg.Error:
            answers.append(None)
json.dump(answers, sys.stdout)
