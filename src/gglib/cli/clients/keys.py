"""The access key for a client: the variable that has it, and what stands for it in a text. Pure."""

import re
from collections.abc import Mapping, Sequence

from gglib.app.clients.client import Key
from gglib.core.errors import InvalidSettingError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


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
