"""Which nodes have a model, under which names, and which names stand for which content."""

import pytest
from tests.unit.nodes.cluster import a_model, a_node, with_vision

from gglib.core.backends import UrlBackend
from gglib.core.nodes import NodeSnapshot
from gglib.nodes.model_index import ModelIndex


def index(*snapshots: NodeSnapshot) -> ModelIndex:
    """Return the models of nodes, of which the first is the front itself."""
    return ModelIndex(snapshots)


def nodes_of(found: ModelIndex, name: str) -> dict[str, str]:
    """Return the nodes that have a model, with its name there."""
    model = found.find(name)
    assert model is not None
    return {node: copy.name for node, copy in model.copies.items()}


def test_the_same_file_is_found_under_different_names() -> None:
    """Both names are listed, and each leads to both nodes."""
    found = index(a_node("a", models=(a_model("m"),)), a_node("b", models=(a_model("other"),)))
    assert nodes_of(found, "m") == nodes_of(found, "other") == {"a": "m", "b": "other"}
    assert [model.name for model in found.summaries] == ["m", "other"]
    assert found.conflicts == ()


def test_a_node_with_several_names_of_one_file_is_used_under_the_wanted_one() -> None:
    """Its settings may differ by name; a node without the name is used under its first one."""
    both = (a_model("m"), a_model("long"))
    found = index(a_node("a", models=both), a_node("b", models=(a_model("x"), a_model("long"))))
    assert nodes_of(found, "long") == {"a": "long", "b": "long"}
    assert nodes_of(found, "m") == {"a": "m", "b": "x"}


@pytest.mark.parametrize("hashes", [(None, None), ("aa", None), (None, "aa")])
def test_without_a_hash_equal_names_and_sizes_are_enough(hashes: tuple[str | None, str | None]) -> None:
    """Whichever of the nodes lacks it."""
    first, second = (a_model(sha256=sha256) for sha256 in hashes)
    assert nodes_of(index(a_node("a", models=(first,)), a_node("b", models=(second,))), "m") == {
        "a": "m",
        "b": "m",
    }


def test_without_a_hash_another_name_or_size_is_another_model() -> None:
    """Nothing shows that the files are the same."""
    other_name, other_size = a_model("n", sha256=None), a_model("m", sha256=None, gib=5)
    found = index(a_node("a", models=(a_model(),)), a_node("b", models=(other_name, other_size)))
    assert nodes_of(found, "m") == {"a": "m"}
    assert nodes_of(found, "n") == {"b": "n"}


def test_the_fronts_own_file_has_a_name_against_all_others() -> None:
    """The conflict says where to rename."""
    other = a_model("m", sha256="bb")
    found = index(a_node("a", models=(a_model(),)), *(a_node(name, models=(other,)) for name in ("b", "c")))
    assert nodes_of(found, "m") == {"a": "m"}
    (conflict,) = found.conflicts
    assert (conflict.served, conflict.others) == (("a",), ("b", "c"))
    assert str(conflict) == (
        "'m' is another file on b and c than on a, which serves it: give it another name there with "
        "'gglib set --name NEW m'."
    )


def test_else_the_file_of_most_nodes_has_the_name() -> None:
    """Of equally many, the first."""
    other = a_model("m", sha256="bb")
    nodes = [a_node("own", models=()), a_node("a", models=(a_model(),)), a_node("b", models=(other,))]
    assert nodes_of(index(*nodes), "m") == {"a": "m"}
    found = index(*nodes, a_node("c", models=(other,)))
    assert nodes_of(found, "m") == {"b": "m", "c": "m"}
    assert str(found.conflicts[0]).startswith("'m' is another file on a than on b and c, which serve it: ")


def test_a_file_that_lost_its_name_keeps_its_other_names() -> None:
    """It is served under them, also by the node that calls it by the lost one."""
    nodes = (a_node("a", models=(a_model("m"),)), a_node("b", models=(a_model("m", sha256="bb"),)))
    found = index(*nodes, a_node("c", models=(a_model("n", sha256="bb"),)))
    assert nodes_of(found, "n") == {"b": "m", "c": "n"}


def test_other_uses_of_a_file_are_other_models() -> None:
    """A request with images is not sent to a node without the projector."""
    found = index(a_node("a", models=(with_vision(),)), a_node("b", models=(a_model(),)))
    assert nodes_of(found, "m") == {"a": "m"}
    assert len(found.conflicts) == 1


def test_models_of_servers_elsewhere_have_names_alone() -> None:
    """They have neither hash nor size."""
    remote = a_model("m", sha256=None, gib=None, backend=UrlBackend(base_url="http://box/v1"))
    local = a_model("m", sha256=None, gib=None)
    found = index(a_node("a", models=(remote,)), a_node("b", models=(remote,)), a_node("c", models=(local,)))
    assert nodes_of(found, "m") == {"a": "m", "b": "m"}


def test_names_resolve_as_in_one_catalogue() -> None:
    """By alias and ignoring case; ids are those of the front, and a model that it lacks has none."""
    own = a_model("m", aliases=("fast", "n"), model_id=7)
    other = a_model("n", sha256="bb", model_id=7)
    found = index(a_node("a", models=(own,)), a_node("b", models=(other,)))
    names = {
        name: model and model.name for name in ("fast", "M", "7", "n", "none") for model in [found.find(name)]
    }
    assert names == {"fast": "m", "M": "m", "7": "m", "n": "n", "none": None}
    assert [(model.id, model.aliases) for model in found.summaries] == [(7, ("fast",)), (-2, ())]


def test_only_models_of_nodes_that_take_requests_are_listed() -> None:
    """The others still resolve, so that the error can say where they are."""
    found = index(a_node("a", models=(a_model(),)), a_node("b", models=(a_model("n", sha256="bb"),)))
    assert [model.name for model in found.listed(["a"])] == ["m"]
    assert found.listed([]) == ()
    assert nodes_of(found, "n") == {"b": "n"}


def test_without_nodes_there_are_no_models() -> None:
    """An index of nothing is empty."""
    assert (ModelIndex(()).summaries, ModelIndex(()).find("m")) == ((), None)
