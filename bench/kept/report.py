"""The figures of the simulation as a page of tables and a plot. Text in, text out."""

from collections.abc import Callable

from bench.kept.conversations import (
    AGENT,
    AGENTS,
    ANSWER,
    CHAT,
    CONTEXT_TOKENS,
    DAYS,
    LONG,
    PAUSE_S,
    RETURNS,
    SINGLE,
    SINGLES,
    Style,
)
from bench.kept.figures import SEEDS, SLOWER, Figures
from bench.kept.machines import LAPTOP, MACHINES, Machine
from bench.policies.traces import Trace

from gglib.cli.tuning.svg import document, rectangle, text_at
from gglib.runtime.engines.kept_prompts.policy import LIMIT_S, RETURN_CHANCE, WRITE_BYTES_H
from gglib.runtime.scheduler.saving import SHARE

NEVER, ALWAYS = "never", "always"
ALONE, DEFAULT, KEPT = "gglib, no memory for two", "gglib", "gglib, `keep_conversations`"
NO_LIMIT = "no limit"
_GB_H = f"{WRITE_BYTES_H / 1e9:g}"
COLOURS = {NEVER: "#a9b4c2", ALWAYS: "#d9a441", ALONE: "#b9cfee", DEFAULT: "#7fa3d6", KEPT: "#2458a6"}
LABELS_PX, PANEL_PX, BAR_PX, GAP_PX, TOP_PX = 260, 520, 11, 10, 70

Table = dict[Trace, dict[str, Figures]]
"""The figures of a machine, by trace and rule."""
Sweep = dict[str, dict[str, Figures]]
"""Figures by row and column."""


def page(tables: dict[Machine, Table], writes: Sweep, limits: Sweep, chances: Sweep) -> str:
    """Return the report as Markdown."""
    parts = [_introduction(), _machines(), "## In short", _summary(tables)]
    for machine, table in tables.items():
        parts += [f"## {machine.name}", machine_table(table)]
        if machine is LAPTOP:
            parts.append(f"![Prompt seconds, {machine.name}](kept-policy.svg)")
    parts += [
        "## How much is written",
        _writes_introduction(),
        writes_table(writes),
        "## Other values of `kv_keep`",
        "The week, with `keep_conversations`: prompt seconds / GB written in an hour / share of files found.",
        _sweep(limits, "`kv_keep`", _prompts),
        "## How likely a conversation returns",
        _chance_introduction(),
        _sweep(chances, "Tokens/s, trace", _first_tokens),
    ]
    return "\n\n".join(parts) + "\n"


def _introduction() -> str:
    return f"""# What is kept: prompts that are saved when an engine stops

Simulated in virtual time by `python -m bench.kept_policy` with {len(SEEDS)} seeds for each trace: the traces of
[policies.md](policies.md), with gglib's scheduler, one resident model and a conversation behind each request; the code
of `kept_prompts.policy` decides. Not measured: the lengths of prompts are assumptions, and so are most rates.

- Lengths in tokens, log-normal, as median (spread): an agent's first prompt {_of(AGENT)};
  a chat's {_of(CHAT)}; a single request's {SINGLE.first[0]:g} ({SINGLE.first[1]:g});
  a response {ANSWER[0]:g} ({ANSWER[1]:g}). Beyond {CONTEXT_TOKENS:,} tokens a conversation is summarized, and begins
  anew. Agents and loops have one conversation for each client and model. Ten models: a third single requests, the rest
  turns of four chats with each model.
- The week: {DAYS} days of 8 hours with three models, one session after the other with pauses of {PAUSE_S / 60:g}
  minutes (mean). {RETURNS:.0%} of the sessions continue an earlier conversation, the last ones more often (1 / age).
  Of new ones {AGENTS:.0%} are agents' and {SINGLES:.0%} single requests.
- **never**: nothing is kept. **always**: each prompt, whatever it costs, the oldest files make room, and the load waits
  for the saves.
- **gglib, no memory for two**: saves of a stop that requests wait for take at most {SHARE:.0%} of the load that
  follows, others {LIMIT_S:g} s. **gglib**: there is memory for two models, so saves that take longer than these
  {SHARE:.0%} go on beside the load, for at most {LIMIT_S:g} s; a request for a third model ends them. Both write at
  most {_GB_H} GB in an hour, and as much at once after an hour without saves. **`keep_conversations`**:
  as gglib, also with memory for two models, but no request ends the saves, and what is written has no limit. `kv_keep`
  is 8 GB.
- Prompts do not slow each other down, and beginnings that conversations share are not used. **Assumed: a save beside
  a load does not slow it**, so that such a swap counts as slower by 0, and the request as waiting 0 s for it;
  `python -m bench.kept_prompts` measures that on a machine. A request for the model that saves waits for its exit:
  that is in the time to the first token.

*Least*: if each conversation had always found its last prompt. *First token*: from the arrival of a request to the end
of its prompt, mean of all. *Added wait*: saves and restores, for each request that waited for them, sum of a run.
*Slower*: the share of swaps with a waiting request that saves made slower by more than {SLOWER:.0%}. *Found*:
the share of files that a later request found."""


def _chance_introduction() -> str:
    return f"""Mean time to the first token, s / GB written in an hour, with `keep_conversations` and no memory for
two models: each save delays the load that waits for it. For an 8B model on GPUs, by the chance that a saved prompt is
found (`RETURN_CHANCE`, {RETURN_CHANCE:g} in gglib): the gain times this chance has to be more than the save."""


def _of(style: Style) -> str:
    return f"{style.first[0]:g} ({style.first[1]:g}), and {style.growth[0]:g} ({style.growth[1]:g}) more with each turn"


def _machines() -> str:
    lines = [
        "| Machine | Prompt, tokens/s | KB a token | Write, GB/s | Read, GB/s | Load, s | Worth a file from | Source |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for machine in MACHINES:
        rates = machine.rates
        least = machine.break_even_tokens
        lines.append(
            f"| {machine.name} | {rates.prompt_tokens_s:g} | {rates.bytes_token / 1000:.0f} "
            f"| {rates.save_bytes_s / 1e9:g} | {rates.restore_bytes_s / 1e9:g} | {4 * machine.swap_factor:g} "
            f"| {'never' if least is None else f'{least} tokens'} | {machine.source} |"
        )
    return "\n".join(lines)


def _summary(tables: dict[Machine, Table]) -> str:
    """Return for each trace the share of the avoidable prompt seconds that was avoided, and what was written."""
    avoided = _summary_table(tables, lambda row, rule: f"{_avoided(row, rule):.0%}")
    written = _summary_table(tables, lambda row, rule: f"{row[rule].written_gb_h:.1f}")
    return f"""Prompt seconds avoided, of those that were avoidable (*never* less *least*): as shipped, no memory for
two / as shipped / `keep_conversations`. Without memory for two models, the save of a long prompt takes longer than its
share of a load: short chats are kept, agents' prompts are not, unless nothing waits when their engine stops.

{avoided}

What that costs a disk: GB written in an hour, by the same three. All traces but the week last for minutes, so what may
be written at once ({_GB_H} GB) counts for much of it; [below](#how-much-is-written) an agent goes on for hours.

{written}"""


def _summary_table(tables: dict[Machine, Table], cell: Callable[[dict[str, Figures], str], str]) -> str:
    lines = [
        f"| Trace | {' | '.join(machine.name for machine in tables)} |",
        "|---|" + "--:|" * len(tables),
    ]
    for trace in next(iter(tables.values())):
        cells = [
            " / ".join(cell(table[trace], rule) for rule in (ALONE, DEFAULT, KEPT))
            for table in tables.values()
        ]
        lines.append(f"| {trace.title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _avoided(row: dict[str, Figures], rule: str) -> float:
    never = row[NEVER]
    return (never.prompt_s - row[rule].prompt_s) / (never.prompt_s - never.least_prompt_s)


def _writes_introduction() -> str:
    return f"""Prompt seconds avoided, of those that were avoidable / GB written in an hour, by how much may be written
in an hour (`WRITE_BYTES_H`, {_GB_H} GB in gglib), with memory for two models and without `keep_conversations`. The
agent sends {LONG} requests. A file that may not be replaced now is still the beginning of its conversation, so that a
few saves bring most of what all of them would. {_GB_H} GB an hour for 8 hours on 250 days are
{WRITE_BYTES_H * 8 * 250 / 1e12:g} TB in a year."""


def writes_table(writes: Sweep) -> str:
    """Return the figures of each allowance."""
    columns = [column for column in next(iter(writes.values())) if column != NEVER]
    lines = [f"| Machine, trace | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    for name, row in writes.items():
        cells = [f"{_avoided(row, column):.0%} / {row[column].written_gb_h:.1f}" for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def machine_table(table: Table) -> str:
    """Return the figures of one machine."""
    lines = [
        "| Trace | Rule | Prompts, s | Least, s | First token, s | GB/h written | Found | Added wait, s | Slower |",
        "|---|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for trace, row in table.items():
        for number, (name, one) in enumerate(row.items()):
            title = trace.title if number == 0 else ""
            found = f"{one.found:.2f}" if one.written_gb_h else "-"
            lines.append(
                f"| {title} | {name} | {one.prompt_s:.0f} | {one.least_prompt_s:.0f} | {one.first_token_s:.2f} "
                f"| {one.written_gb_h:.1f} | {found} | {one.added_wait_s:.1f} | {one.slower_swaps:.2f} |"
            )
    return "\n".join(lines)


def _sweep(sweep: Sweep, corner: str, cell: Callable[[Figures], str]) -> str:
    columns = list(next(iter(sweep.values())))
    lines = [f"| {corner} | {' | '.join(columns)} |", "|---|" + "--:|" * len(columns)]
    for name, row in sweep.items():
        cells = [cell(row[column]) for column in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _prompts(one: Figures) -> str:
    return f"{one.prompt_s:.0f} / {one.written_gb_h:.2f} / {one.found:.2f}"


def _first_tokens(one: Figures) -> str:
    return f"{one.first_token_s:.2f} / {one.written_gb_h:.1f}"


def plot(table: Table, title: str) -> str:
    """Return an SVG with the prompt seconds of each rule, as shares of those of the rule that keeps nothing."""
    row_px = len(COLOURS) * BAR_PX + GAP_PX
    parts = [text_at(20, 26, title, is_bold=True, size=16)]
    x = float(LABELS_PX)
    for name, colour in COLOURS.items():
        label = name.replace("`", "")
        parts += [rectangle(x, 40, 10, 10, colour=colour), text_at(x + 15, 50, label)]
        x += 30 + 7 * len(label)
    for row, (trace, figures) in enumerate(table.items()):
        top = TOP_PX + row * row_px
        parts.append(text_at(LABELS_PX - 10, top + 2 * BAR_PX + 4, trace.title, anchor="end"))
        most = max(figures[NEVER].prompt_s, 1e-9)
        for bar, (name, colour) in enumerate(COLOURS.items()):
            seconds = figures[name].prompt_s
            width = PANEL_PX * min(1.0, seconds / most)
            y = top + bar * BAR_PX
            parts += [
                rectangle(LABELS_PX, y, width, BAR_PX - 2, colour=colour),
                text_at(LABELS_PX + width + 5, y + 9, f"{seconds:.0f} s", size=10),
            ]
    return document(LABELS_PX + PANEL_PX + 70, TOP_PX + len(table) * row_px + 10, parts, title=title)
