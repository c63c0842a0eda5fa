"""What came of a drill, as data."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tidegate.drill.numbers import Number
from tidegate.drill.verdict import Verdict


class StepReport(Struct, frozen=True, kw_only=True):
    """Something that was staged."""

    clock_s: Annotated[float, Meta(description="by the clock, from the beginning")]
    story: Annotated[str, Meta(description="in the story's time")]
    what: Literal["fault", "healed", "publish", "note"]
    text: str


class DrillReport(Struct, frozen=True, kw_only=True):
    """`tidegate drill SCENARIO --json`."""

    name: Annotated[str, Meta(description="what its events are marked with in the journal")]
    title: str
    ground: Literal["lab", "live"]
    verdict: Literal["passed", "failed", "stopped"]
    reason: Annotated[str, Meta(description="why it was stopped; empty otherwise")] = ""
    began_at: Annotated[float, Meta(description="epoch seconds")]
    seconds: Annotated[float, Meta(description="by the clock")]
    story_s: Annotated[float, Meta(description="in the story's time")]
    requests: Annotated[int, Meta(description="that clients made")]
    served: Annotated[int, Meta(description="of them answered as they should be")]
    apt_runs: int
    expectations: tuple[Verdict, ...]
    numbers: tuple[Number, ...]
    steps: tuple[StepReport, ...]
    incidents: Annotated[tuple[str, ...], Meta(description="their ids; `tidegate incident show`")]
    left_out: Annotated[tuple[str, ...], Meta(description="what of the scenario has nothing here to be on")] = ()
    files: Annotated[tuple[str, ...], Meta(description="what was written, in the folder of --out")] = ()


class ScenarioReport(Struct, frozen=True, kw_only=True):
    """A scenario that ships."""

    name: str
    title: str
    about: str
    story_s: float
    seconds: Annotated[float, Meta(description="that it takes in the laboratory")]
    live: Annotated[bool, Meta(description="it can be played on live ground")]


class ScenariosReport(Struct, frozen=True, kw_only=True):
    """`tidegate drill --json`."""

    scenarios: tuple[ScenarioReport, ...]
