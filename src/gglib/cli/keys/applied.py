"""Makes the running server apply changed keys before the command returns."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gglib.app.settings.config_reader import first_problem
from gglib.app.settings.effective import effect_of_change
from gglib.app.settings.entries import KEYS, find_entry
from gglib.cli.config_changes import warn_of_overrides
from gglib.cli.server.instance import find_instance
from gglib.cli.views import render
from gglib.core.errors import GglibError, InvalidSettingError

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.core.addresses import Endpoint

APPLIED = "The running server has applied it."
KEYS_PATH, RELOAD_PATH = "/gglib/keys", "/gglib/reload"


def apply_change(settings: "Settings") -> bool:
    """Make the running server apply changed keys, and print that it did or why not, and what overrides the file.

    Returns whether an error of ``config.toml`` was printed, which need not be a warning, too.
    """
    from gglib.cli.server.client import post_json

    spec = find_entry(KEYS).spec
    server = running_endpoint(settings)
    problem = first_problem(settings.config_path)
    if server is None or problem is not None:
        is_running = find_instance(settings) is not None
        effect = effect_of_change(spec, is_running=is_running, problem=problem)
    else:
        try:
            post_json(server, RELOAD_PATH, None, "Reloaded")
            effect = APPLIED
        except GglibError as error:
            effect = f"The running server has not applied it: {error}"
    if effect is not None:
        render.echo(effect, is_error=True)
    warn_of_overrides(settings, spec)
    return effect is not None and problem is not None


def apply_revocation(settings: "Settings", name: str) -> bool:
    """Make the running server refuse a key that ``config.toml`` has no more, also if it was the last one.

    Returns whether a server has applied it: False if none runs. Raises ``InvalidSettingError`` if it still accepts the
    key: because of the file's errors, or because the server would be open to other machines, or has the key from
    elsewhere.
    """
    from gglib.cli.server.client import post_json

    if find_instance(settings) is None:
        return False
    problem = first_problem(settings.config_path)
    if problem is not None:
        raise InvalidSettingError(
            f"Removed from config.toml, but the running server still accepts the key '{name}' until config.toml is "
            f"valid: 'gglib config edit' opens it. {problem}"
        )
    server = running_endpoint(settings)
    if server is None:  # it is starting, or stopping
        return False
    try:
        post_json(server, RELOAD_PATH, None, "Reloaded")
    except GglibError as error:
        raise InvalidSettingError(
            f"Removed from config.toml, but the running server still accepts the key '{name}': {error}"
        ) from error
    if find_key(settings, name) is not None:
        raise InvalidSettingError(
            f"Removed from config.toml, but the running server still accepts the key '{name}', which it has from its "
            "environment or its command line: 'gglib stop --server' stops it."
        )
    return True


def find_key(settings: "Settings", name: str) -> Mapping[str, Any] | None:
    """Return a key with its limits and use as the running server has it; None without a server or such a key."""
    from gglib.cli.server.client import get_json

    server = running_endpoint(settings)
    if server is None:
        return None
    try:
        listed = get_json(server, KEYS_PATH, "Keys")["keys"]
    except GglibError:  # a server of an older version
        return None
    return next((key for key in listed if key["name"] == name), None)


def running_endpoint(settings: "Settings") -> "Endpoint | None":
    """Return the address of this home's server; None if there is none that serves."""
    instance = find_instance(settings)
    return None if instance is None else instance.endpoint
