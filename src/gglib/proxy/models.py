"""Encodes models as OpenAI model objects. Pure.

Clients request the list each time they open a model menu, and it may have hundreds of entries. The static part of a
model's JSON is cached; only its status is added per response.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

from gglib.core.context import ContextRequest
from gglib.core.kinds import max_context
from gglib.core.models import ModelSummary
from gglib.core.ports import RuntimeStatus
from gglib.core.profiles import Profile, ProfiledModel, listed_profiles
from gglib.proxy.names.aliases import Alias

_SHOWN_STATES = {"loading": "loading", "ready": "loaded", "draining": "loaded"}
"""``status.value`` of each state of a resident model; ``stopping`` counts as unloaded."""
_UNLOADED = "unloaded"


class ModelObjects:
    """Encodes model objects for a proxy with a default context of ``default_ctx`` tokens."""

    def __init__(self, default_ctx: int) -> None:
        self._default_ctx = default_ctx
        # By ``id()``: a catalogue returns the same objects until it changes. Each entry keeps its object alive, so that
        # the id is not reused.
        self._encoded: dict[int, tuple[ModelSummary, str]] = {}

    def as_list(
        self,
        models: Iterable[ModelSummary],
        status: RuntimeStatus,
        aliases: Sequence[Alias] = (),
        profiles: Sequence[Profile] = (),
    ) -> bytes:
        """Return OpenAI's list object as JSON: the models, the alias lists, then every ``model:profile``."""
        states = _states(status)
        states |= {alias.name: _state_of(alias, states) for alias in aliases}
        models = tuple(models)
        listed = (*models, *(alias.as_model() for alias in aliases))
        encoded = {id(model): (model, self._without_status(model)) for model in listed}
        self._encoded = encoded
        data = [_with_status(text, _state_of(model, states)) for model, text in encoded.values()]
        data += [
            _with_status(self._profiled(profiled), _state_of(profiled.model, states))
            for profiled in listed_profiles(models, profiles)
        ]
        return f'{{"object":"list","data":[{",".join(data)}]}}'.encode()

    def as_object(self, model: ModelSummary | Alias, status: RuntimeStatus) -> bytes:
        """Return the object of one model or alias list as JSON."""
        states = _states(status)
        if isinstance(model, Alias):
            return _with_status(self._without_status(model.as_model()), _state_of(model, states)).encode()
        return _with_status(self._without_status(model), _state_of(model, states)).encode()

    def as_profiled_object(self, profiled: ProfiledModel, status: RuntimeStatus) -> bytes:
        """Return one ``model:profile`` as JSON."""
        return _with_status(self._profiled(profiled), _state_of(profiled.model, _states(status))).encode()

    def _without_status(self, model: ModelSummary) -> str:
        cached = self._encoded.get(id(model))
        if cached is not None and cached[0] is model:
            return cached[1]
        return _encode(_fields(model, self._default_ctx))

    def _profiled(self, profiled: ProfiledModel) -> str:
        """Return the model's object with the name and the description of the profile, without its status."""
        model, profile = profiled.model, profiled.profile
        own = {
            "id": profiled.name,
            "name": profiled.name,
            "description": profile.description or f"{model.name} with the profile {profile.name}",
            "aliases": (),
        }
        return _encode({**_fields(model, self._default_ctx), **own})


def _states(status: RuntimeStatus) -> dict[str, str]:
    states = {name: "failed" for name, _ in status.failed}
    for resident in status.residents:
        states[resident.model_name] = _SHOWN_STATES.get(resident.state, _UNLOADED)
    return states


def _state_of(model: ModelSummary | Alias, states: Mapping[str, str]) -> str:
    """Return the state of a model, or of the model of an alias list that is closest to a response."""
    if isinstance(model, ModelSummary):
        return states.get(model.name, _UNLOADED)
    found = {states.get(member.name, _UNLOADED) for member in model.members}
    return next(state for state in ("loaded", "loading", _UNLOADED, "failed") if state in found)


def _encode(fields: dict[str, object]) -> str:
    return json.dumps(fields, separators=(",", ":"))


def _with_status(text: str, state: str) -> str:
    return f'{text[:-1]},"status":{{"value":"{state}"}}}}'


def served_context(model: ModelSummary, default_ctx: int) -> int:
    """Return the context in tokens that requests for a model get unless they ask for another."""
    return ContextRequest(
        requested=None,
        model_setting=model.settings.context,
        default=default_ctx,
        trained=max_context(model),
    ).needed


def _fields(model: ModelSummary, default_ctx: int) -> dict[str, object]:
    context = served_context(model, default_ctx)
    return {
        "id": model.name,
        "object": "model",
        "created": model.added_at,
        "owned_by": "gglib",
        "name": model.name,
        "description": model.description,
        "aliases": model.aliases,
        "architecture": model.architecture,
        "quantization": model.quantization,
        "capabilities": model.capabilities.names(),
        # Clients read the context size from different fields.
        "context_length": context,
        "max_model_len": context,
        "max_context_length": max_context(model),
        "meta": {
            "n_ctx": context,
            "n_ctx_train": model.trained_context,
            "n_params": model.parameter_count,
            "size": model.size_bytes,
        },
    }
