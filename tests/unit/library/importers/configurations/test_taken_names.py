"""The names that models have."""

from gglib.core.models import ModelSummary
from gglib.library.importers.configurations.plan import Leftover
from gglib.library.importers.configurations.taken_names import TakenNames


def test_names_are_taken_by_the_first_model() -> None:
    """Names and aliases, in any case; a later model does not get them."""
    names = TakenNames([ModelSummary(id=1, name="Qwen", aliases=("q",))])
    names.take("other", ("Q", "new"))
    assert [names.owner(name) for name in ("qwen", "Q", "NEW", "free")] == ["Qwen", "Qwen", "other", None]


def test_free_names_and_the_reasons_of_the_others() -> None:
    """Each name once; a model's own names are neither."""
    names = TakenNames([ModelSummary(id=1, name="taken")])
    free, leftovers = names.free("m.aliases", ("a", "A", "own", "7", "Taken", "b"), ("OWN",))
    assert free == ("a", "b")
    assert leftovers == [
        Leftover("m.aliases", "the name '7' cannot be used"),
        Leftover("m.aliases", "'Taken' is a name of 'taken'"),
    ]
