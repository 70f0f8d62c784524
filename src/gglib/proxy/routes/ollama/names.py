"""Resolves the names of Ollama's requests: those of every route, and bare names of profiles."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from gglib.core.errors import ModelNotFoundError
from gglib.proxy.dialects.ollama.names import profile_named, without_latest
from gglib.proxy.options import Services

Result = TypeVar("Result")


async def with_resolved_name(
    name: str | None, services: Services, attempt: Callable[[str | None], Awaitable[Result]]
) -> Result:
    """Return the result of ``attempt`` for a name; if no model has it, for the profile that is meant by it.

    Raises the ``ModelNotFoundError`` of the first attempt if nothing has the name.
    """
    try:
        return await attempt(name or None)
    except ModelNotFoundError:
        other = None if name is None else await _other_name(name, services)
        if other is None:
            raise
    return await attempt(other)


async def _other_name(name: str, services: Services) -> str | None:
    """Return the name that gglib knows for ``PROFILE`` or ``MODEL:PROFILE:latest``; None if there is none."""
    if services.profiles is None:
        return None
    bare = without_latest(name)
    models, profiles = await services.catalog.list_models(), await services.profiles.list_profiles()
    named = profile_named(bare, models, profiles)
    return named if named is not None or bare == name else bare
