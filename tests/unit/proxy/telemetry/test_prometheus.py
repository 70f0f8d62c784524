"""The metrics in the Prometheus text format, and in the docs."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.node_values import snapshot
from tests.support.promql import check

import gglib
from gglib.core.errors import GglibError
from gglib.core.nodes import ClusterOverview, NodeState
from gglib.core.ports import (
    HistoryStatistics,
    LoadCount,
    ResidentStatus,
    RuntimeStatus,
    SwapCount,
    WaitingStatus,
)
from gglib.core.runtime.kept_prompts import KeptTotals, KeptTransfer
from gglib.proxy.routes.table import route_of
from gglib.proxy.telemetry.metrics import (
    BOUNDS_S,
    BOUNDS_TOKENS_PER_S,
    UPSTREAM_CODES,
    RequestMetrics,
)
from gglib.proxy.telemetry.prometheus import MetricsSnapshot, render
from gglib.runtime.scheduler.events import StopReason

from .test_metrics import ANSWER, CHAT, REFUSED

METRICS_PAGE = (Path(__file__).parents[4] / "docs" / "metrics.md").read_text()


def resident(name: str, state: str, in_flight: int = 0) -> ResidentStatus:
    """Return a model in memory."""
    return ResidentStatus(model_id=1, model_name=name, state=state, effective_ctx=1, in_flight=in_flight)


STATUS = RuntimeStatus(
    residents=(
        replace(resident("tiny", "ready", 3), size={"ram": 5, "gpu0": 7}),
        resident("large", "loading"),
    ),
    limits={"ram": 20, "gpu0": 8},
    waiting=(
        WaitingStatus(model_name="large", waiting=2, longest_wait_s=7.5),
        WaitingStatus(model_name="other", waiting=1, longest_wait_s=1.5),
    ),
    swaps=(SwapCount(reason="idle", count=4), SwapCount(reason="room", count=1)),
    loads=(
        LoadCount(model_name="tiny", outcome="ready", count=5, total_s=12.5),
        LoadCount(model_name="tiny", outcome="failed", count=1, total_s=0.25),
    ),
    kept=KeptTotals(
        saved=KeptTransfer(slots=2, tokens=3000, size_bytes=9_000, seconds=1.5),
        restored=KeptTransfer(slots=1, tokens=2006, size_bytes=6_018, seconds=0.25),
        files=2,
        files_bytes=9_000,
        limit_bytes=8_000_000_000,
    ),
)


HISTORY = HistoryStatistics(recorded=9, aggregated=4, lost=2, error="disk full", size_bytes=4096)


CLUSTER = ClusterOverview(
    nodes=(
        snapshot("own"),
        replace(
            snapshot("box", "tiny", ready=("tiny", "small")),
            status=replace(
                snapshot("box", ready=("tiny", "small")).status,
                waiting=(WaitingStatus(model_name="large", waiting=2, longest_wait_s=1.0),),
            ),
        ),
        snapshot("gone", "tiny", state=NodeState.DOWN, ready=("tiny",)),
    ),
    sent={"own": 0, "box": 3, "gone": 1},
    lost={"gone": 2, "removed": 1},
)


def all_metrics() -> RequestMetrics:
    """Return metrics with every counter set, without keys."""
    metrics = RequestMetrics(route_of)
    full = replace(ANSWER, cached_tokens=24, tokens_per_s=45.0)
    for record in (full, REFUSED, replace(ANSWER, error_code="upstream_timeout")):
        metrics.record(record)
    metrics.record_refusal(431)
    metrics.nodes["box"] = 1
    return metrics


def metrics_with_keys() -> RequestMetrics:
    """Return the same metrics, after failed requests of a key."""
    metrics = all_metrics()
    for code in ("rate_limit_exceeded", "model_not_found", "model_not_found"):
        metrics.record(replace(REFUSED, error_code=code, key_name="alice"))
    return metrics


def shown(
    metrics: RequestMetrics,
    status: RuntimeStatus = STATUS,
    connections: int = 6,
    history: HistoryStatistics | None = HISTORY,
    cluster: ClusterOverview = CLUSTER,
) -> str:
    """Return the whole text."""
    return render(MetricsSnapshot(metrics, status, connections, history, cluster).collect()).decode()


def numbers(text: str, name: str) -> dict[tuple[str, ...], float]:
    """Return the samples of one name by the values of their labels, in the order of the labels' names."""
    return {
        tuple(value for _, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_every_metric_is_rendered() -> None:
    """Every number of the metrics and of the runtime has its name and labels."""
    text = shown(all_metrics())
    assert numbers(text, "gglib_requests_total") == {
        ("POST", "tiny", CHAT, "200"): 2,
        ("POST", "", CHAT, "404"): 1,
    }
    assert numbers(text, "gglib_request_duration_seconds_count") == {("tiny", CHAT): 2, ("", CHAT): 1}
    assert numbers(text, "gglib_request_duration_seconds_sum") == {("tiny", CHAT): 4, ("", CHAT): 2}
    assert numbers(text, "gglib_model_wait_seconds_sum") == {("tiny",): 0.04}
    assert numbers(text, "gglib_first_byte_seconds_count") == {("tiny", "true"): 2}
    assert numbers(text, "gglib_answer_chunks_total") == {("tiny",): 14}
    assert numbers(text, "gglib_prompt_tokens_total") == {("tiny",): 60}
    assert numbers(text, "gglib_completion_tokens_total") == {("tiny",): 12}
    assert numbers(text, "gglib_cached_prompt_tokens_total") == {("tiny",): 24}
    assert numbers(text, "gglib_generation_tokens_per_second_sum") == {("tiny",): 45}
    assert numbers(text, "gglib_request_errors_total") == {
        ("upstream_timeout", "tiny"): 1,
        ("model_not_found", ""): 1,
    }
    assert numbers(text, "gglib_upstream_errors_total") == {("upstream_timeout", "tiny"): 1}
    assert numbers(text, "gglib_edge_refusals_total") == {("431",): 1}
    assert numbers(text, "gglib_client_connections") == {(): 6}
    assert numbers(text, "gglib_requests_in_flight") == {("tiny",): 3, ("large",): 0}
    assert numbers(text, "gglib_requests_waiting") == {("large",): 2, ("other",): 1}
    assert numbers(text, "gglib_longest_wait_seconds") == {(): 7.5}
    assert numbers(text, "gglib_resident_models") == {("tiny", "ready"): 1, ("large", "loading"): 1}
    assert numbers(text, "gglib_model_memory_bytes") == {("ram", "tiny"): 5, ("gpu0", "tiny"): 7}
    assert numbers(text, "gglib_memory_budget_bytes") == {("ram",): 20, ("gpu0",): 8}
    assert numbers(text, "gglib_model_loads_total") == {("tiny", "ready"): 5, ("tiny", "failed"): 1}
    assert numbers(text, "gglib_model_load_seconds_total") == {
        ("tiny", "ready"): 12.5,
        ("tiny", "failed"): 0.25,
    }
    assert numbers(text, "gglib_swaps_total") == {("idle",): 4, ("room",): 1}
    assert numbers(text, "gglib_history_requests_total") == {("stored",): 5, ("aggregated",): 4, ("lost",): 2}
    assert numbers(text, "gglib_history_size_bytes") == {(): 4096}
    assert numbers(text, "gglib_history_write_failing") == {(): 1}
    assert numbers(text, "gglib_build_info") == {(gglib.__version__,): 1}


def test_nodes_are_rendered() -> None:
    """Of a node that does not answer, neither its queue nor its memory is known; lost requests stay counted."""
    metrics = all_metrics()
    metrics.record(replace(ANSWER, node="box"))
    text = shown(metrics)
    assert numbers(text, "gglib_node_up") == {("own",): 1, ("box",): 1, ("gone",): 0}
    assert numbers(text, "gglib_node_requests_in_progress") == {("own",): 0, ("box",): 3, ("gone",): 1}
    assert numbers(text, "gglib_node_requests_waiting") == {("own",): 0, ("box",): 2}
    assert numbers(text, "gglib_node_resident_models") == {("box", "ready"): 2}
    assert numbers(text, "gglib_node_requests_total") == {("box",): 2}
    assert numbers(text, "gglib_node_lost_requests_total") == {
        ("own",): 0,
        ("box",): 0,
        ("gone",): 2,
        ("removed",): 1,
    }
    assert "\ngglib_node" not in shown(RequestMetrics(route_of), cluster=ClusterOverview())


def test_buckets_are_cumulative() -> None:
    """Buckets are cumulative: two responses of 2 s are in no bucket up to 1 s and in all from 2.5 s."""
    text = shown(all_metrics())
    buckets = {
        float(bound): count
        for (bound, model, _), count in numbers(text, "gglib_request_duration_seconds_bucket").items()
        if model == "tiny"
    }
    assert buckets == {bound: 2 * (bound > 2) for bound in (*BOUNDS_S, float("inf"))}


def test_speeds_have_their_own_buckets() -> None:
    """45 tokens/s are in every bucket from 60 tokens/s."""
    buckets = numbers(shown(all_metrics()), "gglib_generation_tokens_per_second_bucket")
    assert {float(bound): count for (bound, _), count in buckets.items()} == {
        bound: int(bound > 45) for bound in (*BOUNDS_TOKENS_PER_S, float("inf"))
    }


def test_failures_of_keys() -> None:
    """Each key has a counter of its limit from its first request, so that its first refusal is an increase."""
    assert numbers(shown(all_metrics()), "gglib_key_errors_total") == {}
    metrics = metrics_with_keys()
    metrics.record(replace(ANSWER, key_name="jobs"))
    assert numbers(shown(metrics), "gglib_key_errors_total") == {
        ("rate_limit_exceeded", "alice"): 1,
        ("model_not_found", "alice"): 2,
        ("rate_limit_exceeded", "jobs"): 0,
    }


def test_without_a_history_its_metrics_have_no_values() -> None:
    """A server without a history shows neither zeros nor a size."""
    assert "\ngglib_history_" not in shown(all_metrics(), history=None)
    working = shown(all_metrics(), history=HistoryStatistics())
    assert numbers(working, "gglib_history_write_failing") == {(): 0}
    assert numbers(working, "gglib_history_requests_total") == {
        ("stored",): 0,
        ("aggregated",): 0,
        ("lost",): 0,
    }


def test_page_after_startup() -> None:
    """After startup all metrics exist, and no request waits."""
    text = shown(RequestMetrics(route_of), RuntimeStatus(), 0)
    assert set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) == set(
        re.findall(r"^# TYPE (\S+)", shown(all_metrics()), re.MULTILINE)
    )
    assert numbers(text, "gglib_longest_wait_seconds") == {(): 0}
    assert numbers(text, "gglib_requests_total") == {}


def test_collected_metrics_are_a_snapshot() -> None:
    """Collected metrics do not change while a thread renders them."""
    metrics = all_metrics()
    collected = MetricsSnapshot(metrics, STATUS, 6).collect()
    metrics.record(ANSWER)
    names = ("gglib_requests_total", "gglib_request_duration_seconds_bucket", "gglib_answer_chunks_total")
    for name in names:
        assert numbers(render(collected).decode(), name) == numbers(shown(all_metrics()), name)


def test_kept_prompts() -> None:
    """What was saved and restored since the start, and the files; none for a runtime that keeps none."""
    text = shown(RequestMetrics(route_of))
    assert numbers(text, "gglib_kept_prompts_total") == {("save",): 2, ("restore",): 1}
    assert numbers(text, "gglib_kept_prompt_tokens_total") == {("save",): 3000, ("restore",): 2006}
    assert numbers(text, "gglib_kept_prompt_bytes_total") == {("save",): 9_000, ("restore",): 6_018}
    assert numbers(text, "gglib_kept_prompt_seconds_total") == {("save",): 1.5, ("restore",): 0.25}
    assert numbers(text, "gglib_kept_prompt_files") == {(): 2}
    assert numbers(text, "gglib_kept_prompt_files_bytes") == {(): 9_000}
    assert numbers(text, "gglib_kept_prompt_limit_bytes") == {(): 8_000_000_000}
    assert "\ngglib_kept" not in shown(RequestMetrics(route_of), RuntimeStatus())


def test_residents_of_the_same_name_are_summed() -> None:
    """Rows with equal labels are summed: an embedder's runtime may report a model twice."""
    twins = RuntimeStatus(residents=(resident("tiny", "ready", 1), resident("tiny", "ready", 2)))
    text = shown(RequestMetrics(route_of), twins)
    assert text.count("gglib_requests_in_flight{") == text.count("gglib_resident_models{") == 1
    assert numbers(text, "gglib_requests_in_flight") == {("tiny",): 3}
    assert numbers(text, "gglib_resident_models") == {("tiny", "ready"): 2}


@pytest.mark.parametrize("name", ['say "hi"', "back\\slash", "two\nlines", "Org/Qwen3 8B:Q4", "größe-模型"])
def test_model_names_are_escaped(name: str) -> None:
    """Special characters of the format are escaped."""
    metrics = RequestMetrics(route_of)
    metrics.record(replace(ANSWER, model=name))
    assert numbers(shown(metrics), "gglib_answer_chunks_total") == {(name,): 7}


def test_every_metric_is_documented_and_no_other() -> None:
    """The docs have a row with name, type, labels and help text of each metric."""
    documented = set(re.findall(r"^\| `\w+` \| \w+ \| .* \|$", METRICS_PAGE, re.MULTILINE))
    rows = set(table(shown(metrics_with_keys())))
    if not Path("/proc/self/stat").exists():  # only Linux tells what the process has
        documented = {row for row in documented if "`process_" not in row}
    assert documented == rows


def test_without_keys_no_series_has_the_label_of_keys() -> None:
    """Dashboards of servers without keys stay as they are."""
    assert "key=" not in shown(all_metrics())


def test_requests_and_tokens_are_counted_by_the_name_of_the_key() -> None:
    """A request without a key, on a public path or refused, has an empty name, which for Prometheus is no label."""
    metrics = all_metrics()
    for name in ("alice", "jobs", "jobs"):
        metrics.record(replace(ANSWER, key_name=name))
    text = shown(metrics)
    assert numbers(text, "gglib_requests_total") == {
        ("", "POST", "tiny", CHAT, "200"): 2,
        ("", "POST", "", CHAT, "404"): 1,
        ("alice", "POST", "tiny", CHAT, "200"): 1,
        ("jobs", "POST", "tiny", CHAT, "200"): 2,
    }
    assert numbers(text, "gglib_prompt_tokens_total") == {
        ("", "tiny"): 60,
        ("alice", "tiny"): 30,
        ("jobs", "tiny"): 60,
    }
    assert numbers(text, "gglib_completion_tokens_total") == {
        ("", "tiny"): 12,
        ("alice", "tiny"): 6,
        ("jobs", "tiny"): 12,
    }
    assert numbers(text, "gglib_answer_chunks_total") == {("tiny",): 35}


def label_names(text: str) -> dict[str, set[str]]:
    """Return the names of the labels of each metric that has a value."""
    names: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            names.setdefault(sample.name, set()).update(sample.labels)
    return names


def table(text: str) -> list[str]:
    """Return the documentation rows of a metrics page."""
    labels: dict[str, list[str]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = (
                re.sub(r"_(bucket|count|sum)$", "", sample.name)
                if family.type == "histogram"
                else sample.name
            )
            labels[name] = [label for label in sample.labels if label != "le"]
    help_texts = dict(re.findall(r"^# HELP (\S+) (.*)$", text, re.MULTILINE))
    return [
        f"| `{name}` | {kind} | {', '.join(f'`{label}`' for label in labels[name])} | {help_texts[name]} |"
        for name, kind in re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE)
    ]


def test_every_reason_of_a_swap_is_documented_and_no_other() -> None:
    """The documented reasons are those of the scheduler, and ``died`` and ``room``."""
    part = METRICS_PAGE.partition("| Reason |")[2].partition("\n## ")[0]
    reasons = {reason.value.replace(" ", "_") for reason in StopReason}
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == reasons | {"room", "died"}


def test_documented_queries_use_existing_metrics_and_labels() -> None:
    """Each query of the docs, by a strict parser."""
    rows = re.findall(r"^\| .* \| `(.*)` \|$", METRICS_PAGE.partition("\n## Queries\n")[2], re.MULTILINE)
    assert rows
    for query in rows:
        check(query, label_names(shown(metrics_with_keys())))


def test_every_label_is_documented_and_no_other() -> None:
    """The docs have a row with the values of each label."""
    part = METRICS_PAGE.partition("\n## Labels\n")[2].partition("| Reason |")[0]
    labels = set().union(*label_names(shown(metrics_with_keys())).values()) - {"le"}
    assert set(re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE)) == labels - {"streamed", "version"}


def test_upstream_error_codes_exist() -> None:
    """The codes of engine failures exist."""

    def codes(cls: type[GglibError]) -> set[str]:
        return {cls.code}.union(*(codes(leaf) for leaf in cls.__subclasses__()))

    assert codes(GglibError) >= UPSTREAM_CODES == {"upstream_error", "upstream_timeout"}


def test_startup_does_not_import_the_metrics_library() -> None:
    """prometheus_client is imported at the first scrape only, because the import takes a tenth of a second."""
    code = (
        "import sys; import gglib.cli.app, gglib.cli.commands.start.serve, gglib.app.serving.server, gglib.proxy;"
        "before = 'prometheus_client' in sys.modules; import gglib.proxy.telemetry.prometheus;"
        "print(before, 'prometheus_client' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
