"""The scenarios that ship."""

from importlib.resources import files

from tidegate.drill.scenario import Scenario, ScenarioError, read

ENDING = ".toml"


def names() -> tuple[str, ...]:
    """All of them, sorted."""
    found = [one.name for one in files("tidegate.drill").joinpath("scenarios").iterdir()]
    return tuple(sorted(name.removesuffix(ENDING) for name in found if name.endswith(ENDING)))


def shipped(name: str) -> Scenario:
    """The one of this name. Raises ScenarioError."""
    if name not in names():
        raise ScenarioError(f"no scenario {name!r} ships; there is {', '.join(names())}")
    return read(files("tidegate.drill").joinpath("scenarios", f"{name}{ENDING}").read_bytes())
