"""Figures as a page of tables and as plots. Text in, text out: it writes no file and runs nothing."""

from collections.abc import Callable

from bench.policies.lineup import OURS, RIVALS
from bench.policies.metrics import Figures, least_makespan_s
from bench.policies.simulator import SLOTS, TOTAL_WAIT_S
from bench.policies.traces import LOAD_S, SEEDS, SERVICE_S, STOP_S, Trace

from gglib.cli.tuning.svg import text_at
from gglib.core.defaults import SWAP_WAIT_S

LABELS_PX, PANEL_PX, GAP_PX, ROW_PX, TOP_PX = 190, 220, 80, 26, 72
NUMBER_PX = 50
OURS_COLOUR, OTHERS_COLOUR, BOUND_COLOUR = "#2458a6", "#a9b4c2", "#b3402a"

Table = dict[str, Figures]
"""The figures of one trace, by policy."""


def page(
    machines: dict[float, dict[Trace, Table]], sweeps: dict[tuple[str, float], dict[Trace, Figures]]
) -> str:
    """Return the whole report as Markdown. ``machines`` are the tables by swap factor; factor 1 is shown in full."""
    tables = machines[1.0]
    parts = [_introduction(), _verdict(machines)]
    for trace, table in tables.items():
        parts += [f"## {trace.title}", f"![{trace.title}](policies-{trace.name}.svg)", _table(trace, table)]
    parts += [
        "## How long may the running model keep others waiting?",
        "Makespan / worst wait / launches, for other values of `swap_wait_s`.",
        _sweep_table(sweeps),
    ]
    return "\n\n".join(parts) + "\n"


def plot(trace: Trace, table: Table) -> str:
    """Return an SVG with bars for the makespan and the worst wait of each policy."""
    height = TOP_PX + ROW_PX * len(table) + 34
    width = LABELS_PX + 2 * (PANEL_PX + GAP_PX)
    bound_s = table[OURS].bound_s
    labels = [
        text_at(LABELS_PX - 10, _row_y(row) + 13, name, anchor="end", is_bold=name == OURS)
        for row, name in enumerate(table)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif">',
            f'<rect width="{width}" height="{height}" fill="white"/>',
            text_at(LABELS_PX, 26, trace.title, is_bold=True, size=16),
            *labels,
            *_panel(LABELS_PX, "makespan, s (median)", table, lambda f: f.makespan_s),
            *_panel(
                LABELS_PX + PANEL_PX + GAP_PX,
                "worst wait, s",
                table,
                lambda f: f.worst_wait_s,
                bound_s=bound_s,
            ),
            "</svg>\n",
        ]
    )


# --- the page ---


def _introduction() -> str:
    return f"""# Who runs next: swap policies compared

Simulated in virtual time by `python -m bench.policies`, with one resident model and {len(SEEDS)} seeds for each
trace; the very code of gglib's scheduler decides. Unless a trace says otherwise a model loads in {LOAD_S:g} s and
stops in {STOP_S:g} s, an answer takes {SERVICE_S[0]:g} to {SERVICE_S[1]:g} s, {SLOTS} run side by side, and who is
not let in within {TOTAL_WAIT_S:g} s is lost. Wait: from the request to the moment it is let in; requests for
broken models count as traffic only. The worst wait is the worst of all seeds, lost requests are all that were lost,
everything else is the median over the seeds.

- **gglib**: the scheduler as it ships, `swap_wait_s` {SWAP_WAIT_S:g} s.
- **arrival order**: each request strictly in turn; neighbours that want the same model run together.
- **collate**: requests for the running model always pass; when it has been idle for a lull, the longest waiter's
  model is next. **evict at once when idle** is the same without the lull.
- Variants of gglib differ in how long an idle model is kept for its clients while somebody waits for another one.
  As it ships: for as long as a swap was measured to cost (a stop and the model's load) if its clients were back that
  soon the last two times, not at all if they were not, and for 0.25 s (at most a quarter of a swap) while they are not
  known; never beyond `swap_wait_s`. A client that uses two models by turns is not back before the other model has
  answered: nothing is kept for it.

*Bound* is what gglib promises as the worst wait, given how long requests were held: `swap_wait_s`, then one turn
(longest hold, stop, load) for each other model of the trace. It is the dashed line in the plots."""


def _verdict(machines: dict[float, dict[Trace, Table]]) -> str:
    """Return for each trace and machine how the shipped policy compares with the best of the others."""
    lines = [
        "| trace | " + " | ".join(f"loads of {LOAD_S * factor:g} s" for factor in machines) + " |",
        "|---|" + "--:|" * len(machines),
    ]
    for trace in machines[1.0]:
        cells = [_against_rivals(tables[trace]) for tables in machines.values()]
        lines.append(f"| {trace.title} | " + " | ".join(cells) + " |")
    told = (
        "Makespan of gglib over that of the best of the three rivals that lose nobody;\n"
        "in brackets over the best of those that also keep gglib's bound on the worst wait."
    )
    return "\n\n".join(["## In short", told, "\n".join(lines), _least(machines)])


def _against_rivals(table: Table) -> str:
    ours = table[OURS]
    rivals = [table[name] for name in RIVALS if not table[name].lost]
    bounded = [figures for figures in rivals if figures.is_within_bound]
    return (
        f"{ours.makespan_s / min(f.makespan_s for f in rivals):.2f} "
        f"({ours.makespan_s / min(f.makespan_s for f in bounded):.2f})"
    )


def _least(machines: dict[float, dict[Trace, Table]]) -> str:
    cells: list[str] = []
    for factor, tables in machines.items():
        trace, table = next(iter(tables.items()))
        work_s = 30 * sum(SERVICE_S)  # two loops of 30 responses, of the mean length
        swap_s = factor * (LOAD_S + STOP_S)
        least_s = least_makespan_s(work_s, bound_s=table[OURS].bound_s, swap_s=swap_s)
        cells.append(
            f"{least_s:.0f} s with loads of {factor * LOAD_S:g} s (gglib: {table[OURS].makespan_s:.0f} s)"
        )
    return (
        f"What beats gglib on '{trace.title}' lets one program wait until the other one has ended.\n"
        "No policy that keeps the bound can do that: while one loop works the other one waits for a swap, the turn\n"
        "and a swap back, so turns are short and each costs a swap. The least makespan within the bound:\n"
        f"{', '.join(cells)}."
    )


def _table(trace: Trace, table: Table) -> str:
    watched = f" {trace.watched.spec.model_name}'s worst wait, s |" if trace.watched else ""
    columns = "| policy | launches | makespan, s | median wait, s | mean wait, s | worst wait, s |"
    lines = [
        f"{columns}{watched} lost | bound, s |",
        "|---|--:|--:|--:|--:|--:|" + ("--:|" if watched else "") + "--:|--:|",
    ]
    for name, figures in table.items():
        shown = f"**{name}**" if name == OURS else name
        own = f" {figures.watched_wait_s:.1f} |" if figures.watched_wait_s is not None else ""
        verdict = "kept" if figures.is_within_bound else "broken"
        lines.append(
            f"| {shown} | {figures.launches:g} | {figures.makespan_s:.0f} | {figures.median_wait_s:.1f} "
            f"| {figures.mean_wait_s:.1f} | {figures.worst_wait_s:.1f} |{own} {figures.lost} "
            f"| {figures.bound_s:.1f}, {verdict} |"
        )
    return "\n".join(lines)


def _sweep_table(sweeps: dict[tuple[str, float], dict[Trace, Figures]]) -> str:
    traces = list(next(iter(sweeps.values())))
    lines = [
        "| policy | `swap_wait_s`, s | " + " | ".join(trace.title for trace in traces) + " |",
        "|---|--:|" + "--:|" * len(traces),
    ]
    for (name, swap_wait_s), row in sweeps.items():
        cells = [f"{f.makespan_s:.0f} / {f.worst_wait_s:.1f} / {f.launches:g}" for f in row.values()]
        lines.append(f"| {name} | {swap_wait_s:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# --- the plots ---


def _panel(
    left: int, heading: str, table: Table, value_of: Callable[[Figures], float], *, bound_s: float = 0.0
) -> list[str]:
    values = [value_of(figures) for figures in table.values()]
    px_per_s = PANEL_PX / max(*values, bound_s, 1e-9)
    bound_x = left + bound_s * px_per_s
    parts = [text_at(left, TOP_PX - 16, heading, colour="#555")]
    for row, (name, value) in enumerate(zip(table, values, strict=True)):
        colour = OURS_COLOUR if name == OURS else OTHERS_COLOUR
        end_x = left + value * px_per_s
        bar = f'<rect x="{left}" y="{_row_y(row)}" width="{end_x - left:.1f}" height="{ROW_PX - 8}" fill="{colour}"/>'
        is_crossed = bool(bound_s) and end_x < bound_x < end_x + NUMBER_PX
        parts += [bar, text_at((bound_x if is_crossed else end_x) + 5, _row_y(row) + 13, f"{value:.1f}")]
    return parts + (_bound(bound_x, _row_y(len(table)), bound_s) if bound_s else [])


def _bound(x: float, bottom: int, bound_s: float) -> list[str]:
    line = f'<path d="M {x:.1f} {TOP_PX - 6} V {bottom}" stroke="{BOUND_COLOUR}" stroke-dasharray="4 3"/>'
    label = f"gglib's bound: {bound_s:.1f}"
    return [line, text_at(x, bottom + 14, label, anchor="middle", colour=BOUND_COLOUR)]


def _row_y(row: int) -> int:
    return TOP_PX + ROW_PX * row
