"""What the keys of ``gglib top`` do."""

import pytest
from tests.support.top_values import data, resident, running

from gglib.cli.top.data import TopData
from gglib.cli.top.keys import press
from gglib.cli.top.ui import Action, Cancel, Field, Load, Panel, Quit, SetPin, Ui, Unload

MODELS = ("a", "b", "c")
KNOWN = data(*map(resident, MODELS), requests=tuple(running(f"req_{n}", age_s=9.0 - n) for n in range(3)))


def pressed(*keys: str, known: TopData = KNOWN, ui: Ui | None = None) -> tuple[Ui, list[Action]]:
    """Press keys; return the state and the actions."""
    ui, actions = ui or Ui(), []
    for key in keys:
        ui, action = press(known, ui, key)
        actions += [] if action is None else [action]
    return ui, actions


@pytest.mark.parametrize("key", ["q", "Q", "escape", "c-c"])
def test_keys_that_quit(key: str) -> None:
    """Ctrl-C works everywhere."""
    assert pressed(key)[1] == [Quit()]
    for before in ("/", "l", "?"):
        assert pressed(before, "c-c")[1] == [Quit()]


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ((), "a"),
        (("j",), "b"),
        (("down", "j"), "c"),
        (("j", "j", "j", "k"), "b"),
        (("up",), "a"),
        (("G",), "c"),
        (("end", "home"), "a"),
        (("pagedown", "pageup"), "a"),
    ],
)
def test_selection_moves_over_the_models(keys: tuple[str, ...], name: str) -> None:
    """The first one is selected at the start; the ends stop."""
    assert pressed(*keys, "u")[1] == [Unload(name)]


def test_idle_model_is_unloaded_at_once_and_a_busy_one_after_a_question() -> None:
    """Only y is yes."""
    busy = data(resident("a", in_flight=2))
    asked, actions = pressed("u", known=busy)
    assert actions == []
    assert asked.question is not None
    assert asked.question.text == "Unload a, which serves 2 requests?"
    assert pressed("y", known=busy, ui=asked) == (Ui(), [Unload("a")])
    for key in ("n", "escape", "u", "enter"):
        assert pressed(key, known=busy, ui=asked) == (Ui(), [])
    asked, _ = pressed("u", known=data(resident("a", in_flight=1)))
    assert asked.question is not None
    assert asked.question.text.endswith("1 request?")


def test_p_pins_and_unpins() -> None:
    """By the state of the model."""
    assert pressed("p")[1] == [SetPin("a", True)]
    assert pressed("p", known=data(resident("a", is_pinned=True)))[1] == [SetPin("a", False)]


def test_tab_switches_to_the_requests_where_c_cancels() -> None:
    """None is selected before a key selects it."""
    ui, actions = pressed("tab", "c")
    assert actions == []
    assert ui.note is not None
    assert ui.note.text == "Select a request first: j and k move."
    assert pressed("tab", "j", "c")[1] == [Cancel("req_0")]
    assert pressed("tab", "j", "j", "c")[1] == [Cancel("req_1")]
    assert pressed("tab", "s-tab", "u")[1] == [Unload("a")]


@pytest.mark.parametrize(
    ("keys", "text"),
    [
        (("c",), "Select a request first: Tab switches the panel, j and k move."),
        (("tab", "u"), "Select a model first: Tab switches the panel, j and k move."),
        (("tab", "p"), "Select a model first: Tab switches the panel, j and k move."),
    ],
)
def test_keys_of_the_other_panel_say_so(keys: tuple[str, ...], text: str) -> None:
    """And do nothing."""
    ui, actions = pressed(*keys)
    assert actions == []
    assert ui.note is not None
    assert (ui.note.text, ui.note.is_error) == (text, True)


def test_key_never_acts_on_the_row_that_took_the_place_of_the_selected_one() -> None:
    """The selected request has finished a moment before the key; the next move goes on at its place."""
    ui, _ = pressed("tab", "j", "j")
    later = data(requests=(running("req_0"), running("req_2", age_s=1.0), running("req_3", age_s=0.5)))
    after, actions = pressed("c", known=later, ui=ui)
    assert actions == []
    assert after.note is not None
    assert pressed("j", "c", known=later, ui=ui)[1] == [Cancel("req_2")]


def test_nothing_to_select() -> None:
    """An empty server."""
    assert pressed("j", "k", "G", known=data()) == (Ui(), [])
    assert pressed("u", known=data())[1] == []


def test_filter_takes_effect_while_it_is_typed() -> None:
    """Enter keeps it, Esc removes it; keys are text meanwhile."""
    ui, actions = pressed("/", "q", "b", "backspace", "backspace", "b", "up")
    assert (ui.typing, ui.typed, ui.filter_text, actions) == (Field.FILTER, "b", "b", [])
    kept, _ = pressed("enter", ui=ui)
    assert (kept.typing, kept.filter_text) == (None, "b")
    assert pressed("u", ui=kept)[1] == [Unload("b")]
    again, _ = pressed("/", ui=kept)
    assert again.typed == "b"
    assert pressed("c-u", ui=again)[0].filter_text == ""
    assert pressed("escape", ui=again) == (Ui(), [])


def test_l_loads_the_model_that_is_typed() -> None:
    """Any name that the server knows; nothing loads nothing, and Esc leaves it."""
    assert pressed("l", *"qwen-4b", "enter")[1] == [Load("qwen-4b")]
    assert pressed("l", " ", "enter") == (Ui(), [])
    assert pressed("l", "x", "escape") == (Ui(), [])


def test_s_steps_through_the_orders_of_the_panel() -> None:
    """And begins again; the other panel keeps its order."""
    ui, _ = pressed("s")
    assert ui.orders == {Panel.MODELS: 1, Panel.REQUESTS: 0}
    assert ui.note is not None
    assert ui.note.text == "Order of the models: tokens/s."
    assert pressed("s", "s", "s", "s")[0].orders == Ui().orders
    assert pressed("tab", "s")[0].orders == {Panel.MODELS: 0, Panel.REQUESTS: 1}


def test_help_and_pause_are_switches() -> None:
    """Any key closes the help, and does nothing else; keys without a meaning change nothing."""
    assert pressed("?")[0].is_help
    assert pressed("?", "q") == (Ui(), [])
    assert pressed(" ")[0].is_paused
    assert pressed(" ", " ") == (Ui(), [])
    assert pressed("x", "f5") == (Ui(), [])


def test_next_key_removes_the_note() -> None:
    """It is about the last one."""
    assert pressed("c", "j")[0].note is None
