"""The port of profiles: named defaults for requests (``core.profiles``)."""

from collections.abc import Callable
from typing import Protocol

from gglib.core.profiles import Profile, ProfiledModel

EditProfile = Callable[[Profile | None], Profile]
"""Returns the new profile for the stored one, None if there is none. Runs inside the transaction, in any thread, and
again if the transaction is retried, so it must be pure. An exception rolls the transaction back."""


class ProfilePort(Protocol):
    """Reads profiles. A server without profiles has no such port."""

    async def list_profiles(self) -> list[Profile]:
        """Return all profiles, in the order in which they were added."""
        ...

    async def resolve_profile(self, name: str) -> ProfiledModel | None:
        """Return what ``model:profile`` resolves to; None if the model or the profile is unknown.

        Called only for names that the catalogue does not resolve: names of models take precedence.
        """
        ...


class ProfileStorePort(ProfilePort, Protocol):
    """Reads and changes profiles. Failures are a ``CatalogError``."""

    async def edit_profile(self, name: str, model_id: int | None, edit: EditProfile) -> Profile | None:
        """Add or change a profile of a model, or of all models (None), in one transaction, and return it.

        Returns None if there is no such model. Raises ``InvalidSettingError`` for an invalid profile. The result of
        ``edit`` is stored under ``name`` and ``model_id``.
        """
        ...

    async def remove_profile(self, name: str, model_id: int | None) -> Profile | None:
        """Remove a profile and return it; None if there is none."""
        ...
