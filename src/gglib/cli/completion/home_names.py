"""Reads the names of the home that a command line means."""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gglib.cli.completion.candidates import HomeNames

_PATTERN_CHARACTER = "*"


def read_home_names(root_options: Mapping[str, Any]) -> HomeNames:
    """Return the names of the home of ``--home`` or the environment; none for a remote server, which is not asked.

    ``root_options`` are those of the root command. Creates nothing; never raises for a broken home or configuration.
    """
    from gglib.app.settings.loading import load_settings
    from gglib.core.errors import GglibError
    from gglib.db.completion_names import read_completion_names

    if _is_remote(root_options):
        return HomeNames()
    try:
        settings = load_settings({"home": root_options.get("home")}, os.environ, is_tolerant=True)
    except (GglibError, OSError):
        return HomeNames()
    found = read_completion_names(settings.database)
    lists = (alias for alias in settings.aliases if _PATTERN_CHARACTER not in alias)
    return HomeNames(
        names=found.names,
        aliases=(*found.aliases, *lists),
        profiles=found.profiles,
        repositories=found.repositories,
        keys=tuple(settings.api_keys),
        nodes=tuple(settings.nodes),
        engines=_engine_names(settings.engines_dir),
    )


def _engine_names(directory: Path) -> tuple[str, ...]:
    """Return the names of the installed engines, without reading their records."""
    try:
        return tuple(sorted(path.parent.name for path in directory.glob("[!.]*/engine.json")))
    except OSError:
        return ()


def _is_remote(root_options: Mapping[str, Any]) -> bool:
    if root_options.get("url"):
        return True
    if not os.environ.get("GGLIB_HOST"):
        return False
    from gglib.cli.remote.address import find_remote
    from gglib.core.errors import InvalidSettingError

    with suppress(InvalidSettingError):
        return find_remote(None, None, os.environ, listens=False, is_own_address=_is_own_literal) is not None
    return True


def _is_own_literal(host: str) -> bool:
    """Whether a literal address is of this machine. A name would have to be resolved over the network."""
    from ipaddress import ip_address

    from gglib.cli.remote.address import is_address_of_this_machine

    try:
        ip_address(host)
    except ValueError:
        return False
    return is_address_of_this_machine(host)
