"""The results as one SVG plot. Text in, text out."""

import math

from bench.proxies.report import LABELS, OURS
from bench.proxies.results import Results

from gglib.cli.tuning.svg import text_at

LABELS_PX, BARS_PX, NUMBER_PX, ROW_PX = 60, 170, 60, 22
PANEL_WIDTH_PX = LABELS_PX + BARS_PX + NUMBER_PX
PANELS_A_ROW = 3
TOP_PX, HEADING_PX, GAP_PX = 56, 26, 22
OURS_COLOUR, OTHERS_COLOUR = "#2458a6", "#a9b4c2"

_PANELS = (
    ("json-32", "per_s", "requests/s, 32 connections"),
    ("json-32", "cpu_ms_per_1000", "CPU ms per 1,000 requests"),
    ("json-1", "p50_ms", "p50 at 1 connection, ms"),
    ("sse-32", "units_per_s", "chunks/s, 32 streams"),
    ("paced", "cpu_ms_per_1000", "CPU ms per 1,000 paced chunks"),
    ("paced", "delay_p99_ms", "paced chunks' p99 delay, ms"),
    ("body", "per_s", "20 MB posts/s"),
    ("paced", "memory_mb", "memory at the paced streams, MB"),
    ("engine", "first_byte_p50_ms", "real engine: first byte, ms"),
)


def plot(results: Results) -> str:
    """Return an SVG with bars for each side in each panel that was measured."""
    panels = []
    for scenario, key, heading in _PANELS:
        values = {
            side: figures[key]
            for side, figures in results.medians(scenario).items()
            if key in figures and math.isfinite(figures[key]) and (side != "direct" or figures[key])
        }
        if values:
            panels.append((heading, values))
    sides = max((len(values) for _, values in panels), default=0)
    panel_height = HEADING_PX + ROW_PX * sides + GAP_PX
    width = PANELS_A_ROW * PANEL_WIDTH_PX + 2 * GAP_PX
    height = TOP_PX + panel_height * math.ceil(len(panels) / PANELS_A_ROW)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text_at(GAP_PX, 24, "gglib and other proxies, each on one core", is_bold=True, size=16),
        text_at(GAP_PX, 42, f"{results.date}, {results.machine}", colour="#555", size=11),
    ]
    for number, (heading, values) in enumerate(panels):
        row, column = divmod(number, PANELS_A_ROW)
        parts += _panel(GAP_PX + column * PANEL_WIDTH_PX, TOP_PX + row * panel_height, heading, values)
    return "\n".join([*parts, "</svg>\n"])


def _panel(left: int, top: int, heading: str, values: dict[str, float]) -> list[str]:
    parts = [text_at(left + LABELS_PX, top + 14, heading, colour="#555")]
    px_per_unit = BARS_PX / max(*values.values(), 1e-9)
    for row, (side, value) in enumerate(values.items()):
        y = top + HEADING_PX + row * ROW_PX
        colour = OURS_COLOUR if side == OURS else OTHERS_COLOUR
        width = value * px_per_unit
        parts += [
            text_at(left + LABELS_PX - 6, y + 12, LABELS[side], anchor="end", is_bold=side == OURS),
            f'<rect x="{left + LABELS_PX}" y="{y}" width="{width:.1f}" height="{ROW_PX - 6}" fill="{colour}"/>',
            text_at(left + LABELS_PX + width + 4, y + 12, _number(value), size=11),
        ]
    return parts


def _number(value: float) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f}"
