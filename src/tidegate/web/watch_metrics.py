"""Watched pages as metrics (prometheus.io, exposition format 0.0.4)."""

from typing import TYPE_CHECKING

from tidegate.web.watch_report import WatchesReport

if TYPE_CHECKING:
    from prometheus_client.core import Metric


def watch_metrics(report: WatchesReport) -> "list[Metric]":
    """Of each page: whether it is up, how quick, how old what is known and what is kept of it. What is not known of a
    page is left out, and is not 0."""
    from prometheus_client.core import GaugeMetricFamily

    labels = ["watch"]
    up = GaugeMetricFamily("tidegate_watch_up", "1: up, 0: down; left out where it is not known", labels=labels)
    asked = GaugeMetricFamily("tidegate_watch_asked", "0: nobody is asked: robots.txt, or offline", labels=labels)
    checked = GaugeMetricFamily("tidegate_watch_checked_seconds", "When it was asked last", labels=labels)
    first_byte = GaugeMetricFamily(
        "tidegate_watch_first_byte_seconds", "From the last good request to its answer's head", labels=labels
    )
    copy = GaugeMetricFamily("tidegate_watch_copy_seconds", "When its copy was last seen to be good", labels=labels)
    for one in report.watches:
        name = [one.name]
        if one.state in ("up", "down"):
            up.add_metric(name, 1.0 if one.state == "up" else 0.0)
        asked.add_metric(name, 0.0 if one.state == "not-asked" else 1.0)
        if one.checked_at is not None:
            checked.add_metric(name, one.checked_at)
        if one.latency_ms is not None:
            first_byte.add_metric(name, one.latency_ms / 1000)
        if one.copy is not None:
            copy.add_metric(name, one.copy.seen_at)
    size = GaugeMetricFamily("tidegate_watch_copies_bytes", "That all copies take on the disk", report.copies_bytes)
    return [up, asked, checked, first_byte, copy, size]
