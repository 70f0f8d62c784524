"""Which warnings about names of models are about a changed setting."""

import pytest

from gglib.cli.setting_names import about_setting

WARNINGS = (
    "Setting 'preload': Model 'x' is not in the catalogue.",
    "Setting 'default_model': Model 'y' is not in the catalogue.",
    "Setting 'aliases', 'fast': Model 'z' is not in the catalogue.",
    "Setting 'aliases': 'chat' is the name of a model, so the alias is ignored.",
    "Setting 'api_keys', 'models' of 'bob': the pattern 'a*' matches no model.",
    "Setting 'api_keys', 'models' of 'bobby': the pattern 'b*' matches no model.",
)


@pytest.mark.parametrize(
    ("path", "indices"),
    [
        (("preload",), [0]),
        (("default_model",), [1]),
        (("aliases", "fast"), [2]),
        (("aliases", "chat"), [3]),
        (("aliases", "fa"), []),
        (("api_keys", "bob"), [4]),
        (("api_keys", "bobby"), [5]),
        (("port",), []),
    ],
)
def test_a_change_shows_its_own_warnings_only(path: tuple[str, ...], indices: list[int]) -> None:
    """Those of other settings and keys are shown where these are changed."""
    assert about_setting(WARNINGS, path) == [WARNINGS[index] for index in indices]
