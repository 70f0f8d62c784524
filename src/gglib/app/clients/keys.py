"""Chooses the key for a client, among those that the server accepts. Pure."""

from collections.abc import Mapping, Sequence

from gglib.app.clients.client import Key
from gglib.app.clients.entries import KEY_VARIABLE
from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelSummary
from gglib.proxy.access.model_filter import ModelFilter


def key_names_for(keys: Mapping[str, ApiKey], model: ModelSummary) -> tuple[str, ...]:
    """Return the names of the keys that may use a model, those without admin rights first.

    All names, if none of them may.
    """
    allowed = [name for name, key in keys.items() if ModelFilter(key.models).allows(model)]
    return tuple(sorted(allowed or keys, key=lambda name: keys[name].is_admin))


def client_key(key_names: Sequence[str], variable: str | None = None) -> Key | None:
    """Return the key for clients of this machine's server, whose accepted keys have these names; None: it has none."""
    if not key_names:
        return None
    return Key(variable=variable or KEY_VARIABLE, name=key_names[0])
