"""What is known and what is open as metrics (prometheus.io, exposition format 0.0.4)."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from tidegate.advisories.history import FeedState
from tidegate.fleet.freshness import AgeLimits, believed
from tidegate.fleet.verdict import Exposure

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def feed_metrics(feeds: Iterable[FeedState], now: int, limits: AgeLimits) -> "list[Metric]":
    """Of each feed: how old it is, whether it may still be believed, how much there is in it."""
    from prometheus_client.core import GaugeMetricFamily

    labels = ["feed"]
    confirmed = GaugeMetricFamily(
        "tidegate_feed_confirmed_seconds", "When it was last seen to be current", labels=labels
    )
    fetched = GaugeMetricFamily("tidegate_feed_fetched_seconds", "When what is held of it was fetched", labels=labels)
    published = GaugeMetricFamily("tidegate_feed_published_seconds", "When its publisher made it", labels=labels)
    old = GaugeMetricFamily("tidegate_feed_old", "1: too old to be believed", labels=labels)
    records = GaugeMetricFamily("tidegate_feed_records", "Records held", labels=labels)
    unreadable = GaugeMetricFamily("tidegate_feed_unreadable_records", "Records that cannot be read", labels=labels)
    for state in feeds:
        name = [state.provenance.feed]
        confirmed.add_metric(name, state.confirmed_at)
        fetched.add_metric(name, state.provenance.fetched_at)
        if state.provenance.published is not None:
            published.add_metric(name, state.provenance.published)
        old.add_metric(name, 1.0 if believed([state], now, limits)[1] else 0.0)
        records.add_metric(name, state.records)
        unreadable.add_metric(name, state.unreadable)
    return [confirmed, fetched, published, old, records, unreadable]


def exposure_metrics(
    findings: Mapping[Exposure, int], hosts: Mapping[Exposure, int], *, silent: int, clean: int
) -> "list[Metric]":
    """Of the fleet: findings and distinct hosts by class. `silent`: hosts unknown since they last reported."""
    from prometheus_client.core import GaugeMetricFamily

    found = GaugeMetricFamily("tidegate_exposure_findings", "CVEs in packages of hosts, by class", labels=["class"])
    open_to = GaugeMetricFamily("tidegate_exposure_hosts", "Hosts with at least one, by class", labels=["class"])
    for one in Exposure:
        found.add_metric([one.value], findings.get(one, 0))
        open_to.add_metric([one.value], hosts.get(one, 0))
    unknown = GaugeMetricFamily("tidegate_hosts_silent", "Hosts that stopped reporting: unknown since then", silent)
    known = GaugeMetricFamily("tidegate_hosts_clean", "Hosts of which it is known that nothing is open", clean)
    return [found, open_to, unknown, known]


def report_metrics(answers: Mapping[int, int], known: int) -> "list[Metric]":
    """What hosts were answered that came to report, by status; and how many hosts are known."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    told = CounterMetricFamily(
        "tidegate_reports", "Answers to hosts that report, by status: 204 nothing new, 409 send it", labels=["status"]
    )
    for status, count in sorted(answers.items()):
        told.add_metric([str(status)], count)
    return [told, GaugeMetricFamily("tidegate_hosts", "Hosts that are known", known)]
