"""The comparison of proxies: faults of streams, medians, ratios, limits."""

import json
import shutil
from array import array
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from bench.proxies import __main__ as program
from bench.proxies import upstream
from bench.proxies.load import PacedCheck, dechunked, percentiles
from bench.proxies.plot import plot
from bench.proxies.report import page
from bench.proxies.requests import chat_body, chat_request
from bench.proxies.results import Results, limit
from bench.proxies.scenarios import QUICK, Figures, Scenario, Tools
from bench.proxies.sides import Side

STREAM_ID = "00000007"
CALM = {"others_beside_proxy": 0.0, "others_beside_load": 0.0}
SIDES = ("direct", "gglib", "nginx", "caddy")


def events(*numbers: int, stream_id: str = STREAM_ID) -> list[bytes]:
    """Return events with these numbers, each sent at 1,000,000 ns."""
    return [upstream.event(stream_id.encode(), number, 1_000_000) for number in numbers]


def framed(body: bytes, size: int) -> bytes:
    """Return a body in chunks of the given size."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def checked(*parts: bytes) -> PacedCheck:
    """Feed a check with the parts of a body, each a chunk."""
    check = PacedCheck(STREAM_ID, array("q"))
    for part in parts:
        check.feed(b"%x\r\n%b\r\n" % (len(part), part), 3_000_000)
    return check


# --- the checks of streams ---


def test_stream_in_order_has_no_fault() -> None:
    """Every event counts once, and its delay is from its sending to its last byte."""
    delays_ns = array("q")
    check = PacedCheck(STREAM_ID, delays_ns)
    check.feed(framed(b"".join([*events(0, 1, 2), upstream.DONE]), 10_000), 3_000_000)
    assert (check.number, check.faults, check.is_done) == (3, 0, True)
    assert list(delays_ns) == [2_000_000] * 3


@pytest.mark.parametrize("numbers", [(0, 2), (1, 0), (0, 0), (1,)])
def test_stream_out_of_order_has_faults(numbers: tuple[int, ...]) -> None:
    """A number that is lost, early or duplicated is a fault."""
    assert checked(*events(*numbers)).faults > 0


def test_event_of_another_stream_is_a_fault() -> None:
    """A stream with an event of another request is mixed up."""
    assert checked(*events(0), *events(1, stream_id="00000008")).faults == 1


@pytest.mark.parametrize("size", [1, 100, 300, 10_000])
def test_any_split_and_chunk_size_gives_the_same_events(size: int) -> None:
    """However a proxy frames the bytes of a stream, and wherever reads end, the same events are found."""
    body = framed(b"".join([*events(0, 1), upstream.DONE]), size)
    for at in range(0, len(body), 7):
        check = PacedCheck(STREAM_ID, array("q"))
        check.feed(body[:at], 3_000_000)
        check.feed(body[at:], 3_000_000)
        assert (check.number, check.faults, check.is_done) == (2, 0, True)


def test_truncated_stream_is_not_done() -> None:
    """A stream that ends before [DONE] is short."""
    assert not checked(*events(0, 1)).is_done


def test_chunked_framing_is_removed() -> None:
    """The body is the data between the frames, of any size."""
    assert dechunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n") == b"abcde"


def test_body_without_its_last_chunk_is_incomplete() -> None:
    """A truncated stream is never taken for a whole one."""
    assert dechunked(b"3\r\nabc\r\n") == b""


def test_preassembled_frames_equal_formatted_ones() -> None:
    """The upstream's quick way gives what ``event`` formats, which is what the load compares with."""
    number = 42
    frame = upstream._FRAME_LEFT + STREAM_ID.encode() + upstream._FRAME_RIGHTS[number]
    event = upstream.event(STREAM_ID.encode(), number)
    assert frame == b"%x\r\n%b\r\n" % (len(event), event)


def test_upstream_finds_its_parameters_in_the_first_bytes() -> None:
    """The parameters of a response are in the first bytes of every request body."""
    body = chat_body(stream_id=STREAM_ID, chunks=123, chunks_per_s=20, prompt="x" * 10_000)
    seen = body[: upstream.PEEK_BYTES]
    found = [
        pattern.search(seen)
        for pattern in (upstream._MAX_TOKENS, upstream._STREAM_ID, upstream._CHUNKS_PER_S)
    ]
    assert b'"stream":true' in seen
    assert [match and match[1] for match in found] == [b"123", STREAM_ID.encode(), b"20"]


def test_request_has_its_content_length() -> None:
    """The head has the length of the body."""
    head, _, body = chat_request(chat_body(), "127.0.0.1:1").partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["stream"] is False


def test_percentiles_of_nothing_are_no_numbers() -> None:
    """A side without responses has no percentile, and no misleading zero."""
    values = percentiles("x", [])
    assert values["x_p50_ms"] != values["x_p50_ms"]


# --- results ---


def figures(per_s: float, **more: float) -> Figures:
    """Return a measurement on a calm machine."""
    busy = {"proxy_busy": 0.99, "upstream_busy": 0.2, "load_busy": 0.2}
    return {"per_s": per_s, "p50_ms": 1.0, "cpu_ms_per_1000": 1000 / per_s, "errors": 0} | busy | CALM | more


def results(**rounds: list[Figures]) -> Results:
    """Return the results of one scenario."""
    return Results(
        date="2026-01-01",
        machine="a machine",
        pinning="pinned",
        versions={"gglib": "1"},
        is_quick=False,
        load_cores=1,
        rounds={"json-32": rounds},
        memory_mb={"at rest": dict.fromkeys(rounds, 1.0), "after the run": dict.fromkeys(rounds, 2.0)},
    )


def test_figure_is_the_median_and_faults_are_summed() -> None:
    """One lucky round decides nothing, and one fault is never outvoted."""
    found = results(gglib=[figures(1, errors=1), figures(9), figures(2)]).medians("json-32")["gglib"]
    assert (found["per_s"], found["errors"]) == (2, 1)


def test_disturbed_round_counts_only_without_calm_ones() -> None:
    """The load of other programs is not the proxy's, but its faults are."""
    disturbed = [figures(n, others_beside_proxy=0.5, errors=1) for n in (1, 2, 3)]
    calm = results(gglib=[figures(9), *disturbed]).medians("json-32")["gglib"]
    noisy = results(gglib=disturbed).medians("json-32")["gglib"]
    assert (calm["per_s"], calm["errors"]) == (9, 3)
    assert (noisy["per_s"], noisy["errors"]) == (2, 3)


def test_ratios_are_ours_over_theirs() -> None:
    """Half of Caddy's requests is 0.50, a quarter of nginx's is 0.25."""
    text = page(results(direct=[figures(90)], gglib=[figures(10)], nginx=[figures(40)], caddy=[figures(20)]))
    assert "| requests/s, 32 connections | 0.50 | 0.25 |" in text


def test_missing_proxy_leaves_its_ratios_out() -> None:
    """Without nginx and Caddy the table is still printed."""
    text = page(results(direct=[figures(90)], gglib=[figures(10)]))
    assert "| requests/s, 32 connections | - | - |" in text


@pytest.mark.parametrize(
    ("busy", "document"),
    [
        ({"proxy_busy": 0.99}, "the proxy's core"),
        ({"proxy_busy": 0.5, "upstream_busy": 0.6, "load_busy": 0.38}, "load and upstream"),
        ({"proxy_busy": 0.5}, "the way to and fro"),
        ({"proxy_busy": 0.5, "others_beside_proxy": 0.3}, "the way to and fro; others took 30% of a core"),
    ],
)
def test_limit_is_the_side_with_a_full_core(busy: Figures, document: str) -> None:
    """A rate that the load could not raise is marked as the load's."""
    assert limit(figures(1, **busy), 1) == document


def test_load_is_the_limit_when_one_of_its_programs_is_full() -> None:
    """On more cores neither the load nor the upstream can use more than one."""
    assert limit(figures(1, proxy_busy=0.5, upstream_busy=0.97), 3) == "load and upstream"


def test_plot_is_valid_svg() -> None:
    """The SVG is well-formed and has a bar for each side."""
    root = ET.fromstring(plot(results(**{side: [figures(10)] for side in SIDES})))  # noqa: S314 - ours
    assert sum(element.tag.endswith("rect") for element in root) > len(SIDES)


def test_json_round_trip() -> None:
    """Every round is in it."""
    document = json.loads(results(gglib=[figures(10), figures(20)]).as_json())
    assert [found["per_s"] for found in document["rounds"]["json-32"]["gglib"]] == [10, 20]


# --- the program ---


def scenario(rounds: Iterator[Figures]) -> Scenario:
    """Return a scenario that gives these figures, one after another."""
    return Scenario("json-32", lambda _side, _tools: next(rounds))


def least_disturbed(*rounds: Figures, attempts: int = 2) -> Figures:
    """Measure on a machine with these disturbances."""
    scale = QUICK.__class__(
        **{name: getattr(QUICK, name) for name in QUICK.__slots__} | {"attempts": attempts}
    )
    side = Side("gglib", 1, (), 1, Path("x"))
    return program._least_disturbed(scenario(iter(rounds)), Tools(scale, Path("x")), side)


def test_calm_measurement_is_accepted() -> None:
    """Measurements are not repeated for better figures: a second one would find no figures here."""
    assert least_disturbed(figures(1))["per_s"] == 1


def test_disturbed_measurement_is_repeated_and_its_faults_stay() -> None:
    """The least disturbed counts, with the faults of all."""
    found = least_disturbed(figures(1, others_beside_load=0.5, errors=3), figures(2, others_beside_load=0.3))
    assert (found["per_s"], found["errors"]) == (2, 3)


def test_missing_proxy_is_reported_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without nginx the others are still compared."""
    monkeypatch.setattr(program, "find_program", lambda name: None if name == "nginx" else name)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    sides, names = program._available(SIDES, program.NAMES)
    assert sides == ["direct", "gglib", "caddy"]
    assert names == list(program.NAMES)
    assert "apt-get install nginx" in capsys.readouterr().err


def test_without_wrk_whole_responses_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams need nothing but Python."""
    monkeypatch.setattr(program, "find_program", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    _, names = program._available(SIDES, program.NAMES)
    assert names == [name for name in program.NAMES if not name.startswith("json")]
