"""How the values of gglib and those in a file become one. Pure.

Editors of the formats produce a text; this module says what the text has to mean, and each text is checked against
that.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from gglib.app.clients.client import ConfigFile


def merged(existing: Any, file: ConfigFile) -> Any:  # noqa: ANN401 - any configuration
    """Return the values that the file has to have afterwards.

    Objects are merged, other values are replaced. Raises ValueError if the file has something else in the place of an
    object or a list.
    """
    values = _merge(existing, file.values, file.identity, "the file")
    return with_defaults(values, file.defaults)


def with_defaults(values: Any, defaults: Mapping[str, object]) -> Any:  # noqa: ANN401 - any configuration
    """Return an object with the members of ``defaults`` that it lacks before its own, at any depth.

    Other values are returned as they are.
    """
    if not isinstance(values, Mapping):
        return values
    added = {name: default for name, default in defaults.items() if name not in values}
    completed = {
        name: with_defaults(value, default) if isinstance(default := defaults.get(name), Mapping) else value
        for name, value in values.items()
    }
    return added | completed


def find_same(items: Sequence[Any], item: Mapping[str, object], identity: Sequence[str]) -> int | None:
    """Return the index of the item of a list that is the same one, or None."""
    for index, existing in enumerate(items):
        if isinstance(existing, Mapping) and all(existing.get(name) == item.get(name) for name in identity):
            return index
    return None


def _merge(existing: Any, values: Any, identity: Sequence[str], where: str) -> Any:  # noqa: ANN401
    if isinstance(values, Mapping):
        if not isinstance(existing, Mapping):
            raise ValueError(f"{where} is not an object")  # noqa: TRY004 - of the file's content
        changed = {
            name: _merge(existing[name], value, identity, f"'{name}'") if name in existing else value
            for name, value in values.items()
        }
        return {**existing, **changed}
    if isinstance(values, list) and identity:
        if not isinstance(existing, list):
            raise ValueError(f"{where} is not a list")
        return _merge_items(existing, values, identity)
    if isinstance(existing, Mapping):
        raise ValueError(f"{where} is an object")  # noqa: TRY004 - of the file's content
    return values


def _merge_items(existing: list[Any], values: list[Any], identity: Sequence[str]) -> list[Any]:
    items = list(existing)
    for item in values:
        index = find_same(items, item, identity)
        if index is None:
            items.append(item)
        else:
            items[index] = _merge(items[index], item, identity, "an item")
    return items
