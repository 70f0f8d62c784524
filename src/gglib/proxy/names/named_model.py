"""Reads the model of a request to llama.cpp's own routes that name it in the query or in a small body. Pure.

llama.cpp's router has the same rule: ``model`` in the query of a GET, in the body of a POST, and ``autoload``
(``is_autoload`` in ``server-models.cpp``).
"""

import json
from typing import NamedTuple
from urllib.parse import parse_qsl

from gglib.proxy.envelope import MAX_MODEL_NAME_CHARS
from gglib.proxy.errors import BadRequestError

_MAX_PARAMETERS = 32
_TRUE = frozenset(("", "1", "true"))


class NamedModel(NamedTuple):
    """The model that a request names."""

    name: str | None
    """None if it names none."""
    may_load: bool = True
    """Whether ``autoload`` permits loading it."""


def read_named_model(query: bytes, body: bytes = b"") -> NamedModel:
    """Return the model that the query names, else the one in ``body``.

    Raises ``BadRequestError`` for an invalid query or body, or if one names a model twice, or both different ones.
    """
    parameters = _parameters(query)
    names = [value for name, value in parameters if name == "model" and value]
    names += [name for name in (_name_in(body),) if name]
    if len(set(names)) > 1:
        raise BadRequestError("The request names more than one 'model'.", "model")
    name = names[0] if names else None
    if name is not None and (len(name) > MAX_MODEL_NAME_CHARS or not name.isprintable()):
        raise BadRequestError(
            f"'model' must be a name of at most {MAX_MODEL_NAME_CHARS} printable characters.", "model"
        )
    autoload = [value for parameter, value in parameters if parameter == "autoload"]
    return NamedModel(name, all(value in _TRUE for value in autoload))


def _parameters(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except ValueError as error:  # a UnicodeDecodeError, or too many
        raise BadRequestError(
            f"The query must be valid UTF-8 with at most {_MAX_PARAMETERS} parameters."
        ) from error


def _name_in(body: bytes) -> str | None:
    """Return the ``model`` of a body that is a JSON object; None for other JSON, and for an empty body."""
    if not body.strip():
        return None
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("The request body is not valid JSON.") from error
    name = content.get("model") if isinstance(content, dict) else None
    if name is not None and not isinstance(name, str):
        raise BadRequestError("'model' must be a string.", "model")
    return name
