"""The parent's side of `expand`: start the child, wait for its end."""

from collections.abc import Sequence

from tidegate.holding.child import ChildError, told_by
from tidegate.store.layout import Layout

EXPAND_TIMEOUT_S = 300.0


class ExpandError(Exception):
    """What rules need could not be worked out: a sentence saying why. What was known before stays."""


async def expand_in_process(layout: Layout, rules: Sequence[str] = ()) -> None:
    """Work out what these rules (none named: all that have a closure) need now. Raises ExpandError."""
    arguments = (str(layout.state), str(layout.cache), *rules)
    try:
        await told_by("tidegate.holding.expand", *arguments, timeout_s=EXPAND_TIMEOUT_S)
    except ChildError as error:
        raise ExpandError(f"what rules need could not be worked out: {error}") from None
