"""Whether the clock can be believed: dates decide what is fresh, expired and from the future."""

import ctypes
import statistics
from collections.abc import Sequence

from tidegate.cli.render import span
from tidegate.cli.reports import CheckReport

OFF_WARN_S = 30
OFF_BAD_S = 600
_TIMEX_BYTES = 512  # struct timex has 208; room for whatever a later kernel adds
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_SET_IT = "Set the clock (timedatectl set-ntp true, or chrony): signed dates are judged by it."


def check_clock(
    now: int, newest_mark: int | None, dates: Sequence[int], *, is_synchronised: bool | None = None
) -> CheckReport:
    """Our `now` against the newest Release ever accepted and against the Date that sources answered with.

    Any one source may lie or be wrong, so it is their median that counts. All in epoch seconds.
    """
    if newest_mark is not None and now < newest_mark:
        saw = f"it stands {span(newest_mark - now)} before the newest Release that was ever accepted"
        return CheckReport(name="clock", state="bad", saw=saw, todo=_SET_IT)
    known = kernel_says_synchronised() if is_synchronised is None else is_synchronised
    ntp = "" if known is None else f"{'' if known else 'not '}synchronised, says the kernel"
    if dates:
        off = abs(now - int(statistics.median(dates)))
        saw = f"{span(off)} off what {len(dates)} sources say" + (f"; {ntp}" if ntp else "")
        if off >= OFF_WARN_S:
            return CheckReport(name="clock", state="bad" if off >= OFF_BAD_S else "warn", saw=saw, todo=_SET_IT)
        return CheckReport(name="clock", state="ok", saw=saw)
    if known:
        return CheckReport(name="clock", state="ok", saw=ntp)
    return CheckReport(name="clock", state="warn", saw=f"nothing to compare it with; {ntp or 'unknown'}", todo=_SET_IT)


def kernel_says_synchronised() -> bool | None:
    """adjtimex(2) asked without setting anything; None where it cannot be asked."""
    try:
        answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (AttributeError, OSError):
        return None
    return None if answer < 0 else answer != _TIME_ERROR
