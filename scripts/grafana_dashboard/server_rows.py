"""The rows about the machine: queue and models, memory, the server itself."""

from scripts.grafana_dashboard.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    Panel,
    Query,
    colored,
    counts,
    graph,
    limit_line,
    states,
)
from scripts.grafana_dashboard.queries import IS_GGLIB, MODEL, SERVER, count_by, gauge_by, or_zero, rate_by

STATES = {
    0: ("not in memory", "transparent"),
    1: ("ready", GREEN),
    2: ("draining", ORANGE),
    3: ("loading", BLUE),
    4: ("stopping", GREY),
}
"""Text and colour of the values in the timeline; the name is that of the label ``state``, without 0."""
NO_MODELS = "No model in memory"
NO_NODES = "No nodes"
NO_KEPT_PROMPTS = "No prompt has been kept"


def models() -> list[Panel]:
    """Return the queue, the models in memory, loads and swaps."""
    return [
        states(
            "Models in memory",
            "When each model was loaded, served requests, and was unloaded.",
            Query(_timeline(), "{{model}}"),
            STATES,
        ),
        graph(
            "Queue",
            "Requests that wait for a model.",
            Query(or_zero(gauge_by("model", "gglib_requests_waiting", MODEL), "model"), "{{model}}"),
            "short",
            is_stacked=True,
        ),
        graph(
            "Longest wait",
            "How long the oldest waiting request has waited. It rises until a model is free.",
            Query(or_zero(f"max(gglib_longest_wait_seconds{{{SERVER}}})"), "longest wait"),
            "s",
        ),
        graph(
            "In flight",
            "Requests that a model is serving.",
            Query(or_zero(gauge_by("model", "gglib_requests_in_flight", MODEL), "model"), "{{model}}"),
            "short",
            is_stacked=True,
        ),
        counts(
            "Swaps by reason",
            "Number of swaps, by the reason why the previous model was unloaded; room: nothing was unloaded.",
            Query(or_zero(count_by("reason", "gglib_swaps_total", SERVER), "reason"), "{{reason}}"),
        ),
        counts(
            "Loads",
            "Number of finished loads: ready, failed, or stopped before they were ready.",
            Query(or_zero(count_by("outcome", "gglib_model_loads_total", MODEL), "outcome"), "{{outcome}}"),
            overrides=[colored("ready", GREEN), colored("failed", RED), colored("stopped", GREY)],
        ),
        graph(
            "Mean load time",
            "Mean duration of the loads of a model since the start of gglib.",
            Query(_mean_load_time(), "{{model}}"),
            "s",
            empty="No model has been loaded yet",
        ),
    ]


def memory() -> list[Panel]:
    """Return the memory of models against the budget."""
    return [
        _memory("Memory: RAM", 'device="ram"', "RAM"),
        _memory("Memory: GPUs", 'device!="ram"', "memory of all GPUs together"),
        graph(
            "Share of the budget",
            "Memory of all models together as a share of the budget, by device. Empty without a budget.",
            Query(
                f"{gauge_by('device', 'gglib_model_memory_bytes', SERVER)} / "
                f"({gauge_by('device', 'gglib_memory_budget_bytes', SERVER)} > 0)",
                "{{device}}",
            ),
            "percentunit",
            empty="No model in memory, or no memory budget",
        ),
    ]


def kept_prompts() -> list[Panel]:
    """Return the prompts that are kept in files while their model is not in memory."""
    return [
        graph(
            "Kept prompts: tokens",
            "Tokens per second that were saved when a model was unloaded, and restored when it was loaded.",
            Query(rate_by("operation", "gglib_kept_prompt_tokens_total", SERVER), "{{operation}}"),
            "short",
            empty=NO_KEPT_PROMPTS,
        ),
        graph(
            "Kept prompts: time",
            "Mean time of the save and of the restore of a prompt since the start of gglib.",
            Query(
                f"{gauge_by('operation', 'gglib_kept_prompt_seconds_total', SERVER)} / "
                f"({gauge_by('operation', 'gglib_kept_prompts_total', SERVER)} > 0)",
                "{{operation}}",
            ),
            "s",
            empty=NO_KEPT_PROMPTS,
        ),
        graph(
            "Kept prompts: disk",
            "Size of the files. The dashed line is the limit, the setting kv_keep.",
            [
                Query(gauge_by("", "gglib_kept_prompt_files_bytes", SERVER), "files"),
                Query(gauge_by("", "gglib_kept_prompt_limit_bytes", SERVER), "limit"),
            ],
            "bytes",
            empty=NO_KEPT_PROMPTS,
            overrides=[limit_line("limit")],
        ),
    ]


def nodes() -> list[Panel]:
    """Return what each node does, as the server sees it; empty without nodes."""
    return [
        graph(
            "Nodes",
            "1 while a node takes requests, else 0; a sum if several servers are chosen.",
            Query(gauge_by("node", "gglib_node_up", SERVER), "{{node}}"),
            "none",
            empty=NO_NODES,
        ),
        graph(
            "Requests by node",
            "Finished requests per second that a node served, without those of the server's own machine.",
            Query(rate_by("node", "gglib_node_requests_total", SERVER), "{{node}}"),
            "reqps",
            empty=NO_NODES,
            is_stacked=True,
        ),
        counts(
            "Lost requests by node",
            "Number of requests that a node lost: it died or was cut off. Most are served by another one.",
            Query(or_zero(count_by("node", "gglib_node_lost_requests_total", SERVER), "node"), "{{node}}"),
        ),
        graph(
            "Models in memory by node",
            "Models that are loading, ready, or on their way out.",
            Query(gauge_by("node", "gglib_node_resident_models", SERVER), "{{node}}"),
            "short",
            empty=NO_NODES,
            is_stacked=True,
        ),
        graph(
            "In progress by node",
            "Requests that the server has sent to a node and that have not ended.",
            Query(gauge_by("node", "gglib_node_requests_in_progress", SERVER), "{{node}}"),
            "short",
            empty=NO_NODES,
            is_stacked=True,
        ),
        graph(
            "Waiting by node",
            "Requests that wait at a node, also those of other clients.",
            Query(gauge_by("node", "gglib_node_requests_waiting", SERVER), "{{node}}"),
            "short",
            empty=NO_NODES,
            is_stacked=True,
        ),
    ]


def server() -> list[Panel]:
    """Return what the process itself uses, its connections, and the request history."""
    return [
        graph(
            "Connections",
            "Open client connections.",
            Query(
                or_zero(gauge_by("instance", "gglib_client_connections", SERVER), "instance"), "{{instance}}"
            ),
            "short",
            width=6,
        ),
        counts(
            "Refused by the HTTP server",
            "Connections and malformed requests that were refused before they became requests, by status.",
            Query(or_zero(count_by("status", "gglib_edge_refusals_total", SERVER), "status"), "{{status}}"),
            width=6,
        ),
        graph(
            "CPU of gglib",
            "Processor time per second, without the engines: 100% is one core (Linux only).",
            Query(f"rate(process_cpu_seconds_total{{{SERVER}}}[$__rate_interval]){IS_GGLIB}", "{{instance}}"),
            "percentunit",
            width=6,
        ),
        graph(
            "Memory of gglib",
            "Resident memory of the process, without the engines (Linux only).",
            Query(f"process_resident_memory_bytes{{{SERVER}}}{IS_GGLIB}", "{{instance}}"),
            "bytes",
            width=6,
        ),
        *_history(),
    ]


def _history() -> list[Panel]:
    outcomes = or_zero(rate_by("outcome", "gglib_history_requests_total", SERVER), "outcome")
    lost = f'{SERVER}, outcome="lost"'
    return [
        graph(
            "History: requests",
            "Requests per second that the history stored in a row (stored), in a row shared with others (aggregated), "
            "or not (lost).",
            Query(outcomes, "{{outcome}}"),
            "reqps",
            is_stacked=True,
            overrides=[colored("lost", RED)],
        ),
        counts(
            "History: lost requests",
            "Requests that are missing in the history and in the usage: the disk was full or too slow.",
            [
                Query(or_zero(count_by("", "gglib_history_requests_total", lost)), "lost"),
                Query(or_zero(gauge_by("", "gglib_history_write_failing", SERVER)), "writing fails"),
            ],
            overrides=[colored("lost", RED), colored("fails", ORANGE)],
        ),
        graph(
            "History: size",
            "Size of the request history on the disk.",
            Query(
                or_zero(gauge_by("instance", "gglib_history_size_bytes", SERVER), "instance"), "{{instance}}"
            ),
            "bytes",
        ),
    ]


def _timeline() -> str:
    """Return the number of the state of each model that has been loaded since the start.

    A model that is not in memory has the value 0, since a gap in a series is not always drawn as a gap.
    """
    in_memory = [
        f'{number} * group by (model) (gglib_resident_models{{{MODEL}, state="{name}"}})'
        for number, (name, _) in STATES.items()
        if number
    ]
    return " or ".join([*in_memory, f"0 * group by (model) (gglib_model_loads_total{{{MODEL}}})"])


def _mean_load_time() -> str:
    ready = f'{MODEL}, outcome="ready"'
    total = gauge_by("model", "gglib_model_load_seconds_total", ready)
    return f"{total} / {gauge_by('model', 'gglib_model_loads_total', ready)}"


def _memory(title: str, device: str, name: str) -> Panel:
    return graph(
        title,
        f"Memory of models in the {name}, measured or expected. The dashed line is the budget, if there is one.",
        [
            Query(gauge_by("model", "gglib_model_memory_bytes", f"{MODEL}, {device}"), "{{model}}"),
            Query(gauge_by("", "gglib_memory_budget_bytes", f"{SERVER}, {device}"), "budget"),
        ],
        "bytes",
        empty=NO_MODELS,
        is_stacked=True,
        overrides=[limit_line("budget")],
    )
