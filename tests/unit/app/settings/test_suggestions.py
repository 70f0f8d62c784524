"""Names that are suggested for a misspelt one."""

from gglib.app.settings.suggestions import suggestion


def test_similar_names_are_suggested() -> None:
    """The nearest first."""
    assert suggestion("prot", ["port", "host", "slots"]).startswith(": did you mean port")


def test_without_similar_names_all_are_listed() -> None:
    """In their order."""
    assert suggestion("xyz", ["port", "host"]) == ": valid names are port, host."
