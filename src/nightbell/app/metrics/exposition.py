"""The numbers in the form that Prometheus reads (text 0.0.4, or OpenMetrics where it is asked for)."""

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from nightbell.app.metrics.definitions import METRICS, PREFIX, Kind, Metric
from nightbell.app.metrics.read import Sample
from nightbell.words.histogram import Histogram

Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class _Once(Collector):
    """One set of samples, as the library takes them."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self._by_name: dict[str, list[Sample]] = {}
        for sample in samples:
            self._by_name.setdefault(sample.name, []).append(sample)

    def collect(self) -> Iterator[Family]:
        """Every family that has a number, in the order of the page."""
        for metric in METRICS:
            samples = self._by_name.pop(metric.name, [])
            if samples:
                yield _family(metric, samples)
        assert not self._by_name, f"numbers without a definition: {sorted(self._by_name)}"


def _family(metric: Metric, samples: Sequence[Sample]) -> Family:
    """One family; a label takes no value that its definition does not list."""
    name, labels = PREFIX + metric.name, list(metric.labels)
    family: Family
    match metric.kind:
        case Kind.GAUGE:
            family = GaugeMetricFamily(name, metric.meaning, labels=labels)
        case Kind.COUNTER:
            family = CounterMetricFamily(name.removesuffix("_total"), metric.meaning, labels=labels)
        case Kind.HISTOGRAM:
            family = HistogramMetricFamily(name, metric.meaning, labels=labels)
    for sample in samples:
        for value, allowed in zip(sample.labels, metric.labels.values(), strict=True):
            assert not allowed or value in allowed, f"{metric.name} has no {value}"
        if isinstance(sample.value, Histogram):
            assert isinstance(family, HistogramMetricFamily)
            steps = [(_bound(bound), below) for bound, below in sample.value.upto()]
            family.add_metric(sample.labels, steps, sample.value.sum_s)
        else:
            assert not isinstance(family, HistogramMetricFamily)
            family.add_metric(sample.labels, float(sample.value))
    return family


def _bound(bound_s: float) -> str:
    return "+Inf" if bound_s == float("inf") else repr(bound_s)


def exposed(samples: Iterable[Sample], accept: str) -> tuple[bytes, str]:
    """The page and its content type.

    Args:
        samples: The numbers.
        accept: What the asker can read, as it says.
    """
    registry = CollectorRegistry()
    registry.register(_Registered(_Once(samples)))
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return encode(registry), content_type


class _Registered(Collector):
    """Collected once, when the page is made: registering must not use the numbers up."""

    def __init__(self, once: _Once) -> None:
        self._once = once

    def describe(self) -> list[Family]:
        """Nothing: names are checked by the definitions' own test."""
        return []

    def collect(self) -> Iterator[Family]:
        """The numbers."""
        return self._once.collect()
