"""The results as a Markdown page of tables. Text in, text out: it writes no file and runs nothing."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from bench.proxies.results import DISTURBED_SHARE, Results, limit
from bench.proxies.scenarios import FULL, QUICK, Figures

OURS = "gglib"
LABELS = {"direct": "direct", "gglib": "gglib", "nginx": "nginx", "caddy": "Caddy"}


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a table: a figure, or its relation to the same figure of another side."""

    title: str
    key: str
    digits: int = 0
    over: str | None = None
    """Divide by the same figure of this side."""
    minus: str | None = None
    """Subtract the same figure of this side."""

    def cell(self, side: str, table: dict[str, Figures]) -> str:
        """Return the text of one cell."""
        value = table[side].get(self.key, math.nan)
        other = self.over or self.minus
        if other is not None:
            base = table.get(other, {}).get(self.key, math.nan)
            if side == other or math.isnan(base) or (self.over and not base):
                return "-"
            value = value / base if self.over else value - base
        if math.isnan(value) or (side == "direct" and self.key in _OF_A_PROXY):
            return "-"
        return f"{value:,.{self.digits}f}"


_OF_A_PROXY = frozenset(("cpu_ms_per_1000", "memory_mb", "peak_growth_mb", "kept_mb", "grown_kib_per_reader"))


def _compared(title: str, key: str, digits: int) -> list[Column]:
    return [
        Column(title, key, digits),
        Column("to Caddy", key, 2, over="caddy"),
        Column("to nginx", key, 2, over="nginx"),
    ]


_WHOLE = [
    *_compared("requests/s", "per_s", 0),
    *_compared("p50, ms", "p50_ms", 3),
    Column("p99, ms", "p99_ms", 2),
    *_compared("CPU ms per 1,000 requests", "cpu_ms_per_1000", 1),
    Column("errors", "errors"),
]
_STREAMED = [
    *_compared("chunks/s", "units_per_s", 0),
    Column("streams/s", "per_s"),
    Column("first byte p50, ms", "first_byte_p50_ms", 2),
    Column("p99", "first_byte_p99_ms", 2),
    *_compared("CPU ms per 1,000 chunks", "cpu_ms_per_1000", 2),
    Column("errors", "errors"),
]
_PACED = [
    Column("delay per chunk p50, ms", "delay_p50_ms", 2),
    Column("p99", "delay_p99_ms", 2),
    Column("added to direct p50, ms", "delay_p50_ms", 2, minus="direct"),
    Column("p99", "delay_p99_ms", 2, minus="direct"),
    Column("first byte p50, ms", "first_byte_p50_ms", 2),
    *_compared("CPU ms per 1,000 chunks", "cpu_ms_per_1000", 2),
    Column("memory, MB", "memory_mb", 1),
    Column("streams with loss", "short_streams"),
    Column("mixed or out of order", "disordered_streams"),
    Column("errors", "errors"),
]
_BODY = [
    *_compared("posts/s", "per_s", 1),
    Column("p50, ms", "took_p50_ms", 1),
    Column("p99, ms", "took_p99_ms", 1),
    Column("CPU ms per 1,000 posts", "cpu_ms_per_1000", 0),
    Column("peak memory growth, MB", "peak_growth_mb", 1),
    Column("kept after, MB", "kept_mb", 1),
]
_SLOW = [
    Column("process memory per slow reader, KiB", "grown_kib_per_reader", 0),
    Column("all on its way per slow reader, KiB", "in_flight_kib_per_reader", 0),
    Column("others' streams before: p50, ms", "alone_p50_ms", 2),
    Column("p99", "alone_p99_ms", 2),
    Column("beside: p50, ms", "beside_p50_ms", 2),
    Column("p99", "beside_p99_ms", 2),
]
_ENGINE = [
    Column("first byte, ms", "first_byte_p50_ms", 1),
    Column("to direct, ms", "first_byte_p50_ms", 1, minus="direct"),
    Column("tokens/s", "tokens_per_s", 1),
]

_SECTIONS = (
    ("json-1", "Whole answers, 1 connection", _WHOLE),
    ("json-32", "Whole answers, 32 connections", _WHOLE),
    ("json-256", "Whole answers, 256 connections", _WHOLE),
    ("sse-1", "Streams of 200 chunks, 1 at a time", _STREAMED),
    ("sse-32", "Streams of 200 chunks, 32 at once", _STREAMED),
    ("paced", "Paced streams of 20 chunks/s", _PACED),
    ("body", "Request bodies of 20 MB, one after the other", _BODY),
    ("slow-reader", "Readers of 1 byte/s on endless streams", _SLOW),
    ("engine", "A real engine: one short answer", _ENGINE),
)


def page(results: Results) -> str:
    """Return the whole report as Markdown."""
    parts = [_introduction(results), "![Proxies compared](proxies.svg)", *_short(results)]
    for name, title, columns in _SECTIONS:
        table = results.medians(name)
        if table:
            parts += [f"## {title}", _table(columns, table), *_limits(table, results.load_cores)]
    parts += ["## Memory", _memory(results)]
    return "\n\n".join(parts) + "\n"


def _introduction(results: Results) -> str:
    told = ", ".join(f"{name} {version}" for name, version in results.versions.items())
    scale = QUICK if results.is_quick else FULL
    quick = " **A quick run: too short to be quoted.**" if results.is_quick else ""
    return f"""# Proxies compared

Measured by `python -m bench.proxies` on {results.date}: {results.machine}; {results.pinning}.
{told}.{quick}

Each proxy in front of an upstream of its own, all at rest but the one that is measured; {scale.rounds}
round(s), in each of which the sides take turns, in another order each time. The upstream is a scripted llama-server
(canned bytes, uvloop) on a unix socket, which closes the connection after a stream although its head
says Keep-Alive, as llama-server does.

- **direct**: no proxy; the load speaks to the upstream over loopback TCP.
- **gglib**: `gglib serve` as it ships: catalogue, scheduler, a line in the log for each request, the upstream launched
  as its engine.
- **nginx**: one worker; `proxy_buffering off`, `proxy_request_buffering off`, upstream connections kept, no access log.
- **Caddy**: Go's reverse proxy; `flush_interval -1`, `GOMAXPROCS=1`, upstream connections kept, no access log.

The figures are medians of the calm rounds: those in which other programs took no more than {DISTURBED_SHARE:.0%} of
either core, or of all where there is no calm one, which the note below the table says.

Neither nginx nor Caddy looks at the body, picks a model or writes a log. CPU is the proxy's own processor time
(user and system) from `/proc`, which noise from other programs touches least. Load and upstream share what the proxy
leaves of the machine: where that is the limit the table's note says so, and the rate is no longer the proxy's.
*Errors* are answers that were refused, broken off or not what the upstream sent, of all rounds together: a proxy that
believes Keep-Alive may send a request over a connection that is just being closed, and answers 502."""


def _short(results: Results) -> list[str]:
    """Summarize the run for gglib, in ratios."""
    wanted = (
        ("requests/s, 32 connections", "json-32", "per_s"),
        ("p50 at one connection", "json-1", "p50_ms"),
        ("CPU per request, 32 connections", "json-32", "cpu_ms_per_1000"),
        ("chunks/s, 32 streams", "sse-32", "units_per_s"),
        ("CPU per chunk, 32 streams", "sse-32", "cpu_ms_per_1000"),
        ("CPU per chunk, paced streams", "paced", "cpu_ms_per_1000"),
        ("20 MB posts/s", "body", "per_s"),
        ("memory at the paced streams", "paced", "memory_mb"),
    )
    lines = ["| gglib | to Caddy | to nginx |", "|---|--:|--:|"]
    for title, scenario, key in wanted:
        table = results.medians(scenario)
        if OURS in table:
            cells = [Column("", key, 2, over=other).cell(OURS, table) for other in ("caddy", "nginx")]
            lines.append(f"| {title} | {cells[0]} | {cells[1]} |")
    return ["## In short", "\n".join(lines)] if len(lines) > 2 else []


def _table(columns: Sequence[Column], table: dict[str, Figures]) -> str:
    lines = [
        "| | " + " | ".join(column.title for column in columns) + " |",
        "|---|" + "--:|" * len(columns),
    ]
    for side in table:
        name = f"**{LABELS[side]}**" if side == OURS else LABELS[side]
        lines.append(f"| {name} | " + " | ".join(column.cell(side, table) for column in columns) + " |")
    return "\n".join(lines)


def _limits(table: dict[str, Figures], load_cores: int) -> list[str]:
    known = {side: figures for side, figures in table.items() if "proxy_busy" in figures}
    if not known:
        return []
    told = [
        f"{LABELS[side]}: {limit(figures, load_cores)} (proxy {figures['proxy_busy']:.0%}, "
        f"upstream {figures['upstream_busy']:.0%}, load {figures['load_busy']:.0%})"
        for side, figures in known.items()
    ]
    return ["The limit, and how busy each was: " + "; ".join(told) + "."]


def _memory(results: Results) -> str:
    moments = dict(results.memory_mb)
    paced = {side: figures["memory_mb"] for side, figures in results.medians("paced").items()}
    if paced:
        moments = {
            "at rest": moments["at rest"],
            "during the paced streams": paced,
            "after the run": moments["after the run"],
        }
    names = [side for side in moments["at rest"] if side != "direct"]
    lines = [
        "| MB (PSS) | " + " | ".join(LABELS[side] for side in names) + " |",
        "|---|" + "--:|" * len(names),
        *(
            f"| {moment} | " + " | ".join(f"{values[side]:.1f}" for side in names) + " |"
            for moment, values in moments.items()
        ),
    ]
    return "\n".join(lines)
