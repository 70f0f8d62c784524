"""Names in Ollama's requests. Pure. ``core.names`` resolves ``name:latest`` and ``name`` alike."""

from collections.abc import Sequence

from gglib.core.models import ModelSummary
from gglib.core.names import LATEST_TAG
from gglib.core.profiles import SEPARATOR, Profile
from gglib.core.shell_quoting import quoted_command
from gglib.proxy.errors import BadRequestError

_HUB_HOSTS = ("hf.co/", "huggingface.co/")


def without_latest(name: str) -> str:
    """Return a name without the tag ``:latest``, which Ollama's clients add."""
    return name[: -len(LATEST_TAG)] if name.casefold().endswith(LATEST_TAG) else name


def profile_named(name: str, models: Sequence[ModelSummary], profiles: Sequence[Profile]) -> str | None:
    """Return ``model:profile`` for the bare name of a profile that exactly one model has; None otherwise.

    ``/api/create`` gives a new name to a model with other defaults: in gglib that is a profile of the model.
    """
    folded = name.casefold()
    by_id = {model.id: model for model in models}
    owners = [
        f"{by_id[profile.model_id].name}{SEPARATOR}{profile.name}"
        for profile in profiles
        if profile.name.casefold() == folded and profile.model_id in by_id
    ]
    return owners[0] if len(owners) == 1 else None


def new_profile_name(name: str, model: ModelSummary) -> str:
    """Return the name of the profile that ``/api/create`` adds to ``model``: without ``model:`` and ``:latest``."""
    bare = without_latest(name)
    owner, separator, profile = bare.rpartition(SEPARATOR)
    if separator and owner.casefold() in {known.casefold() for known in (model.name, *model.aliases)}:
        return profile
    return bare


def hub_target(name: str) -> str:
    """Return the pull target for a name: ``hf.co/owner/name:Q4`` is ``owner/name:Q4``.

    Raises ``BadRequestError`` for a name of Ollama's library, with a command that finds the model on the hub.
    """
    target = without_latest(name)
    host = next((host for host in _HUB_HOSTS if target.lower().startswith(host)), "")
    target = target[len(host) :]
    if "/" in target:
        return target
    model = target.partition(SEPARATOR)[0]
    search = quoted_command("search", model)
    raise BadRequestError(
        f"'{name}' is a name of Ollama's library, which gglib does not use: find the model with {search}, "
        "and pull it as hf.co/OWNER/NAME.",
        "model",
    )
