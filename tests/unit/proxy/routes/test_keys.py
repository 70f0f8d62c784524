"""``GET /gglib/keys``."""

from gglib.core.api_keys import ApiKey, KeyLimits
from gglib.core.priority import Priority
from gglib.proxy.limits.key_meter import KeyUse
from gglib.proxy.routes.responses import Key


def test_a_key_is_shown_without_itself() -> None:
    """Its use is null without limits."""
    limits = KeyLimits(rpm=6)
    shown = Key.of(
        "jobs",
        ApiKey(key="SECRET-of-jobs", models=("chat*",), priority=Priority.BATCH, limits=limits),
        KeyUse(1, 2, 3, 4, 5.0, 6.0),
    )
    assert "SECRET" not in repr(shown)
    assert (shown.models, shown.priority, shown.rpm, shown.tpm) == (("chat*",), "batch", 6, None)
    assert shown.use is not None
    assert (shown.use.requests, shown.use.tokens, shown.use.reserved_tokens, shown.use.running) == (
        1,
        2,
        3,
        4,
    )
    admin = Key.of("root", ApiKey.admin("SECRET-of-root"), None)
    assert (admin.admin, admin.priority, admin.use) == (True, None, None)
