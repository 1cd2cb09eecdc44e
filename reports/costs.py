"""What a trial cost, as metrics of its own beside those of its track."""

from __future__ import annotations

from benchmarks.result import MetricInfo

COSTS = {
    metric.name: metric
    for metric in (
        MetricInfo(
            name="seconds",
            title="Own time",
            unit="s",
            better="lower",
            definition="Seconds of the trial itself.",
        ),
        MetricInfo(
            name="shared_seconds",
            title="Shared time",
            unit="s",
            better="lower",
            definition="Seconds of work that was done once and is charged to all who need it.",
        ),
        MetricInfo(
            name="total_seconds",
            title="Time",
            unit="s",
            better="lower",
            definition="Seconds, shared work included: what this method alone would take.",
        ),
        MetricInfo(
            name="peak_memory_mib",
            title="Memory",
            unit="MiB",
            better="lower",
            definition="Most memory that the trial's process held.",
        ),
        MetricInfo(
            name="peak_device_memory_mib",
            title="Device memory",
            unit="MiB",
            better="lower",
            definition="Most memory that the trial held on a GPU.",
        ),
        MetricInfo(
            name="samples_per_second",
            title="Throughput",
            unit="samples/s",
            better="higher",
            definition="Samples seen in training over its time.",
        ),
    )
}
"""By name; the names are those of `reports.tables.COST_METRICS`."""
