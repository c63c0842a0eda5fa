"""What is published, made once for all histories of a worker."""

from collections.abc import Iterator

import pytest

from tests.histories.vendor import Vendor, vendor


@pytest.fixture(scope="session")
def published() -> Iterator[Vendor]:
    """Signed by keys of its own."""
    with vendor() as made:
        yield made
