"""What a command changes of a model, field by field."""

import pytest

from gglib.cli.model_edits import edit_aliases
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary

MODEL = ModelSummary(id=1, name="coder", aliases=("a", "B"))


@pytest.mark.parametrize(
    ("replacement", "added", "removed", "expected"),
    [
        (None, (), (), ("a", "B")),
        (None, ("c",), (), ("a", "B", "c")),
        (None, ("A", "b", "c", "C"), (), ("a", "B", "c")),
        (None, (), ("b",), ("a",)),
        (None, ("b",), ("B",), ("a", "b")),
        ((), (), (), ()),
        (("x",), ("y",), (), ("x", "y")),
    ],
)
def test_aliases_change_one_by_one(
    replacement: tuple[str, ...] | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    """Aliases are replaced, removed and added, in this order, ignoring case; the others stay in their order."""
    assert edit_aliases(MODEL, replacement=replacement, added=added, removed=removed) == expected


@pytest.mark.parametrize(("replacement", "said"), [(None, "it has 'a', 'B'"), ((), "it has none")])
def test_an_alias_that_it_has_not_cannot_be_removed(replacement: tuple[str, ...] | None, said: str) -> None:
    """Removing an alias that the model has not is refused, with those that it has."""
    with pytest.raises(InvalidSettingError, match=f"Model 'coder' has no alias 'c': {said}"):
        edit_aliases(MODEL, replacement=replacement, added=(), removed=("c",))
