"""Checks the names of keys and models in ``record_bodies``. Pure."""

from collections.abc import Iterator, Sequence

from gglib.app.settings.definitions import Settings
from gglib.app.settings.suggestions import suggestion
from gglib.core.api_keys import LOCAL_KEY_NAME
from gglib.core.history.recording import KEY, matches_glob
from gglib.core.models import ModelSummary


def recording_name_warnings(
    settings: Settings, models: Sequence[ModelSummary], aliases: Sequence[str]
) -> Iterator[str]:
    """Yield a sentence for each pattern of ``record_bodies`` that no key or model has.

    ``aliases`` are the names of alias lists, which requests use. An empty catalogue is not checked.
    """
    patterns = settings.record_bodies
    if isinstance(patterns, bool):
        return
    keys = [*settings.api_keys, LOCAL_KEY_NAME] if settings.api_keys else []
    names = [name for model in models for name in (model.name, *model.aliases)]
    for pattern in patterns:
        kind, _, glob = pattern.partition(":")
        known = keys if kind == KEY else [*names, *aliases]
        if (kind == KEY or models) and not any(matches_glob(glob, name) for name in known):
            what = "access key" if kind == KEY else "model"
            names_text = suggestion(glob, known) if known else ": there is none."
            yield f"Setting 'record_bodies': '{pattern}' matches no {what}{names_text}"
