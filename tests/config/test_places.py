"""Where state and cache lie, by setting, service manager and user."""

from pathlib import Path

import pytest

from tidegate.config.places import cache_directory, state_directory
from tidegate.store.settings import StoreSettings

USER = {"HOME": "/home/u"}


@pytest.mark.parametrize(
    ("setting", "environment", "uid", "expected"),
    [
        ("/set", {"STATE_DIRECTORY": "/systemd"}, 0, "/set"),
        ("", {"STATE_DIRECTORY": "/systemd:/second"}, 0, "/systemd"),
        ("", {"XDG_STATE_HOME": "/xdg"}, 0, "/var/lib/tidegate"),
        ("", USER | {"XDG_STATE_HOME": "/xdg"}, 1000, "/xdg/tidegate"),
        ("", USER, 1000, "/home/u/.local/state/tidegate"),
        ("", {}, 1000, "/.local/state/tidegate"),
    ],
)
def test_the_state_lies_where_the_first_that_has_a_say_puts_it(
    setting: str, environment: dict[str, str], uid: int, expected: str
) -> None:
    assert state_directory(StoreSettings(state=setting), environment, uid=uid) == Path(expected)


def test_the_cache_lies_below_the_state_unless_it_is_set() -> None:
    assert cache_directory(StoreSettings(), Path("/s")) == Path("/s/cache")
    assert cache_directory(StoreSettings(cache="/c"), Path("/s")) == Path("/c")
