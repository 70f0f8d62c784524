"""Chooses the key for a client, among those that the server accepts. Pure."""

import re
from collections.abc import Mapping, Sequence

from gglib.app.clients.client import Key
from gglib.app.clients.entries import KEY_VARIABLE
from gglib.core.api_keys import ApiKey
from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary
from gglib.proxy.access.model_filter import ModelFilter

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def key_names_for(keys: Mapping[str, ApiKey], model: ModelSummary) -> tuple[str, ...]:
    """Return the names of the keys that may use a model, those without admin rights first.

    All names, if none of them may.
    """
    allowed = [name for name, key in keys.items() if ModelFilter(key.models).allows(model)]
    return tuple(sorted(allowed or keys, key=lambda name: keys[name].is_admin))


def client_key(key_names: Sequence[str], variable: str | None = None) -> Key | None:
    """Return the key for clients of this machine's server, whose accepted keys have these names; None: it has none."""
    if not key_names:
        return None
    return Key(variable=variable or KEY_VARIABLE, name=key_names[0])


def checked_variable(name: str | None) -> str | None:
    """Return the name of an environment variable. Raises ``InvalidSettingError`` for anything else, without showing it.

    The user may have passed the key itself.
    """
    if name is not None and not _VARIABLE.fullmatch(name):
        raise InvalidSettingError(
            "--key-env must be the name of an environment variable, not the key itself."
        )
    return name


def require_variable(name: str | None, environ: Mapping[str, str]) -> None:
    """Raise ``InvalidSettingError`` if the user named a variable and it has no key."""
    if checked_variable(name) is not None and not environ.get(name or ""):
        raise InvalidSettingError(f"--key-env is {name}, but this variable is not set.")


def key_hint(key: Key, key_names: Sequence[str], text: str) -> str | None:
    """Return what stands for the key in a text, and which keys can be used; None if nothing does."""
    has_placeholder = key.placeholder in text
    marks = [*([f"${key.variable}"] if key.variable in text else []), *([key.placeholder] * has_placeholder)]
    if not marks:
        return None
    named = f"the access key '{key.name}' from your settings" if key.name else "your access key"
    also = f", or for one of: {', '.join(key_names[1:])}" if key_names[1:] else ""
    stand = "stands" if len(marks) == 1 else "stand"
    where = f" Set it where the client is started: export {key.variable}=..." if key.variable in text else ""
    return f"{' and '.join(marks)} {stand} for {named}{also}.{where}"
