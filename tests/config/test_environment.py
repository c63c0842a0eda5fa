"""Overrides from the environment: TIDEGATE_SECTION__KEY."""

import pytest

from tidegate.config import ConfigError, load
from tidegate.config.environment import overrides_from, variable
from tidegate.config.keys import sections


def values_from(environment: dict[str, str]) -> dict[str, object]:
    return {override.key: override.value for override in overrides_from(environment)}


def test_each_kind_of_value_is_read_as_its_setting_wants_it() -> None:
    assert values_from(
        {
            "TIDEGATE_GATEWAY__LISTEN": "0.0.0.0:3142",
            "TIDEGATE_GATEWAY__WORKERS": "4",
            "TIDEGATE_GATEWAY__STRICT": "true",
            "TIDEGATE_KEEPER__GRACE_S": "1.5",
            "TIDEGATE_STORE__STATE": "true",
            "TIDEGATE_ADMIN__HOSTS": "a.example, b.example",
            "TIDEGATE_GATEWAY__TUNNEL_HOSTS": '["c.example:443"]',
        }
    ) == {
        "gateway.listen": "0.0.0.0:3142",
        "gateway.workers": 4,
        "gateway.strict": True,
        "keeper.grace_s": 1.5,
        "store.state": "true",
        "admin.hosts": ["a.example", "b.example"],
        "gateway.tunnel_hosts": ["c.example:443"],
    }


def test_what_a_cluster_sets_for_a_service_of_this_name_is_left_alone() -> None:
    found = {"TIDEGATE_PORT": "tcp://10.0.0.1:3142", "TIDEGATE_SERVICE_HOST": "10.0.0.1", "TIDEGATE_CONFIG": "/x"}
    assert overrides_from(found) == ()


def test_a_misspelt_variable_refuses_to_start_and_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as caught:
        overrides_from({"TIDEGATE_GATEWAY__LISTNE": "x"})
    assert caught.value.problems[0].todo == "Did you mean TIDEGATE_GATEWAY__LISTEN?"


def test_archives_cannot_be_set_from_the_environment() -> None:
    with pytest.raises(ConfigError) as caught:
        overrides_from({"TIDEGATE_ARCHIVE__NAME": "x", "TIDEGATE_ADVISORIES__FEED__NAME": "kev"})
    assert [problem.todo for problem in caught.value.problems] == ["Name them in a file."] * 2
    assert "feeds cannot be set here" in caught.value.problems[0].what


@pytest.mark.parametrize("key", [key.name for one in sections() if not one.is_array for key in one.keys])
def test_every_setting_has_a_variable_that_sets_it(key: str) -> None:
    (override,) = overrides_from({variable(key): "1"})
    assert override.key == key
    assert override.origin == f"environment {variable(key)}"


@pytest.mark.parametrize("text", ["1\n[x]", "[", "9" * 5000])
def test_a_value_that_is_no_toml_stays_text_for_the_reader_to_refuse(text: str) -> None:
    assert values_from({"TIDEGATE_GATEWAY__WORKERS": text}) == {"gateway.workers": text}
    with pytest.raises(ConfigError):
        load(f"[gateway]\nworkers = {text!r}", "t")
