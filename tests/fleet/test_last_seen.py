"""Who has been silent for too long, to the second, whenever hosts report."""

from hypothesis import given
from hypothesis import strategies as st

from tidegate.fleet.last_seen import SPAN_S, LastSeen

MOMENTS = st.integers(0, 5 * SPAN_S)


@given(st.lists(st.tuples(st.integers(1, 5), st.none() | MOMENTS), max_size=20), MOMENTS)
def test_the_hosts_before_a_moment_are_those_whose_last_report_is_older(
    steps: list[tuple[int, int | None]], moment: int
) -> None:
    seen, last = LastSeen(), dict[int, int]()
    for host, at in steps:
        if at is not None:
            seen.put(host, at)
            last[host] = at
        elif host in last:
            seen.drop(host)
            del last[host]
    assert set(seen.before(moment)) == {host for host, at in last.items() if at < moment}
    assert all(seen[host] == at for host, at in last.items())
