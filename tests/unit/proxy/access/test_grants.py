"""The rights of a request follow from its key."""

from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary
from gglib.core.priority import Priority
from gglib.proxy.access.grants import NO_RIGHTS, Grant

CHAT, EMBED = ModelSummary(id=1, name="chat-4b"), ModelSummary(id=2, name="embed")


def test_key_for_all_models_has_no_filter() -> None:
    """Then a request costs nothing extra."""
    grant = Grant.of("alice", ApiKey.admin("alice-key"))
    assert grant == Grant("alice", is_admin=True, models=None, priority=None)


def test_key_for_some_models_has_a_filter() -> None:
    """Its patterns, and its priority."""
    grant = Grant.of("bob", ApiKey(key="bob-key", models=("chat*",), priority=Priority.BATCH))
    assert grant.models is not None
    assert (grant.models.allows(CHAT), grant.models.allows(EMBED)) == (True, False)
    assert (grant.key_name, grant.is_admin, grant.priority) == ("bob", False, Priority.BATCH)


def test_no_rights_allow_no_model() -> None:
    """A public path uses no model."""
    assert NO_RIGHTS.models is not None
    assert not NO_RIGHTS.is_admin
    assert not NO_RIGHTS.models.allows(CHAT)
