"""The fields of a model that a command changes."""

import pytest

from gglib.cli.models.alias_edits import edit_aliases
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
def test_aliases_are_changed_in_order(
    replacement: tuple[str, ...] | None,
    added: tuple[str, ...],
    removed: tuple[str, ...],
    expected: tuple[str, ...],
) -> None:
    """Aliases are replaced, removed and added, in this order, ignoring case; the others stay in their order."""
    assert edit_aliases(MODEL, replacement=replacement, added=added, removed=removed) == expected


@pytest.mark.parametrize(("replacement", "reason"), [(None, "it has 'a', 'B'"), ((), "it has none")])
def test_unknown_alias_cannot_be_removed(replacement: tuple[str, ...] | None, reason: str) -> None:
    """Removing an alias that the model does not have is refused, with a list of its aliases."""
    with pytest.raises(InvalidSettingError, match=f"Model 'coder' has no alias 'c': {reason}"):
        edit_aliases(MODEL, replacement=replacement, added=(), removed=("c",))


@pytest.mark.parametrize(
    ("replacement", "added", "expected"),
    [(None, (), ("a",)), (None, ("coder",), ("a", "coder")), (("x",), (), ("x",))],
)
def test_an_alias_that_becomes_the_name_is_none_any_more(
    replacement: tuple[str, ...] | None, added: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """Ignoring case; the old name may become one."""
    found = edit_aliases(MODEL, replacement=replacement, added=added, removed=(), new_name="b")
    assert found == expected
