"""The dashboard's queries, against the metrics of a server with load, failures, keys and swaps.

Their names are checked against ``/metrics`` itself; where Prometheus is installed, it scrapes the server and runs them.
"""

import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.support.grafana import queries
from tests.support.prometheus import MISSING, Prometheus, prometheus_running
from tests.support.promql import check, parse
from tests.support.waiting import LIMIT_S, wait_until

from gglib.testing import Script, write_tiny_gguf

from .conftest import Home

needs_prometheus = pytest.mark.skipif(
    bool(MISSING), reason=f"{' and '.join(MISSING)} not installed (Debian's package 'prometheus')"
)
KEYS = """memory = "20G"
[api_keys]
scraper = "SECRET-of-scraper"
[api_keys.alice]
key = "SECRET-of-alice"
[api_keys.jobs]
key = "SECRET-of-jobs"
priority = "batch"
"""
WITH_TIMINGS = json.dumps(
    {
        "object": "chat.completion",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "t0"}}],
        "usage": {
            "completion_tokens": 1,
            "prompt_tokens": 9,
            "total_tokens": 10,
            "prompt_tokens_details": {"cached_tokens": 8},
        },
        "timings": {"cache_n": 8, "prompt_n": 1, "predicted_n": 1, "predicted_per_second": 45.5},
    }
)
"""A response as llama-server sends it, with cached tokens and speed."""
WINDOW_S = 4
"""Instead of Grafana's windows, for a scrape each second."""
SCRAPES = 8
VARIABLES = {
    "$__rate_interval": f"{WINDOW_S}s",
    "$__interval": f"{WINDOW_S}s",
    "$__range": f"{WINDOW_S}s",
    "$instance": ".*",
    "$model": ".*",
    "$key": ".*",
}
MAY_BE_ZERO = (
    *("gglib_requests_waiting", "gglib_longest_wait_seconds", "gglib_requests_in_flight"),
    *('code="rate_limit_exceeded"', 'device!="ram"'),
    *('outcome="lost"', "gglib_history_write_failing"),
)
"""Parts of queries for what does not happen here, or not at each moment."""
_direct = build_opener(ProxyHandler({}))


def send(url: str, path: str, body: dict[str, object] | None = None, *, key: str = "scraper") -> bytes:
    """Send a request and return the body of the response, whatever its status."""
    content = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer SECRET-of-{key}", "Content-Type": "application/json"}
    try:
        with _direct.open(Request(url + path, content, headers), timeout=LIMIT_S) as response:  # noqa: S310
            return bytes(response.read())
    except HTTPError as error:
        return error.read()


def chat(url: str, model: str, key: str, **fields: object) -> bytes:
    """Send a chat request."""
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}], **fields}
    return send(url, "/v1/chat/completions", body, key=key)


def send_load(url: str) -> None:
    """Send requests of all kinds once: two models by two keys, streams, failures, and what HTTP refuses."""
    usage = {"stream": True, "stream_options": {"include_usage": True}}
    chat(url, "tiny", "alice", **usage)
    chat(url, "other", "jobs")
    chat(url, "other", "jobs", x_script={"body": WITH_TIMINGS})
    chat(url, "other", "alice", stream=True, x_script={"close_after_bytes": 5})
    chat(url, "none", "jobs")
    chat(url, "tiny", "nobody")
    chat(url, "broken", "alice")
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port), timeout=LIMIT_S) as malformed:
        malformed.sendall(b"nonsense\r\n\r\n")
        malformed.recv(1000)


@pytest.fixture
def url(stocked: Home) -> Iterator[str]:
    """Yield the URL of a server with keys and three models, of which one is in memory at a time and one fails."""
    for name in ("other", "broken"):
        file = write_tiny_gguf(stocked.path / f"{name}.gguf", name=name, seed=len(name))
        stocked.ok("add", str(file), "--name", name)
    for name in ("tiny", "other"):
        stocked.ok("set", name, "--keep-conversations", "on")
    broken = {"broken": {"load_fails_with": "invalid magic"}}
    stocked.script(Script(load_s=0.1, chunk_interval_s=0.02, slot_tokens=1000, scripts=broken))
    stocked.set(KEYS)
    (stocked.path / "config.toml").chmod(0o600)
    with stocked.serving() as running:
        yield running.url


OF_NODES = "gglib_node_"
"""The metrics that a server without nodes lacks."""


def labels_of(metrics: str) -> dict[str, set[str]]:
    """Return the labels of each metric that has a value."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(metrics):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def test_metrics_of_a_server_have_the_names_in_the_queries(url: str) -> None:
    """Every metric and label has a value at some time while models are loaded and serve requests."""
    known: dict[str, set[str]] = {}
    wanted = {
        name for _, query in queries() for name in parse(query).metrics if not name.startswith(OF_NODES)
    }

    def has_all() -> bool:
        for name, labels in labels_of(send(url, "/metrics").decode()).items():
            known.setdefault(name, set()).update(labels)
        return wanted <= known.keys()

    with under_load(url):
        wait_until(has_all, explain=lambda: str(wanted - known.keys()))
    for _, query in queries():
        if parse(query).metrics.keys() <= known.keys():
            check(query, known)


@needs_prometheus
def test_metrics_follow_the_conventions(url: str) -> None:
    """``promtool check metrics`` has nothing to say about names, units and help texts."""
    send_load(url)
    command = ["promtool", "check", "metrics"]
    done = subprocess.run(command, input=send(url, "/metrics"), capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr.decode()) == (0, "")


@contextmanager
def scraped(home: Home) -> Iterator[Prometheus]:
    """Run Prometheus with the configuration that gglib prints, and a shorter interval."""
    config = home.path / "prometheus.yml"
    text = home.ok("dashboard", "--scrape-config")
    config.write_text(re.sub(r"scrape_interval: \d+s", "scrape_interval: 1s", text))
    (home.path / "gglib.key").write_text("SECRET-of-scraper\n")
    subprocess.run(["promtool", "check", "config", config], check=True, capture_output=True, timeout=60)
    with prometheus_running(config, home.path / "prometheus") as server:
        yield server


@contextmanager
def under_load(url: str) -> Iterator[None]:
    """Repeat ``send_load`` during the block."""
    is_over = threading.Event()

    def send_until_over() -> None:
        while not is_over.wait(0.1):
            send_load(url)

    thread = threading.Thread(target=send_until_over)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def wait_for_scrapes(server: Prometheus, number: int) -> None:
    """Return when Prometheus has scraped so often."""
    count = "count_over_time(gglib_build_info[10m])"
    wait_until(lambda: max(server.query(count), default=0) >= number, poll_s=0.2)


def substituted(query: str) -> str:
    """Return a query with values in place of Grafana's variables."""
    for name, value in VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


@needs_prometheus
def test_queries_have_results_in_prometheus(stocked: Home, url: str) -> None:
    """Prometheus accepts every query; those of what happens here have values other than 0."""
    started_s = time.time()
    with scraped(stocked) as server:
        wait_for_scrapes(server, 1)
        assert_zeros_are_shown(server)
        with under_load(url):
            wait_for_scrapes(server, SCRAPES)
            known = labels_of(send(url, "/metrics").decode())
            for title, query in queries():
                text = substituted(query)
                has_values = parse(query).metrics.keys() <= known.keys()
                if not has_values or any(part in query for part in MAY_BE_ZERO):
                    server.query(text)
                else:  # on a busy machine a window may have no request of a kind
                    wait_for_values(server, title, text)
        assert_first_failure_is_shown(server, url, started_s)


def wait_for_values(server: Prometheus, title: str, query: str) -> None:
    """Return when a query has other values than 0."""
    wait_until(lambda: any(server.query(query)), poll_s=0.2, explain=lambda: f"{title}: {query}")


def assert_zeros_are_shown(server: Prometheus) -> None:
    """Check that the queries that count have a value before there is anything to count."""
    for title, query in queries():
        assert server.query(substituted(query)) or " or on () " not in query, (title, query)


def assert_first_failure_is_shown(server: Prometheus, url: str, started_s: float) -> None:
    """Check that a code that occurs once is one failure in one bar, though its series has no earlier value."""
    (query,) = [query for title, query in queries() if title == "Failures by code"]
    query = substituted(query.partition(" or on ()")[0]).replace('.*"}', '.*", code="invalid_request"}')
    send(url, "/v1/chat/completions", {"model": 5}, key="alice")
    codes = 'count_over_time(gglib_request_errors_total{code="invalid_request"}[10m])'
    wait_until(lambda: max(server.query(codes), default=0) >= WINDOW_S + 2, poll_s=0.2)
    bars = server.query_range(query, start_s=started_s, end_s=time.time(), step_s=WINDOW_S)
    assert sum(bars) == 1, bars
