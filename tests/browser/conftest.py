"""One browser for all tests of a process."""

from collections.abc import Iterator

import pytest

from tests.browser.chromium import Chromium, Page, program


@pytest.fixture(scope="session")
def browser() -> Iterator[Chromium]:
    path = program()
    if path is None:
        pytest.skip("there is no Chromium here: apt-get install chromium-headless-shell")
    with Chromium(path) as made:
        yield made


@pytest.fixture
def tab(browser: Chromium) -> Iterator[Page]:
    with browser.page() as made:
        yield made
