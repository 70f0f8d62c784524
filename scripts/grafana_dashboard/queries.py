"""The forms of PromQL that the panels use, with Grafana's variables ``$instance``, ``$model`` and ``$key``.

``$__rate_interval`` is Grafana's window for ``rate()``: at least four scrapes. ``$__interval`` is the time between two
points of a panel: windows of this length neither overlap nor leave gaps, as counts need it.
"""

SERVER = 'instance=~"$instance"'
MODEL = f'{SERVER}, model=~"$model"'
KEY = f'{SERVER}, key=~"$key"'
"""Also matches series without a key, as long as all keys are chosen."""
MODEL_AND_KEY = f'{MODEL}, key=~"$key"'
IS_GGLIB = " and on (job, instance) gglib_build_info"
"""Restricts ``process_…`` metrics, which every program has, to gglib."""


def rate_by(labels: str, metric: str, matchers: str) -> str:
    """Return the increase per second of a counter, by labels; empty ``labels`` sum over all."""
    return f"{_sum(labels)}(rate({metric}{{{matchers}}}[$__rate_interval]))"


def count_by(labels: str, metric: str, matchers: str, window: str = "$__interval") -> str:
    """Return by how much a counter has grown in a window, by labels.

    ``increase()`` ignores the first value of a series, so the first failure of a kind would never be shown. A series
    that was not there at the start of the window counts whole, if gglib was: it began in the window.
    """
    series = f"{metric}{{{matchers}}}"
    began = f"({series} unless {series} offset {window}) and on (job, instance) (gglib_build_info offset {window})"
    return f"{_sum(labels)}({began} or increase({series}[{window}]))"


def gauge_by(labels: str, metric: str, matchers: str) -> str:
    """Return the sum of a gauge, by labels."""
    return f"{_sum(labels)}({metric}{{{matchers}}})"


def quantile(share: float, histogram: str, matchers: str) -> str:
    """Return a quantile of a histogram, by model."""
    return f"histogram_quantile({share}, {rate_by('le, model', f'{histogram}_bucket', matchers)})"


def or_zero(query: str, label: str = "", value: str = "none") -> str:
    """Return the query, or 0 with a label while it has no series, as before the first request."""
    zero = f'label_replace(vector(0), "{label}", "{value}", "", "")' if label else "vector(0)"
    return f"{query} or on () {zero}"


def _sum(labels: str) -> str:
    return f"sum by ({labels}) " if labels else "sum"
