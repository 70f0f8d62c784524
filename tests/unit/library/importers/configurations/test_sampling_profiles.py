"""Profiles from the sampling options of a llama-server."""

import pytest

from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import EngineOption
from gglib.library.importers.configurations.sampling_profiles import sampling_profile


def test_defaults_of_requests_become_a_profile() -> None:
    """Numbers, and the arguments of the template; the other options are returned."""
    options = (
        ("--temp", "0.2"),
        ("-s", "7"),
        ("--chat-template-kwargs", '{"enable_thinking": false}'),
        ("--threads", "2"),
        ("--mlock",),
    )
    assert sampling_profile("cold", options) == (
        Profile(
            name="cold", defaults={"temperature": 0.2, "seed": 7}, template_kwargs={"enable_thinking": False}
        ),
        (("--threads", "2"), ("--mlock",)),
    )


@pytest.mark.parametrize(
    "options",
    [
        (),
        (("--threads", "2"),),
        (("--temp", "warm"),),
        (("--temp", "99"),),
        (("--temp",),),
        (("--chat-template-kwargs", "[1]"),),
        (("--chat-template-kwargs", "[" * 100_000),),
    ],
)
def test_without_valid_sampling_there_is_none(options: tuple[EngineOption, ...]) -> None:
    """All options are returned."""
    assert sampling_profile("cold", options) == (None, options)
