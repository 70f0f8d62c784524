"""API keys and the rights that they grant. Values only."""

from dataclasses import dataclass, field

from gglib.core.priority import Priority

ALL_MODELS = ("*",)
LOCAL_KEY_NAME = "local"
"""Name of the key that a server generates for gglib's own commands. Keys of the settings cannot have it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How much the requests of one key may use. None: no limit. Raises ValueError for numbers below 1."""

    rpm: int | None = None
    """Requests per minute: in any 60 seconds."""
    tpm: int | None = None
    """Tokens per minute, prompts and completions together."""
    parallel: int | None = None
    """Requests in progress at once."""

    def __post_init__(self) -> None:
        if any(limit is not None and limit < 1 for limit in (self.rpm, self.tpm, self.parallel)):
            raise ValueError("a limit of an API key is at least 1")

    def __bool__(self) -> bool:
        """Whether anything is limited."""
        return self.rpm is not None or self.tpm is not None or self.parallel is not None


NO_LIMITS = KeyLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key, and what a request with it may do. Raises ValueError for an empty key and for contradicting rights."""

    key: str = field(repr=False)
    models: tuple[str, ...] = ALL_MODELS
    """Globs (``*``, ``?``, ``[abc]``) that match names and aliases of the models it may use, ignoring case."""
    is_admin: bool = False
    """Whether it may use the admin API and see file paths, logs and the usage of other keys."""
    priority: Priority | None = None
    """The priority of its requests without the header ``x-gglib-priority``; None: that of the model. The header cannot
    raise the priority of a key with ``BATCH``."""
    limits: KeyLimits = NO_LIMITS

    def __post_init__(self) -> None:
        if not self.key:
            raise ValueError("an API key is empty")
        if not self.models:
            raise ValueError("an API key without models allows nothing")
        if self.is_admin and not self.has_all_models:
            raise ValueError("an admin key has all models")

    @property
    def has_all_models(self) -> bool:
        """Whether it may use every model."""
        return "*" in self.models

    @classmethod
    def admin(cls, key: str) -> "ApiKey":
        """Return a key with all rights: the form ``alice = "key"`` of the settings."""
        return cls(key=key, is_admin=True)
