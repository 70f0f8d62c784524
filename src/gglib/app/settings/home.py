"""Creates the home of gglib."""

from gglib.app.settings.definitions import Settings
from gglib.core.errors import CatalogError

OWNER_ONLY = 0o700
"""The home contains logs with traces of conversations, and the engines' sockets and keys: only for its owner."""


def prepare_home(settings: Settings) -> None:
    """Create the home and its directories with access for the owner only. Raises ``CatalogError``."""
    try:
        settings.home.mkdir(mode=OWNER_ONLY, parents=True, exist_ok=True)
        for directory in (settings.models_dir, settings.log_dir, settings.run_dir):
            directory.mkdir(mode=OWNER_ONLY, exist_ok=True)
    except OSError as error:
        if settings.home.is_symlink() and not settings.home.exists():
            raise CatalogError(
                f"The home {settings.home} is a symlink to {settings.home.readlink()}, which does not exist: "
                "mount or create it, or use another --home."
            ) from error
        raise CatalogError(
            f"The home {settings.home} cannot be used ({error.strerror}): use another --home."
        ) from error
