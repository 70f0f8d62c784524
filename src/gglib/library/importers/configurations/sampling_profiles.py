"""A profile from the sampling options of a llama-server, for a second model with the same file. Pure.

llama-server uses these options where a request sets nothing, and a profile does the same.
"""

import json
from collections.abc import Sequence
from typing import Any

from gglib.core.errors import InvalidSettingError
from gglib.core.profile_rules import check_profile
from gglib.core.profiles import Profile
from gglib.library.importers.configurations.plan import EngineOption

_FIELDS = {
    "--temp": "temperature",
    "--temperature": "temperature",
    "--top-p": "top_p",
    "--top-k": "top_k",
    "--min-p": "min_p",
    "--typical": "typical_p",
    "--seed": "seed",
    "-s": "seed",
    "--repeat-penalty": "repeat_penalty",
    "--repeat-last-n": "repeat_last_n",
    "--presence-penalty": "presence_penalty",
    "--frequency-penalty": "frequency_penalty",
    "--predict": "n_predict",
    "--n-predict": "n_predict",
    "-n": "n_predict",
    "--reasoning-budget": "reasoning_budget_tokens",
}
"""Fields of a request by the options that set their defaults."""
_TEMPLATE_KWARGS = "--chat-template-kwargs"


def sampling_profile(
    name: str, options: Sequence[EngineOption]
) -> tuple[Profile | None, tuple[EngineOption, ...]]:
    """Return the profile ``name`` of the options that are defaults of requests, and the other options.

    The profile is None without such options, and if a value is not valid; then all options are returned.
    """
    defaults: dict[str, Any] = {}
    kwargs: dict[str, Any] = {}
    others: list[EngineOption] = []
    for option in options:
        value = _json(option[-1]) if len(option) > 1 else None
        if option[0] == _TEMPLATE_KWARGS and isinstance(value, dict):
            kwargs = value
        elif option[0] in _FIELDS and isinstance(value, int | float):
            defaults[_FIELDS[option[0]]] = value
        else:
            others.append(option)
    profile = Profile(name=name, defaults=defaults, template_kwargs=kwargs)
    try:
        check_profile(profile)
    except InvalidSettingError:
        return None, tuple(options)
    return (profile, tuple(others)) if defaults or kwargs else (None, tuple(options))


def _json(text: str) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
