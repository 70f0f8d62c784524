"""The rights of a request, from its API key. Values only."""

from dataclasses import dataclass

from gglib.core.api_keys import ApiKey
from gglib.core.priority import Priority
from gglib.proxy.access.model_filter import ModelFilter


@dataclass(frozen=True, slots=True)
class Grant:
    """The rights of a request on a server with keys. Without keys a request has no grant (None)."""

    key_name: str | None
    """The name of its key, for logs; None for a request without a key, on a public path."""
    is_admin: bool
    models: ModelFilter | None
    """The models that it may use; None: all."""
    priority: Priority | None
    """See ``ApiKey.priority``."""

    @classmethod
    def of(cls, name: str, key: ApiKey) -> "Grant":
        """Return the rights of a key."""
        models = None if key.has_all_models else ModelFilter(key.models)
        return cls(name, key.is_admin, models, key.priority)


NO_RIGHTS = Grant(None, is_admin=False, models=ModelFilter(()), priority=None)
"""The rights of a request without a key on a server with keys: only public paths, which use no model."""
