"""The parent's side of `upgrade`: start the child, read what it found."""

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from tidegate.holding.child import ChildError, told_by
from tidegate.holding.prefetch import Fresh
from tidegate.store.catalogue import Listed, SuiteKey
from tidegate.store.layout import Layout

UPGRADE_TIMEOUT_S = 120.0


class UpgradeError(Exception):
    """What newer versions need could not be worked out: a sentence saying why."""


FreshNeeds = Callable[[SuiteKey, Sequence[Listed], float], Awaitable[tuple[Fresh, ...]]]
"""What these indices of a newer snapshot make hot packages need anew; the last is `hold.forget_after_s`.

Raises UpgradeError, OSError.
"""


def fresh_in_process(layout: Layout) -> FreshNeeds:
    """Work it out in a child process."""

    async def fresh(key: SuiteKey, indices: Sequence[Listed], forget_after_s: float) -> tuple[Fresh, ...]:
        listed = (word for one in indices for word in (one.path, one.digest.hex(), str(one.size)))
        arguments = (str(layout.state), str(layout.cache), str(forget_after_s), *key, *listed)
        try:
            out = await told_by("tidegate.holding.upgrade", *arguments, timeout_s=UPGRADE_TIMEOUT_S)
            return msgspec.json.decode(out, type=tuple[Fresh, ...])
        except (ChildError, msgspec.DecodeError) as error:
            raise UpgradeError(f"what newer versions need could not be worked out: {error}") from None

    return fresh
