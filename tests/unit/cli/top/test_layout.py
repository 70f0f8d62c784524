"""The frames of ``gglib top``."""

from dataclasses import replace

import pytest
from tests.support.top_values import NOW_S, URL, a_node, data, finished, loading, resident, running, swap

from gglib.cli.top.cells import Line
from gglib.cli.top.data import TopData, with_finished, with_swap, without_server
from gglib.cli.top.keys import press
from gglib.cli.top.layout import frame, plain_frame, row_counts
from gglib.cli.top.rates import Rates
from gglib.cli.top.ui import Field, Note, Panel, Question, Quit, Selection, Ui
from gglib.cli.views.tables import text_width

UI = Ui()
TITLES = ("MODELS", "QUEUE", "REQUESTS", "SWAPS", "FAILED")


def busy(requests: int = 3) -> TopData:
    """Return a server in a storm."""
    known = data(
        resident("small", in_flight=2),
        loading("big"),
        waiting=(("big", 2, 3.0),),
        requests=tuple(running(f"req_{n}", age_s=100.0 - n) for n in range(requests)),
        limits={"ram": 8_000_000_000, "gpu0": 24_000_000_000},
        used={"ram": 1_200_000_000},
        hint="two models were swapped",
    )
    known = with_finished(with_swap(known, swap(), NOW_S), finished("x", error="engine_error"), NOW_S)
    return replace(known, started_s=NOW_S - 120, rates=Rates(requests=12.34, tokens=5678.0))


def texts(lines: list[Line]) -> list[str]:
    """Return the lines without their styles."""
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("width", [1, 39, 40, 57, 80, 100, 140, 250])
@pytest.mark.parametrize("height", [1, 7, 8, 12, 24, 30, 60])
@pytest.mark.parametrize("ui", [UI, Ui(is_help=True), Ui(filter_text="a long text " * 20, is_paused=True)])
def test_frame_fits_any_terminal(width: int, height: int, ui: Ui) -> None:
    """No line is too wide, and there are never too many."""
    shown = texts(frame(busy(40), ui, NOW_S, (width, height)))
    assert len(shown) <= height
    assert all(text_width(line) <= width for line in shown)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 30), (140, 40)])
def test_frame_shows_all_panels_in_usual_sizes(width: int, height: int) -> None:
    """Each with a row, the keys in the last line, and a full screen."""
    shown = texts(frame(busy(), UI, NOW_S, (width, height)))
    assert len(shown) == height
    at = [next(n for n, line in enumerate(shown) if line.startswith(title)) for title in TITLES]
    assert at == sorted(at)
    assert shown[0].startswith(f"gglib 1.2.3 at {URL}")
    assert shown[0].endswith(" up 2 min")
    assert shown[1] == "Requests   12.3/s   Tokens   5.7k/s   In flight    2   Waiting    2"
    assert shown[2] == "Memory  1.2 GB of 8.0 GB   gpu0    0 MB of 24.0 GB"
    assert "q quit" in shown[-1]
    assert "Hint: two models were swapped" in shown[-2]


def test_small_terminal_shows_models_and_requests() -> None:
    """The rest is left out."""
    text = "\n".join(texts(frame(busy(), UI, NOW_S, (60, 10))))
    assert "MODELS" in text
    assert "REQUESTS" in text
    assert "FAILED" not in text


def test_rows_that_do_not_fit_are_counted() -> None:
    """And the selected one stays visible."""
    ui = Ui(panel=Panel.REQUESTS, selections={Panel.REQUESTS: Selection("req_39", 39)})
    shown = frame(busy(40), ui, NOW_S, (160, 24))
    text = "\n".join(texts(shown))
    assert "REQUESTS 40" in text
    assert " more" in text
    (selected,) = [line for line in shown if line and line[0][0].startswith("> ")]
    assert "req_39" in selected[0][0]
    assert "req_0 " not in text


def test_no_row_moves_when_one_goes() -> None:
    """Panels keep the room that they once needed."""
    before, after = busy(6), data(resident("small"))
    needs = row_counts(before, UI, NOW_S)
    sizes = (140, 40)
    first = texts(frame(before, UI, NOW_S, sizes, needs))
    second = texts(frame(after, UI, NOW_S, sizes, needs))
    places = [[n for n, line in enumerate(shown) if line.startswith(TITLES)] for shown in (first, second)]
    assert places[0] == places[1]


def test_selection_is_marked_in_the_panel_in_use_alone() -> None:
    """Its heading has another style."""
    lines = frame(busy(), UI, NOW_S, (80, 24))
    assert [line[0][0][:7] for line in lines if line and line[0][0].startswith("> ")] == ["> big  "]
    styles = {line[0][0].split()[0]: line[0][1] for line in lines if line and line[0][0].startswith(TITLES)}
    assert styles["MODELS"] == "bold cyan"
    assert styles["REQUESTS"] == "bold"
    switched, _ = press(busy(), UI, "tab")
    assert not any(line and line[0][0].startswith("> ") for line in frame(busy(), switched, NOW_S, (80, 24)))


def test_empty_panels_say_so() -> None:
    """An older server does not know its requests; one that is gone knows nothing."""
    text = "\n".join(texts(frame(data(), UI, NOW_S, (80, 24))))
    for sentence in (
        "No model is loaded.",
        "No request waits for a model.",
        "No request is in progress.",
        "No swap yet.",
        "No request has failed.",
    ):
        assert sentence in text
    old = "\n".join(texts(frame(replace(data(), has_requests=False), UI, NOW_S, (80, 24))))
    assert "This server does not report its requests: update it." in old
    assert "No request waits for a model." in old


def test_filter_without_a_match_does_not_say_that_there_is_nothing() -> None:
    """A panel whose rows are all left out says why; one without rows says what it always says."""
    text = "\n".join(texts(frame(busy(), Ui(filter_text="zed"), NOW_S, (80, 24))))
    assert text.count("Nothing here fits the filter.") == 5
    empty = "\n".join(texts(frame(data(), Ui(filter_text="zed"), NOW_S, (80, 24))))
    assert "Nothing here fits the filter." not in empty
    assert "No model is loaded." in empty


@pytest.mark.parametrize(("width", "height", "rows"), [(80, 24, 3), (100, 30, 2), (80, 19, 1)])
def test_long_message_is_wrapped(width: int, height: int, rows: int) -> None:
    """It covers the last rows of the panels, which stay where they are; a low terminal has one line for it."""
    advice = (
        "'a' and 'b' were swapped 3 times within 60 s, and both fit into memory: to keep both, set max_models"
    )
    hint = f"{advice} = \"auto\" in config.toml, or run 'gglib serve --max-models auto'."
    status = busy().status
    assert status is not None
    known = replace(busy(), status=replace(status, hint=hint))
    shown = texts(frame(known, UI, NOW_S, (width, height)))
    plain = texts(frame(busy(), UI, NOW_S, (width, height)))
    assert len(shown) == height
    assert shown[: height - 1 - rows] == plain[: height - 1 - rows]
    message = " ".join(shown[height - 1 - rows : -1])
    assert message.startswith("Hint: 'a' and 'b'")
    assert message.endswith("auto'." if rows > 1 else "…")


def test_server_that_is_gone() -> None:
    """The message says so; what happened before stays."""
    shown = texts(frame(without_server(busy(), "Waiting for the server ..."), UI, NOW_S, (80, 24)))
    assert shown[-2] == "Waiting for the server ..."
    assert shown[0].rstrip() == f"gglib at {URL}"
    text = "\n".join(shown)
    assert text.count("The server does not respond.") == 3
    assert "big -> small" in text


@pytest.mark.parametrize(
    ("ui", "line"),
    [
        (Ui(typing=Field.FILTER, typed="qw"), "Filter: qw_  (Enter applies, Esc leaves)"),
        (Ui(typing=Field.LOAD, typed="m"), "Load model: m_  (Enter loads it, Esc leaves)"),
        (Ui(question=Question("Unload a?", Quit())), "Unload a? (y/n)"),
        (Ui(note=Note("Pinned a\x07.")), r"Pinned a\x07."),
        (Ui(note=Note("It failed.", is_error=True)), "It failed."),
        (UI, "Hint: two models were swapped"),
    ],
)
def test_message_line(ui: Ui, line: str) -> None:
    """What is asked comes before results, and these before hints."""
    lines = frame(busy(), ui, NOW_S, (80, 24))
    assert texts(lines)[-2] == line
    assert lines[-2][0][1] == {"It failed.": "red"}.get(line, lines[-2][0][1])


def test_hint_of_a_model_is_shown_if_there_is_no_other() -> None:
    """There is one line for it."""
    own = data(resident(keep_hint="keep its prompts"))
    assert texts(frame(own, UI, NOW_S, (80, 24)))[-2] == "Hint: keep its prompts"
    both = data(resident(keep_hint="keep its prompts"), hint="keep both")
    assert texts(frame(both, UI, NOW_S, (80, 24)))[-2] == "Hint: keep both"


def test_without_a_status_there_is_no_hint() -> None:
    """The server has not answered yet."""
    unknown = replace(data(), status=None, problem=None)
    assert texts(frame(unknown, UI, NOW_S, (80, 24)))[-2] == ""


def test_marks_of_the_view_are_in_the_first_line() -> None:
    """A paused or filtered view must not look like an idle server."""
    ui = Ui(is_paused=True, filter_text="qwen")
    assert texts(frame(busy(), ui, NOW_S, (100, 24)))[0].endswith("PAUSED  filter: qwen  up 2 min")


def test_help_lists_the_keys() -> None:
    """In the place of the panels."""
    text = "\n".join(texts(frame(busy(), Ui(is_help=True), NOW_S, (80, 24))))
    assert "u              unload the selected model" in text
    assert "Any key closes this help." in text
    assert "REQUESTS" not in text


def test_printed_frame_has_all_rows_and_no_keys() -> None:
    """As for ``top -b -n1``."""
    text = "\n".join(texts(plain_frame(busy(100), UI, NOW_S, 140)))
    assert text.count("/v1/chat/completions") == 101
    assert "more" not in text
    assert "q quit" not in text
    assert "> " not in text.replace("-> ", "")
    assert "No model is loaded." in "\n".join(texts(plain_frame(data(), UI, NOW_S, 140)))


def test_nodes_are_a_panel_if_there_are_any() -> None:
    """Also in a printed frame; the room that panels had does not depend on it."""
    without, known = busy(), replace(busy(), nodes=(a_node("own", is_own=True), a_node("box")))
    assert not any(line.startswith("NODES") for line in texts(plain_frame(without, UI, NOW_S, 100)))
    assert any(line.startswith("NODES 2") for line in texts(plain_frame(known, UI, NOW_S, 100)))
    needs = row_counts(without, UI, NOW_S)
    assert len(needs) == len(row_counts(known, UI, NOW_S))
    shown = texts(frame(known, UI, NOW_S, (100, 40), needs))
    assert any(line.strip().startswith("box") for line in shown)
    assert not any(line.startswith("NODES") for line in texts(frame(without, UI, NOW_S, (100, 40), needs)))
