"""Profiles as responses."""

from gglib.core import profiles
from gglib.proxy.routes import responses


def test_profile_has_the_name_of_its_model() -> None:
    """The id of the model is not shown."""
    shown = responses.Profile.of(profiles.Profile(name="cold", model_id=3, strip=("seed",)), "tiny")
    assert (shown.name, shown.model, shown.strip) == ("cold", "tiny", ("seed",))
