"""Figures of the eviction rules as a page of tables and as plots. Text in, text out."""

from collections.abc import Callable, Mapping

from bench.policies.memory.lineup import OURS, RULES
from bench.policies.memory.metrics import MemoryFigures
from bench.policies.memory.traces import GIB, READ_S_PER_GIB, SEEDS, SMALL_GIB, START_S, MemoryTrace

from gglib.cli.tuning.svg import text_at

LABELS_PX, PANEL_PX, GAP_PX, ROW_PX, TOP_PX = 210, 200, 70, 26, 72
OURS_COLOUR, OTHERS_COLOUR = "#2458a6", "#a9b4c2"

Table = dict[str, MemoryFigures]
"""The figures of one trace, by policy."""


def page(tables: dict[MemoryTrace, Table], budgets: dict[MemoryTrace, dict[float, Table]]) -> str:
    """Return the whole report as Markdown. ``budgets`` are the tables of the rules with other budgets, by factor."""
    parts = [_introduction(), "## Summary", _summary(tables)]
    for trace, table in tables.items():
        parts += [
            f"## {trace.title}",
            _description(trace),
            f"![{trace.title}](memory-{trace.name}.svg)",
            _table(table),
        ]
    parts += ["## Other budgets", _sweep_introduction(), _sweep(budgets)]
    return "\n\n".join(parts) + "\n"


def plot(trace: MemoryTrace, table: Table) -> str:
    """Return an SVG with bars for the load seconds and the worst wait of each policy."""
    height = TOP_PX + ROW_PX * len(table) + 16
    width = LABELS_PX + 2 * (PANEL_PX + GAP_PX)
    labels = [
        text_at(LABELS_PX - 10, _row_y(row) + 13, name, anchor="end", is_bold=name == OURS)
        for row, name in enumerate(table)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            text_at(20, 26, trace.title, is_bold=True, size=16),
            *labels,
            *_panel(LABELS_PX, "load seconds per 1,000 requests", table, lambda f: f.load_s),
            *_panel(LABELS_PX + PANEL_PX + GAP_PX, "worst wait, s", table, lambda f: f.worst_wait_s),
            "</svg>\n",
        ]
    )


# --- the page ---


def _introduction() -> str:
    return f"""# Which models stay in memory: eviction rules compared

Simulated in virtual time by `python -m bench.policies.memory` with {len(SEEDS)} seeds for each trace. Every policy is
gglib's scheduler; the rules within the budget differ only in the choice of the residents that are evicted. A load
takes {START_S:g} s and {READ_S_PER_GIB:g} s for each GiB. Loads and responses do not slow each other down, which
favours policies that load more often. The simulator ends the run if the models exceed the budget of a device, or if a
model is evicted for what cannot fit.

- **gglib**: `memory` is the limit (`max_models = "auto"`). The set of victims with the least expected loss is evicted:
  the time of the next load and of the cached prompts, divided by the expected time until the next request.
- **least recently used**, within the budget.
- **shortest keep-alive**, as in Ollama. All models have the default, so a fixed order of the names decides. If the
  resident whose keep-alive *expires* first were evicted, it would be the least recently used one.
- **idle / (load x weight)**, as in Lemonade: the largest is evicted; all weights are equal.
- **load / size**: the smallest is evicted, as in GreedyDual-Size (Cao and Irani 1997), without its constant L.
- **count**: `max_models = N`, with the largest N that is safe for any N of the models, and with the N that has the
  fewest load seconds among those that never exceed the memory on this trace. **one model**: `max_models = 1`.

Values are means over the seeds, except the worst wait (maximum) and lost requests (sum). Small models: up to
{SMALL_GIB:g} GiB. The wait of a request lasts until a model takes it."""


def _summary(tables: dict[MemoryTrace, Table]) -> str:
    lines = [
        "Load seconds of gglib divided by those of the best other policy; worst wait of gglib, and of the others.",
        "",
        "| trace | load seconds | best other policy | worst wait, s | least of the others, s |",
        "|---|--:|---|--:|--:|",
    ]
    for trace, table in tables.items():
        best = min((name for name in table if name != OURS), key=lambda name: table[name].load_s)
        least_s = min(figures.worst_wait_s for name, figures in table.items() if name != OURS)
        lines.append(
            f"| {trace.title} | {table[OURS].load_s / table[best].load_s:.2f} | {best} "
            f"| {table[OURS].worst_wait_s:.1f} | {least_s:.1f} |"
        )
    return "\n".join(lines)


def _description(trace: MemoryTrace) -> str:
    models = ", ".join(f"{model.spec.model_name} {_gib(model.size)}" for model in trace.models)
    return f"Budget {_gib(trace.budget)}; {models}."


def _gib(sizes: Mapping[str, float]) -> str:
    return " + ".join(
        f"{size / GIB:.1f} GiB" + ("" if device == "ram" else f" on {device}")
        for device, size in sizes.items()
    )


def _table(table: Table) -> str:
    columns = (
        "| policy | load seconds / 1,000 | loads / 1,000 | loads of small models / 1,000 | makespan, s |"
    )
    lines = [
        f"{columns} median wait, s | mean wait, s | worst wait, s | lost |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for name, f in table.items():
        shown = f"**{name}**" if name == OURS else name
        lines.append(
            f"| {shown} | {f.load_s:.0f} | {f.loads:.0f} | {f.small_loads:.1f} | {f.makespan_s:.0f} "
            f"| {f.median_wait_s:.2f} | {f.mean_wait_s:.2f} | {f.worst_wait_s:.1f} | {f.lost} |"
        )
    return "\n".join(lines)


def _sweep_introduction() -> str:
    return """Load seconds per 1,000 requests, and in brackets the worst wait in seconds, with other budgets for the
same traffic. The last column is the ratio of gglib to the best other rule. gglib is worse for rag with 10 GiB, where
0.4 GiB are missing: it evicts the reranker, whose load is short, but the return of the reranker evicts a chat model
soon afterwards. The expected loss does not include this second eviction."""


def _sweep(budgets: dict[MemoryTrace, dict[float, Table]]) -> str:
    lines = [
        "| trace | budget | " + " | ".join(RULES) + " | ratio |",
        "|---|---|" + "--:|" * (len(RULES) + 1),
    ]
    for trace, by_factor in budgets.items():
        for factor, table in by_factor.items():
            budget = {device: limit * factor for device, limit in trace.budget.items()}
            best_s = min(table[name].load_s for name in RULES if name != OURS)
            cells = [f"{table[name].load_s:.0f} ({table[name].worst_wait_s:.1f})" for name in RULES]
            ratio = f"{table[OURS].load_s / best_s:.2f}"
            lines.append(f"| {trace.name} | {_gib(budget)} | " + " | ".join((*cells, ratio)) + " |")
    return "\n".join(lines)


# --- the plots ---


def _panel(left: int, heading: str, table: Table, value_of: Callable[[MemoryFigures], float]) -> list[str]:
    values = [value_of(figures) for figures in table.values()]
    px_per_unit = PANEL_PX / max(*values, 1e-9)
    parts = [text_at(left, TOP_PX - 16, heading, colour="#555")]
    for row, (name, value) in enumerate(zip(table, values, strict=True)):
        colour = OURS_COLOUR if name == OURS else OTHERS_COLOUR
        width = value * px_per_unit
        parts += [
            f'<rect x="{left}" y="{_row_y(row)}" width="{width:.1f}" height="{ROW_PX - 8}" fill="{colour}"/>',
            text_at(left + width + 5, _row_y(row) + 13, f"{value:,.1f}"),
        ]
    return parts


def _row_y(row: int) -> int:
    return TOP_PX + ROW_PX * row
