"""The settings that no request may change, whatever its key: with them a key would control the machine.

These are commands to run, servers to send requests to, environment variables, engine arguments and paths outside
``models/``. Responses show them to admins; they are set by the command line, or in files on the machine. The path of
``POST /gglib/models`` is an exception: it only names a GGUF file to read. Pure.
"""

from collections.abc import Mapping
from types import MappingProxyType

from gglib.proxy.errors import ForbiddenError

_BACKEND = "use 'gglib add --command' or '--url', or 'gglib set', on the server's machine"
_ENGINE = "set 'engine' in config.toml on the server's machine"
_ENVIRONMENT = "set it before gglib starts on the server's machine"
_ADD = "use 'gglib add FILE' on the server's machine"
_PROJECTOR = "use 'gglib set M --mmproj FILE' on the server's machine"

NEVER_OVER_HTTP: Mapping[str, str] = MappingProxyType(
    {
        "argv": _BACKEND,
        "backend": _BACKEND,
        "base_url": _BACKEND,
        "command": _BACKEND,
        "engine": _ENGINE,
        "engine_releases_url": "set it in config.toml on the server's machine",
        "engine_args": "use 'gglib set M --engine-args ARGS' on the server's machine",
        "env": _ENVIRONMENT,
        "environment": _ENVIRONMENT,
        "extra_args": "use 'gglib set M -- ARGS' on the server's machine",
        "home": "use 'gglib --home DIR serve' on the server's machine",
        "key_env": _BACKEND,
        "mmproj": _PROJECTOR,
        "path": _ADD,
        "paths": _ADD,
        "projector": _PROJECTOR,
    }
)
"""What to do instead, by the name of the field."""


def refuse_protected(name: str) -> None:
    """Raise ``ForbiddenError`` for a field that no request may set. Called for fields that a route does not define."""
    instead = NEVER_OVER_HTTP.get(name)
    if instead is not None:
        raise ForbiddenError(f"'{name}' cannot be set over HTTP: {instead}.")
