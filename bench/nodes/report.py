"""Figures as a page of tables and as plots. Text in, text out: it writes no file and runs nothing."""

from collections.abc import Mapping

from bench.nodes.front import NOTICED_S, SNAPSHOT_S
from bench.nodes.lineup import OURS, RIVALS
from bench.nodes.machine import BATCHING_SHARE, CACHED_CONVERSATIONS, SLOTS, SWAP_S
from bench.nodes.metrics import Figures
from bench.nodes.traces import LOAD_S, Trace

from gglib.cli.tuning.svg import document, rectangle, text_at
from gglib.nodes.placement import LOAD_WEIGHT

LABELS_PX, PANEL_PX, GAP_PX, ROW_PX, TOP_PX = 230, 150, 60, 24, 72
OURS_COLOUR, OTHERS_COLOUR = "#2458a6", "#a9b4c2"
NEAR = 1.05
"""A figure within 5 % of the best one counts as equal."""

Table = Mapping[str, Figures]
"""The figures of one trace with one number of nodes, by policy."""
Tables = Mapping[int, Table]
"""The tables of one trace, by number of nodes."""


def page(
    tables: Mapping[Trace, Tables], sweep: Mapping[Trace, Mapping[float, Figures]], seeds: Mapping[int, int]
) -> str:
    """Return the whole report as Markdown."""
    parts = [_introduction(seeds), _summary(tables)]
    for trace, by_nodes in tables.items():
        parts += [f"## {trace.title}", trace.description, f"![{trace.title}](nodes-{trace.name}.svg)"]
        for nodes, table in by_nodes.items():
            parts += [f"### {nodes} nodes, {next(iter(table.values())).requests:.0f} requests", _table(table)]
    parts += ["## When does another node load a model?", _sweep(sweep)]
    return "\n\n".join(parts) + "\n"


def plot(trace: Trace, tables: Tables) -> str:
    """Return an SVG with bars for the mean time to the first token: a panel for each number of nodes.

    Without the policies that queue all requests at one node: beside their bars the others would have none.
    """
    policies = [OURS, *RIVALS]
    elements = [text_at(20, 26, f"{trace.title}: mean time to the first token, s", is_bold=True, size=16)]
    elements += [
        text_at(LABELS_PX - 10, _row_y(row) + 13, name, anchor="end", is_bold=name == OURS)
        for row, name in enumerate(policies)
    ]
    for number, (nodes, table) in enumerate(tables.items()):
        elements += _panel(LABELS_PX + number * (PANEL_PX + GAP_PX), f"{nodes} nodes", table)
    width, height = LABELS_PX + len(tables) * (PANEL_PX + GAP_PX), _row_y(len(policies)) + 10
    return document(width, height, elements, title=trace.title)


# --- the page ---


def _introduction(seeds: Mapping[int, int]) -> str:
    runs = ", ".join(
        f"{count} {'seed' if count == 1 else 'seeds'} with {nodes}" for nodes, count in seeds.items()
    )
    return f"""# Which node: placement rules compared

Simulated in virtual time by `python -m bench.nodes`; the code of `gglib.nodes` decides. A node has a model's {SLOTS}
slots, loads a model in {LOAD_S:g} s, evicts the least recently used idle one, and after {SWAP_S:g} s a model in use.
Each other request in the slots of an engine makes a response {100 * BATCHING_SHARE:.0f} % longer. An engine keeps the
prompts of {CACHED_CONVERSATIONS} conversations. A front sees each node every {SNAPSHOT_S:g} s. A dead node answers
nothing; the front notices it within {SNAPSHOT_S + NOTICED_S:g} s and sends again what had not begun. Nodes:
{runs}; the traffic grows with them.

- **gglib**: the tree of [cluster.md](../../docs/cluster.md#which-node), with moves of waiting requests.
- **round robin**, **least loaded** (fewest requests), **random of two** (the better of two random nodes): over all
  nodes with the files. With **affinity**: over those that have or load the model and have a free slot; without such
  a node, over all. With **strict affinity**: over the nodes that have or load the model, if there is any.
- **steps alone**: the steps of the tree as a strict order, without seconds: the order of the first plan.
- **least loaded by snapshot**: without the front's own requests since the snapshot. All others count them.

Wait: from the request until a slot begins with it. First token: the wait and the prompt. Total: until the response has
ended. Lost prompts: seconds for prompts that a cache had before the conversation moved or its model was evicted. Means
over the seeds, except the worst wait (maximum) and lost requests (sum)."""


def _summary(tables: Mapping[Trace, Tables]) -> str:
    sizes = list(next(iter(tables.values())))
    lines = [
        "| trace | " + " | ".join(f"{nodes} nodes" for nodes in sizes) + " |",
        "|---|" + "--:|" * len(sizes),
    ]
    for trace, by_nodes in tables.items():
        lines.append(f"| {trace.title} | " + " | ".join(_against_rivals(by_nodes[n]) for n in sizes) + " |")
    explanation = (
        "gglib over the best of the six rivals, each figure over the best in that figure: mean time to the first\n"
        "token / mean total / 95 % wait. Bold: more than 5 % worse than the best. Waits under 0.5 s count as 0.5 s."
    )
    remarks = (
        "- A strict order of steps, and strict affinity, queue all requests for a model at one node: with more than 8\n"
        "  nodes a run takes hours, and is left out.\n"
        "- What gglib gains: a conversation stays at its node (few lost prompts), a fast node gets more requests,\n"
        "  a model that others need is not evicted for a further copy, waiting requests move to free slots.\n"
        "- What it costs: where memory is free, gglib loads more copies than policies with affinity do.\n"
        "- Where a figure is more than 5 % worse: with one hot model on equal nodes the least loaded node is the best\n"
        "  choice, and gglib's 95 % wait is 0.1 to 0.3 s longer. With two nodes and a batch, gglib evicts less for a\n"
        "  second copy of the batch's model: fewer loads, and in some runs the whole batch queues at one node."
    )
    return "\n\n".join(["## In short", explanation, "\n".join(lines), remarks])


def _against_rivals(table: Table) -> str:
    rivals = [table[name] for name in RIVALS]
    ours = table[OURS]
    ratios = (
        ours.mean_first_s / min(f.mean_first_s for f in rivals),
        ours.mean_total_s / min(f.mean_total_s for f in rivals),
        max(0.5, ours.p95_wait_s) / max(0.5, min(f.p95_wait_s for f in rivals)),
    )
    return " / ".join(f"**{ratio:.2f}**" if ratio > NEAR else f"{ratio:.2f}" for ratio in ratios)


def _table(table: Table) -> str:
    columns = (
        *("policy", "mean wait, s", "95 % wait, s", "worst wait, s", "first token, s", "total, s"),
        *("loads", "load seconds", "lost prompts, s", "moves", "broken off"),
    )
    lines = [f"| {' | '.join(columns)} |", "|---|" + "--:|" * (len(columns) - 1)]
    for name, found in table.items():
        shown = f"**{name}**" if name == OURS else name
        lines.append(
            f"| {shown} | {found.mean_wait_s:.2f} | {found.p95_wait_s:.1f} | {found.worst_wait_s:.1f} "
            f"| {found.mean_first_s:.2f} | {found.mean_total_s:.2f} | {found.loads:.0f} | {found.load_s:.0f} "
            f"| {found.lost_prompt_s:.0f} | {found.moves:.0f} | {found.lost:g} |"
        )
    return "\n".join(lines)


def _sweep(sweep: Mapping[Trace, Mapping[float, Figures]]) -> str:
    weights = list(next(iter(sweep.values())))
    explanation = (
        f"The weight of a load beside the seconds that the request waits for it (gglib: {LOAD_WEIGHT:g}). Below 0\n"
        "it counts less: the copy serves later requests, too. Mean total, s / loads, with 8 nodes."
    )
    lines = [
        explanation,
        "",
        "| trace | " + " | ".join(f"{weight:g}" for weight in weights) + " |",
        "|---|" + "--:|" * len(weights),
    ]
    for trace, by_weight in sweep.items():
        cells = [f"{found.mean_total_s:.2f} / {found.loads:.0f}" for found in by_weight.values()]
        lines.append(f"| {trace.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


# --- the plots ---


def _panel(left: int, heading: str, table: Table) -> list[str]:
    values = {name: table[name].mean_first_s for name in (OURS, *RIVALS)}
    px_per_s = PANEL_PX / max(*values.values(), 1e-9)
    elements = [text_at(left, TOP_PX - 16, heading, colour="#555")]
    for row, (name, value) in enumerate(values.items()):
        colour, width = OURS_COLOUR if name == OURS else OTHERS_COLOUR, value * px_per_s
        elements.append(rectangle(left, _row_y(row), width, ROW_PX - 8, colour=colour))
        elements.append(text_at(left + width + 5, _row_y(row) + 13, f"{value:.2f}"))
    return elements


def _row_y(row: int) -> int:
    return TOP_PX + ROW_PX * row
