"""Texts of settings: shell lines, and the content of configuration files in their formats. Pure."""

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence

from gglib.app.clients.client import ConfigFormat


def exports(variables: Mapping[str, str], key_references: Mapping[str, str]) -> str:
    """Return lines that set variables in a shell. ``key_references`` are values in which ``$NAME`` is expanded."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    lines += [f'export {name}="{value}"' for name, value in key_references.items()]
    return "\n".join(lines)


def config_text(values: Mapping[str, object] | Sequence[object], form: ConfigFormat) -> str:
    """Return a whole file with these values, without a line end at its end."""
    match form:
        case ConfigFormat.TOML if isinstance(values, Mapping):
            return "\n".join(_toml_lines(values, ()))
        case ConfigFormat.YAML:
            return "\n".join(yaml_lines(values))
    return json.dumps(values, indent=2, ensure_ascii=False)


def toml_value(value: object) -> str:
    """Return a text, number or truth value."""
    # A basic string is a JSON string in which DEL has to be escaped, too (toml.io, v1.0.0).
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """Return a key, quoted if it has to be."""
    is_bare = name.isascii() and name.replace("-", "a").replace("_", "a").isalnum()
    return name if is_bare else toml_value(name)


def _toml_lines(table: Mapping[str, object], path: tuple[str, ...]) -> Iterator[str]:
    plain = {name: value for name, value in table.items() if not isinstance(value, Mapping)}
    if path and plain:
        yield f"[{'.'.join(map(toml_key, path))}]"
    for name, value in plain.items():
        yield f"{toml_key(name)} = {toml_value(value)}"
    for name, value in table.items():
        if isinstance(value, Mapping):
            if plain:
                yield ""
            yield from _toml_lines(value, (*path, name))


def yaml_lines(value: object) -> list[str]:
    """Return a value in block style; strings are quoted as in JSON, which is valid YAML for any text."""
    if isinstance(value, Mapping) and value:
        return [line for name, item in value.items() for line in _yaml_member(name, item)]
    if isinstance(value, list) and value:
        return [line for item in value for line in _yaml_item(item)]
    return [yaml_scalar(value)]


def yaml_scalar(value: object) -> str:
    """Return a value on one line. JSON is YAML, except for characters that YAML does not print: they are escaped."""
    return json.dumps(value, ensure_ascii=False) if str(value).isprintable() else json.dumps(value)


def _yaml_member(name: str, value: object) -> list[str]:
    lines = yaml_lines(value)
    if isinstance(value, Mapping | list) and value:
        return [f"{name}:", *(f"  {line}" for line in lines)]
    return [f"{name}: {lines[0]}"]


def _yaml_item(value: object) -> list[str]:
    first, *others = yaml_lines(value)
    return [f"- {first}", *(f"  {line}" for line in others)]
