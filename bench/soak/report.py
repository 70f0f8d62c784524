"""What a soak shows: slope of the memory, what is held when idle, a plot. Pure."""

from collections.abc import Mapping, Sequence

from gglib.cli.tuning.svg import document, line, text_at

Sample = Mapping[str, float]
_WIDTH, _HEIGHT, _LEFT, _BOTTOM, _TOP = 860, 300, 60, 40, 40
_MB, _HOUR_S, _MINUTE_S = 1e6, 3600.0, 60.0


def slope_mb_per_hour(samples: Sequence[Sample]) -> float:
    """Return the slope of the resident memory by least squares."""
    times = [sample["s"] for sample in samples]
    sizes = [sample["rss_bytes"] / _MB for sample in samples]
    mean_s, mean_mb = sum(times) / len(times), sum(sizes) / len(sizes)
    products = sum((s - mean_s) * (mb - mean_mb) for s, mb in zip(times, sizes, strict=True))
    return products / sum((s - mean_s) ** 2 for s in times) * _HOUR_S


def plot(samples: Sequence[Sample], *, loaded_from_s: float, slope: float) -> str:
    """Return an SVG of memory and descriptors over the minutes since the start.

    ``loaded_from_s``: the samples from here on count for ``slope``, in MB per hour.
    """
    start_s, end_s = samples[0]["s"], samples[-1]["s"]
    series = (
        ("rss_bytes", _MB, "#1f6feb", "resident memory, MB"),
        ("descriptors", 1.0, "#c2410c", "descriptors"),
        ("tasks", 1.0, "#15803d", "asyncio tasks"),
    )
    top = max(sample[name] / unit for sample in samples for name, unit, *_ in series) * 1.1

    def x(s: float) -> float:
        return _LEFT + (s - start_s) / (end_s - start_s) * (_WIDTH - _LEFT - 20)

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _BOTTOM - _TOP)

    parts = [
        line(_LEFT, y(0), _WIDTH - 20, y(0), colour="#888"),
        line(x(loaded_from_s), _TOP, x(loaded_from_s), y(0), colour="#bbb"),
        text_at(x(loaded_from_s) + 4, _TOP + 10, f"from here {slope:+.2f} MB per hour", colour="#555"),
    ]
    for fraction in range(5):
        value = top * fraction / 4
        parts.append(text_at(_LEFT - 6, y(value) + 4, f"{value:.0f}", anchor="end", colour="#555"))
    minutes = (end_s - start_s) / _MINUTE_S
    for number in range(7):
        at_s = start_s + number / 6 * (end_s - start_s)
        label = f"{minutes * number / 6:.0f} min"
        parts.append(text_at(x(at_s), _HEIGHT - _BOTTOM + 18, label, anchor="middle", colour="#555"))
    for number, (name, unit, colour, label) in enumerate(series):
        points = " ".join(f"{x(sample['s']):.1f},{y(sample[name] / unit):.1f}" for sample in samples)
        parts.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.2"/>')
        parts.append(text_at(_LEFT + number * 190, 22, label, colour=colour, is_bold=True))
    return document(_WIDTH, _HEIGHT, parts, title="Memory, descriptors and tasks of a server under load")
