"""How the environment selects the hub and the offline mode."""

import pytest

from gglib.app.models.hub import DEFAULT_ENDPOINT, hub_access, open_hub
from gglib.core.errors import HubError, HubUnreachableError


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("", DEFAULT_ENDPOINT),
        ("  ", DEFAULT_ENDPOINT),
        ("https://hub.example/ ", "https://hub.example"),
        ("\thttps://hub.example/mirror//", "https://hub.example/mirror"),
    ],
)
def test_whitespace_around_an_endpoint_is_ignored(text: str, endpoint: str) -> None:
    """Trailing slashes are ignored, too."""
    assert hub_access({"HF_ENDPOINT": text}).endpoint == endpoint


@pytest.mark.parametrize("text", ["huggingface.co", "http://", "http://[::1", "https://hub.example:99999"])
async def test_invalid_endpoint_names_the_variable(text: str) -> None:
    """The error is raised before any request."""
    with pytest.raises(HubError, match=r"HF_ENDPOINT .*https://huggingface\.co"):
        async with open_hub({"HF_ENDPOINT": text}):
            pass


@pytest.mark.parametrize(
    ("variables", "is_offline"),
    [
        ({}, False),
        ({"HF_HUB_OFFLINE": "1"}, True),
        ({"TRANSFORMERS_OFFLINE": "yes"}, True),
        ({"HF_HUB_OFFLINE": "", "TRANSFORMERS_OFFLINE": "1"}, True),
        ({"HF_HUB_OFFLINE": "0", "TRANSFORMERS_OFFLINE": "1"}, False),
    ],
)
def test_both_offline_variables_count(variables: dict[str, str], *, is_offline: bool) -> None:
    """Both variables are read as the library reads them."""
    assert hub_access(variables).is_offline is is_offline


async def test_both_offline_variables_are_named() -> None:
    """The message names every variable to unset."""
    async with open_hub({"TRANSFORMERS_OFFLINE": "1"}) as hub:
        with pytest.raises(HubUnreachableError, match="HF_HUB_OFFLINE and TRANSFORMERS_OFFLINE"):
            await hub.repository("ada/coder")
