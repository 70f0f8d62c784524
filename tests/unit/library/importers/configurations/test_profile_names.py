"""Names of profiles."""

import pytest

from gglib.core.profile_rules import check_profile
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.profile_names import profile_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("high", "high"),
        ("gpt-4o:low", "gpt-4o-low"),
        ("a b/c", "a-b-c"),
        ("ü+ß", "profile"),
        ("", "profile"),
        ("..", "profile"),
        ("latest", "latest-profile"),
        ("x" * 100, "x" * 64),
    ],
)
def test_any_text_becomes_a_name(text: str, name: str) -> None:
    """The result may name a profile."""
    assert profile_name(text) == name
    check_profile(Profile(name=name))
