"""The comparison of proxies counts what it says: faults of streams, medians, ratios, limits."""

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
    """Return a body in chunks of so many bytes."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


def checked(*parts: bytes) -> PacedCheck:
    """Feed a check with the parts of a body, each a chunk."""
    check = PacedCheck(STREAM_ID, array("q"))
    for part in parts:
        check.feed(b"%x\r\n%b\r\n" % (len(part), part), 3_000_000)
    return check


# --- the checks of streams ---


def test_a_stream_in_order_has_no_fault() -> None:
    """Every event counts once, and its delay is from its sending to its last byte."""
    delays_ns = array("q")
    check = PacedCheck(STREAM_ID, delays_ns)
    check.feed(framed(b"".join([*events(0, 1, 2), upstream.DONE]), 10_000), 3_000_000)
    assert (check.number, check.faults, check.is_done) == (3, 0, True)
    assert list(delays_ns) == [2_000_000] * 3


@pytest.mark.parametrize("numbers", [(0, 2), (1, 0), (0, 0), (1,)])
def test_a_stream_out_of_order_has_faults(numbers: tuple[int, ...]) -> None:
    """A number that is lost, early or there twice is a fault."""
    assert checked(*events(*numbers)).faults > 0


def test_an_event_of_another_stream_is_a_fault() -> None:
    """A stream that gets what another one asked for is mixed up."""
    assert checked(*events(0), *events(1, stream_id="00000008")).faults == 1


@pytest.mark.parametrize("size", [1, 100, 300, 10_000])
def test_it_does_not_matter_where_reads_and_chunks_end(size: int) -> None:
    """However a proxy frames the bytes of a stream, and wherever reads end, the same events are found."""
    body = framed(b"".join([*events(0, 1), upstream.DONE]), size)
    for at in range(0, len(body), 7):
        check = PacedCheck(STREAM_ID, array("q"))
        check.feed(body[:at], 3_000_000)
        check.feed(body[at:], 3_000_000)
        assert (check.number, check.faults, check.is_done) == (2, 0, True)


def test_a_cut_stream_is_not_done() -> None:
    """What breaks off before [DONE] is short."""
    assert not checked(*events(0, 1)).is_done


def test_chunked_framing_is_taken_off() -> None:
    """The body is what stands between the frames, whatever their size."""
    assert dechunked(b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n") == b"abcde"


def test_a_body_without_its_last_chunk_is_no_body() -> None:
    """A stream that was broken off is never taken for a whole one."""
    assert dechunked(b"3\r\nabc\r\n") == b""


def test_frames_that_are_put_together_are_those_that_are_formatted() -> None:
    """The upstream's quick way gives what ``event`` says, which is what the load compares with."""
    number = 42
    frame = upstream._FRAME_LEFT + STREAM_ID.encode() + upstream._FRAME_RIGHTS[number]
    event = upstream.event(STREAM_ID.encode(), number)
    assert frame == b"%x\r\n%b\r\n" % (len(event), event)


def test_the_upstream_finds_what_it_needs_in_its_first_look() -> None:
    """What decides about an answer stands in the first bytes of every body of ours."""
    body = chat_body(stream_id=STREAM_ID, chunks=123, chunks_per_s=20, prompt="x" * 10_000)
    seen = body[: upstream.PEEK_BYTES]
    found = [
        pattern.search(seen)
        for pattern in (upstream._MAX_TOKENS, upstream._STREAM_ID, upstream._CHUNKS_PER_S)
    ]
    assert b'"stream":true' in seen
    assert [match and match[1] for match in found] == [b"123", STREAM_ID.encode(), b"20"]


def test_a_request_is_whole() -> None:
    """The head says how long the body is."""
    head, _, body = chat_request(chat_body(), "127.0.0.1:1").partition(b"\r\n\r\n")
    assert b"Content-Length: %d" % len(body) in head
    assert json.loads(body)["stream"] is False


def test_percentiles_of_nothing_are_no_numbers() -> None:
    """A side that answered nothing has no percentile, and no zero that looks like one."""
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


def test_a_figure_is_the_median_of_its_rounds_and_a_fault_is_their_sum() -> None:
    """One lucky round decides nothing, and one fault is never outvoted."""
    found = results(gglib=[figures(1, errors=1), figures(9), figures(2)]).medians("json-32")["gglib"]
    assert (found["per_s"], found["errors"]) == (2, 1)


def test_a_disturbed_round_counts_only_where_none_is_calm() -> None:
    """What other programs took is not the proxy's, but its faults are."""
    disturbed = [figures(n, others_beside_proxy=0.5, errors=1) for n in (1, 2, 3)]
    calm = results(gglib=[figures(9), *disturbed]).medians("json-32")["gglib"]
    noisy = results(gglib=disturbed).medians("json-32")["gglib"]
    assert (calm["per_s"], calm["errors"]) == (9, 3)
    assert (noisy["per_s"], noisy["errors"]) == (2, 3)


def test_ratios_are_ours_over_theirs() -> None:
    """Half of Caddy's requests is 0.50, a quarter of nginx's is 0.25."""
    text = page(results(direct=[figures(90)], gglib=[figures(10)], nginx=[figures(40)], caddy=[figures(20)]))
    assert "| requests/s, 32 connections | 0.50 | 0.25 |" in text


def test_a_missing_proxy_leaves_its_ratios_out() -> None:
    """Without nginx and Caddy the table still stands."""
    text = page(results(direct=[figures(90)], gglib=[figures(10)]))
    assert "| requests/s, 32 connections | - | - |" in text


@pytest.mark.parametrize(
    ("busy", "told"),
    [
        ({"proxy_busy": 0.99}, "the proxy's core"),
        ({"proxy_busy": 0.5, "upstream_busy": 0.6, "load_busy": 0.38}, "load and upstream"),
        ({"proxy_busy": 0.5}, "the way to and fro"),
        ({"proxy_busy": 0.5, "others_beside_proxy": 0.3}, "the way to and fro; others took 30% of a core"),
    ],
)
def test_the_limit_is_whose_core_is_full(busy: Figures, told: str) -> None:
    """A rate that the load could not raise is marked as the load's."""
    assert limit(figures(1, **busy), 1) == told


def test_two_cores_of_load_are_full_when_one_of_its_programs_is() -> None:
    """On more cores neither the load nor the upstream can use more than one."""
    assert limit(figures(1, proxy_busy=0.5, upstream_busy=0.97), 3) == "load and upstream"


def test_the_plot_is_a_picture() -> None:
    """The SVG is well-formed and has a bar for each side."""
    root = ET.fromstring(plot(results(**{side: [figures(10)] for side in SIDES})))  # noqa: S314 - ours
    assert sum(element.tag.endswith("rect") for element in root) > len(SIDES)


def test_the_json_can_be_read_again() -> None:
    """Every round is in it."""
    told = json.loads(results(gglib=[figures(10), figures(20)]).as_json())
    assert [found["per_s"] for found in told["rounds"]["json-32"]["gglib"]] == [10, 20]


# --- the program ---


def scenario(rounds: Iterator[Figures]) -> Scenario:
    """Return a scenario that finds these figures, one after the other."""
    return Scenario("json-32", lambda _side, _tools: next(rounds))


def least_disturbed(*rounds: Figures, attempts: int = 2) -> Figures:
    """Measure on a machine that behaves like this."""
    scale = QUICK.__class__(
        **{name: getattr(QUICK, name) for name in QUICK.__slots__} | {"attempts": attempts}
    )
    side = Side("gglib", 1, (), 1, Path("x"))
    return program._least_disturbed(scenario(iter(rounds)), Tools(scale, Path("x")), side)


def test_a_calm_measurement_is_taken_as_it_is() -> None:
    """Nothing is measured until it looks better: a second measurement would find no figures here."""
    assert least_disturbed(figures(1))["per_s"] == 1


def test_a_disturbed_measurement_is_made_again_and_its_faults_stay() -> None:
    """The least disturbed counts, with the faults of all."""
    found = least_disturbed(figures(1, others_beside_load=0.5, errors=3), figures(2, others_beside_load=0.3))
    assert (found["per_s"], found["errors"]) == (2, 3)


def test_what_is_missing_is_told_in_a_sentence_and_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without nginx the others are still compared."""
    monkeypatch.setattr(program, "find_program", lambda name: None if name == "nginx" else name)
    monkeypatch.setattr(shutil, "which", lambda name: name)
    sides, names = program._available(SIDES, program.NAMES)
    assert sides == ["direct", "gglib", "caddy"]
    assert names == list(program.NAMES)
    assert "apt-get install nginx" in capsys.readouterr().err


def test_without_wrk_whole_answers_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams need nothing but Python."""
    monkeypatch.setattr(program, "find_program", lambda name: name)
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    _, names = program._available(SIDES, program.NAMES)
    assert names == [name for name in program.NAMES if not name.startswith("json")]
