"""The recording of bodies as the settings have it: its rule, its warning, and the keys that are never stored. Pure."""

from collections.abc import Iterator

from gglib.app.settings import Settings
from gglib.core.history.recording import NO_RECORDING, RecordingRule


def recording_rule(settings: Settings) -> RecordingRule:
    """Return the rule of the setting ``record_bodies``, which stores nothing without a history."""
    return RecordingRule(settings.record_bodies) if settings.history else NO_RECORDING


def recorded(settings: Settings) -> str | None:
    """Return which bodies are recorded and where, as a clause; None if none are."""
    if not recording_rule(settings):
        return None
    rule = settings.record_bodies
    which = "all requests" if isinstance(rule, bool) else f"requests for {', '.join(rule)}"
    return f"prompts and answers of {which} are stored in {settings.history_database}"


def recording_warnings(settings: Settings) -> Iterator[str]:
    """Yield a sentence if bodies are recorded: the users of the server may not expect it."""
    text = recorded(settings)
    if text is not None:
        yield f"Setting 'record_bodies': {text}, known forms of secrets removed."


def own_keys(settings: Settings) -> tuple[str, ...]:
    """Return the access keys of the settings."""
    return tuple(key.key for key in settings.api_keys.values())
