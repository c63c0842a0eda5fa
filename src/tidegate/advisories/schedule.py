"""When a feed is looked at next. Pure; times are epoch seconds, `chance` is from 0 up to 1."""

JITTER_SHARE = 0.1
RETRY_S = 60.0
RETRY_MAX_S = 3_600.0
"""A feed that nobody brought is asked for again after this at the latest, however rarely it is looked at."""


def next_at(
    *, current_at: int | None, tried_at: float | None, failures: int, interval_s: float, chance: float
) -> float:
    """`current_at`: when what we have was last seen to be the newest; `failures` in a row since then.

    0 where it is due at once: it was never there. What another process has looked at meanwhile is not due.
    """
    jitter = 1.0 - JITTER_SHARE * chance
    if failures and tried_at is not None:
        backoff_s = min(RETRY_S * 2.0 ** min(failures - 1, 16), RETRY_MAX_S, interval_s)
        return tried_at + backoff_s * jitter
    looked_at = max(current_at or 0.0, tried_at or 0.0)  # what is carried here is old, and no younger when looked at
    return looked_at + interval_s * jitter if looked_at else 0.0
