"""docs/img/drill*: the pictures of a drill that `make demo` left in a folder, taken in a real Chromium.

`python -m tests.docs.drill_pictures DIR`, or `make demo-pictures`.
"""

import shutil
import sys
from pathlib import Path

from tests.browser.chromium import Chromium, program

IMAGES = Path(__file__).parents[2] / "docs/img"
WIDTH, HEIGHT = 900, 700


def main(folder: Path) -> None:
    """Take them."""
    path = program()
    assert path is not None, "there is no Chromium here"
    (postmortem, *_) = sorted(folder.glob("postmortem-*.html"), key=lambda one: one.stat().st_size, reverse=True)
    pages = {"drill-status": folder / "status-during/index.html", "drill-postmortem": postmortem}
    shutil.copyfile(folder / "run.svg", IMAGES / "drill.svg")
    with Chromium(path) as browser, browser.page() as page:
        page.look(width=WIDTH, height=HEIGHT)
        for name, source in pages.items():
            page.open(source.resolve().as_uri())
            page.shot(IMAGES / f"{name}.png", height=HEIGHT)
            assert not page.seen.console, page.seen.console


if __name__ == "__main__":
    main(Path(sys.argv[1]))
