"""The rows about requests: overview, traffic and failures, times, tokens, keys."""

from scripts.grafana_dashboard.panels import (
    GREEN,
    GREY,
    ORANGE,
    RED,
    Panel,
    Query,
    colored,
    counts,
    graph,
    stat,
    table,
)
from scripts.grafana_dashboard.queries import (
    IS_GGLIB,
    KEY,
    MODEL,
    MODEL_AND_KEY,
    SERVER,
    count_by,
    gauge_by,
    or_zero,
    quantile,
    rate_by,
)

TOKENS_PER_S = "suffix: tok/s"
NO_REQUESTS = "No requests in this time"
NO_KEYS = "No requests with a key yet"
NOT_PROBES = 'route!~"/metrics|/health|/ready|/v1/health"'
LIMITED = 'code="rate_limit_exceeded"'
REQUESTS, ERRORS, KEY_ERRORS = "gglib_requests_total", "gglib_request_errors_total", "gglib_key_errors_total"
PROMPT, GENERATED = "gglib_prompt_tokens_total", "gglib_completion_tokens_total"
CACHED = "gglib_cached_prompt_tokens_total"
FIRST_BYTE = f'{MODEL}, streamed="true"'

FAILED = rate_by("", ERRORS, MODEL)
FINISHED = rate_by("", REQUESTS, f"{MODEL}, {NOT_PROBES}")
FAILED_SHARE = or_zero(f"clamp_max(({or_zero(FAILED)}) / ({FINISHED} > 0), 1)")
"""At most 1: refused scrapes are failures, and not among the finished requests here."""
STATUS_COLORS = [
    colored("^2", GREEN),
    colored("^4", ORANGE),
    colored("^499", GREY),
    colored("^5", RED),
]


def overview() -> list[Panel]:
    """Return eight numbers."""
    uptime = f"time() - max(process_start_time_seconds{{{SERVER}}}{IS_GGLIB})"
    in_memory = gauge_by("", "gglib_resident_models", SERVER)
    wait = f"max(gglib_longest_wait_seconds{{{SERVER}}})"
    return [
        stat(
            "Requests",
            "Finished requests per second, without scrapes of the metrics and health checks.",
            or_zero(rate_by("", REQUESTS, f"{MODEL_AND_KEY}, {NOT_PROBES}")),
            "reqps",
        ),
        stat(
            "Failed",
            "Share of requests that failed, without scrapes of the metrics and health checks.",
            FAILED_SHARE,
            "percentunit",
            steps={0.01: ORANGE, 0.05: RED},
            decimals=1,
        ),
        stat(
            "Generated",
            "Generated tokens per second, of all chosen models and keys together.",
            or_zero(rate_by("", GENERATED, MODEL_AND_KEY)),
            TOKENS_PER_S,
            decimals=1,
        ),
        stat(
            "In flight",
            "Requests that models are serving now.",
            or_zero(gauge_by("", "gglib_requests_in_flight", MODEL)),
            "short",
        ),
        stat(
            "Waiting",
            "Requests that wait for their model now.",
            or_zero(gauge_by("", "gglib_requests_waiting", MODEL)),
            "short",
        ),
        stat(
            "Longest wait",
            "How long the oldest waiting request has waited.",
            or_zero(wait),
            "s",
            steps={15: ORANGE, 60: RED},
        ),
        stat(
            "Models in memory",
            "Models that are loading, ready, or on their way out.",
            or_zero(in_memory),
            "short",
        ),
        stat("Up for", "Time since the start of gglib (Linux only).", uptime, "s", has_graph=False),
    ]


def traffic() -> list[Panel]:
    """Return requests by route and status, and failures."""
    return [
        graph(
            "Requests by route",
            "Finished requests per second, by route of the API. Scrapes of the metrics are requests, too.",
            Query(or_zero(rate_by("route", REQUESTS, MODEL_AND_KEY), "route"), "{{route}}"),
            "reqps",
            is_stacked=True,
        ),
        graph(
            "Requests by status",
            "Finished requests per second, by status. 499: the client left before the end of the response.",
            Query(or_zero(rate_by("status", REQUESTS, MODEL_AND_KEY), "status"), "{{status}}"),
            "reqps",
            is_stacked=True,
            overrides=STATUS_COLORS,
        ),
        graph(
            "Requests by model",
            "Finished requests per second, by model; those without a model are not shown.",
            Query(or_zero(rate_by("model", REQUESTS, f'{MODEL_AND_KEY}, model!=""'), "model"), "{{model}}"),
            "reqps",
            is_stacked=True,
        ),
        graph(
            "Failed requests",
            "Share of requests that failed, without scrapes of the metrics and health checks.",
            Query(FAILED_SHARE, "failed"),
            "percentunit",
            maximum=1,
            overrides=[colored("failed", RED)],
        ),
        counts(
            "Failures by code",
            "Number of failed requests, by error code. A stream that fails after its start counts, too.",
            Query(or_zero(count_by("code", ERRORS, MODEL), "code"), "{{code}}"),
        ),
        counts(
            "Failures of engines",
            "Requests that failed because of the engine: unreachable, connection broken, or stalled.",
            Query(or_zero(count_by("model", "gglib_upstream_errors_total", MODEL), "model"), "{{model}}"),
        ),
    ]


def times() -> list[Panel]:
    """Return the times that a client notices."""
    shown = (
        (
            "Time to the first byte",
            "Of streams: time from the request to the first token or an earlier comment of the engine.",
            "gglib_first_byte_seconds",
            FIRST_BYTE,
            "No streams in this time",
        ),
        (
            "Wait for a model",
            "Time that admitted requests waited for their model, in the queue and during its load.",
            "gglib_model_wait_seconds",
            MODEL,
            NO_REQUESTS,
        ),
        (
            "Duration of requests",
            "Time from the arrival of a request to the end of its response.",
            "gglib_request_duration_seconds",
            f'{MODEL}, model!=""',
            NO_REQUESTS,
        ),
    )
    return [
        graph(
            title,
            f"{meaning} Half of the requests are faster than p50, 5% are slower than p95.",
            [
                Query(quantile(0.5, metric, matchers), "{{model}} p50"),
                Query(quantile(0.95, metric, matchers), "{{model}} p95"),
            ],
            "s",
            empty=empty,
        )
        for title, meaning, metric, matchers, empty in shown
    ]


def tokens() -> list[Panel]:
    """Return tokens and speeds by model."""
    speed = "gglib_generation_tokens_per_second"
    return [
        graph(
            "Generated tokens",
            "Generated tokens per second, all requests of a model together.",
            Query(or_zero(rate_by("model", GENERATED, MODEL_AND_KEY), "model"), "{{model}}"),
            TOKENS_PER_S,
            is_stacked=True,
            width=6,
        ),
        graph(
            "Prompt tokens",
            "Prompt tokens per second, with those from the cache.",
            Query(or_zero(rate_by("model", PROMPT, MODEL_AND_KEY), "model"), "{{model}}"),
            TOKENS_PER_S,
            is_stacked=True,
            width=6,
        ),
        graph(
            "Cached share of prompts",
            "Share of the prompt tokens that the engine had in its cache. Prompts with the same beginning raise it.",
            Query(
                f"{rate_by('model', CACHED, MODEL_AND_KEY)} / ({rate_by('model', PROMPT, MODEL_AND_KEY)} > 0)",
                "{{model}}",
            ),
            "percentunit",
            empty=NO_REQUESTS,
            maximum=1,
            width=6,
        ),
        graph(
            "Speed of a response",
            "Tokens per second that a single response is generated with: half of the responses are faster than p50, "
            "5% are slower than p5.",
            [
                Query(quantile(0.5, speed, MODEL), "{{model}} p50"),
                Query(quantile(0.05, speed, MODEL), "{{model}} p5"),
            ],
            TOKENS_PER_S,
            empty=NO_REQUESTS,
            width=6,
        ),
    ]


def keys() -> list[Panel]:
    """Return what each access key uses; empty on servers without keys."""
    with_key = f'{MODEL_AND_KEY}, key!=""'

    def by_key(metric: str) -> Query:
        return Query(rate_by("key", metric, with_key), "{{key}}")

    def in_range(metric: str, matchers: str) -> Query:
        return Query(count_by("key", metric, matchers, "$__range"))

    return [
        graph(
            "Requests by key",
            "Finished requests per second.",
            by_key(REQUESTS),
            "reqps",
            empty=NO_KEYS,
            width=6,
        ),
        graph(
            "Generated tokens by key",
            "Generated tokens per second.",
            by_key(GENERATED),
            TOKENS_PER_S,
            empty=NO_KEYS,
            width=6,
        ),
        counts(
            "Refused by a limit",
            "Number of requests that a limit of their key refused (429 rate_limit_exceeded).",
            Query(or_zero(count_by("key", KEY_ERRORS, f"{KEY}, {LIMITED}"), "key"), "{{key}}"),
            width=6,
        ),
        counts(
            "Failures by key",
            "Number of failed requests, also of those that a limit refused.",
            Query(or_zero(count_by("key", KEY_ERRORS, KEY), "key"), "{{key}}"),
            width=6,
        ),
        table(
            "Usage by key",
            "Sums over the selected time, estimated from scrapes. 'gglib usage' has exact numbers.",
            "key",
            {
                "Requests": in_range(REQUESTS, with_key),
                "Failed": in_range(KEY_ERRORS, KEY),
                "Refused by a limit": in_range(KEY_ERRORS, f"{KEY}, {LIMITED}"),
                "Prompt tokens": in_range(PROMPT, with_key),
                "Cached tokens": in_range(CACHED, with_key),
                "Generated tokens": in_range(GENERATED, with_key),
            },
        ),
    ]
