"""Groups, matrix and priorities."""

import math

import pytest

from gglib.core.priority import Priority
from gglib.library.importers.configurations.files.yaml_files import read_yaml
from gglib.library.importers.configurations.llama_swap.routing import MAX_SETS, Routing, read_routing

MODELS = ("a", "b", "c", "d")


def routing(text: str) -> Routing:
    """Return the routing of a document for four models."""
    return read_routing(read_yaml(f"x: 1\n{text}", "c.yaml"), MODELS)


def test_without_groups_one_model_runs() -> None:
    """That is llama-swap's default, and gglib's."""
    assert routing("") == Routing(priorities={})


@pytest.mark.parametrize(
    ("groups", "at_once"),
    [
        ("{g: {members: [a, b]}}", 1),
        ("{g: {swap: false, members: [a, b]}}", 2),
        ("{g: {swap: false, exclusive: false, members: [a, b]}}", 3),  # and one of the others
        ("{g: {exclusive: false, members: [a, b, c, d]}}", 1),
        ("{g: {exclusive: false, members: [a]}, h: {exclusive: false, members: [b, c, d]}}", 2),
        ("{g: {persistent: true, swap: false, members: [a, b]}}", 3),
        ("{g: {swap: false, members: [a, b]}, h: {swap: false, members: [c, d]}}", 2),
        ("{g: {members: []}}", 1),
    ],
)
def test_the_largest_number_that_groups_let_run(groups: str, at_once: int) -> None:
    """Groups that unload no others, and persistent ones, run beside one that does; the rest is a group of its own."""
    assert routing(f"groups: {groups}").at_once == at_once


def test_persistent_models_are_pinned() -> None:
    """Not those that replace each other within their group."""
    found = routing(
        "groups: {g: {persistent: true, swap: false, members: [a, b]}, h: {persistent: true, members: [c, d]}}"
    )
    assert found.pinned == {"a", "b"}
    assert routing("groups: {g: {persistent: true, members: [c]}}").pinned == {"c"}


def test_groups_below_routing() -> None:
    """The newer place means the same."""
    found = routing("routing: {router: {settings: {groups: {g: {swap: false, members: [a, b]}}}}}")
    assert (found.at_once, found.where) == (2, "routing.router.settings.groups")


MATRIX = "matrix: {vars: {A: a, B: b, C: c, D: d}, sets: {%s}}"


@pytest.mark.parametrize(
    ("sets", "at_once"),
    [
        ("s: A", 1),
        ("s: A & B", 2),
        ("s: (A | B) & C", 2),
        ("s: (A | B & C) & D", 3),
        ("s: A & A", 1),
        ("s: A | B, t: +s & C & D", 3),
    ],
)
def test_the_largest_set_of_a_matrix(sets: str, at_once: int) -> None:
    """``&`` joins, ``|`` separates and binds less, ``+name`` is another set; a model counts once."""
    assert routing(MATRIX % sets).at_once == at_once


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("A &", "a model is missing at its end"),
        ("(A", "a ')' is missing in it"),
        ("A B", "'B' is not expected in it"),
        ("A ? B", "the character '?' is not expected in it"),
        ("X", "'X' is not one of the vars"),
        ("+s", "'+s' is not another set"),
        ("+t", "'+t' is not another set"),
    ],
)
def test_a_set_that_cannot_be_read(expression: str, reason: str) -> None:
    """It is listed; a set that contains itself is no set."""
    found = routing(MATRIX % f"s: '{expression}'")
    assert [each.reason for each in found.leftovers if each.where == "matrix.sets.s"] == [reason]


def test_combinations_are_bounded() -> None:
    """Twenty factors of two would be a million sets."""
    factors = " & ".join(f"(M{n} | N{n})" for n in range(20))
    names = ", ".join(f"{letter}{n}: x{letter}{n}" for n in range(20) for letter in "MN")
    found = routing(f"matrix: {{vars: {{{names}}}, sets: {{s: '{factors}'}}}}")
    assert found.leftovers[0].reason == "it has more than 10000 combinations"


def test_alternatives_are_bounded() -> None:
    """A set with the largest accepted number of combinations is read; one alternative more, and it is listed."""
    count = math.isqrt(MAX_SETS)
    factors = [f"({' | '.join(f'{letter}{n}' for n in range(count))})" for letter in "MN"]
    names = ", ".join(f"{letter}{n}: x{letter}{n}" for n in range(count) for letter in "MN")
    most = " & ".join(factors)
    found = routing(f"matrix: {{vars: {{X: x, {names}}}, sets: {{most: '{most}', more: '{most} | X'}}}}")
    assert found.at_once == 2
    reasons = {each.where: each.reason for each in found.leftovers}
    assert reasons["matrix.sets.more"] == f"it has more than {MAX_SETS} combinations"
    assert reasons["matrix.sets.most"] != reasons["matrix.sets.more"]


def test_each_set_is_read_once() -> None:
    """Forty sets that each refer twice to the next one would be a million millions of readings."""
    sets = ", ".join(f"s{n}: +s{n + 1} & +s{n + 1}" for n in range(40))
    assert routing(MATRIX % f"{sets}, s40: A & B").at_once == 2


def test_a_set_that_is_nested_too_deeply_is_listed() -> None:
    """It is no crash."""
    found = routing(MATRIX % f"s: '{'(' * 50_000}', t: A & B")
    assert [each.reason for each in found.leftovers if each.where == "matrix.sets.s"] == [
        "it is nested too deeply"
    ]
    assert found.at_once == 2


def test_a_matrix_below_routing_and_costs() -> None:
    """``use`` selects it; the costs of evictions have no counterpart."""
    settings = (
        "{matrix: {vars: {A: a, B: b}, evict_costs: {A: 5}, sets: {s: A & B}}, groups: {g: {members: [a]}}}"
    )
    found = routing(f"routing: {{router: {{use: matrix, settings: {settings}}}}}")
    assert (found.at_once, found.pinned) == (2, frozenset())
    assert "routing.router.settings.matrix.evict_costs" in [each.where for each in found.leftovers]


def test_priorities() -> None:
    """Models below 0 can wait; there is no class above the default."""
    found = routing("routing: {scheduler: {settings: {fifo: {priority: {a: -1, b: 0, c: 9}}}}}")
    assert found.priorities == {"a": Priority.BATCH}
    assert [each.where for each in found.leftovers] == ["routing.scheduler.settings.fifo.priority.c"]
