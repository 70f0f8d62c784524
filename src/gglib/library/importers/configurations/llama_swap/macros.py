"""llama-swap's macros: ``${name}``, ``${env.NAME}``, ``${MODEL_ID}``. Pure.

Macros are global or of one model, which overrides the global one; a later macro may contain earlier ones. They are
replaced from the last to the first, and the environment before all of them (llama-swap, ``internal/config``).
``${PORT}`` and ``${PID}`` are known only when a model runs.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gglib.library.importers.configurations.files.documents import Fields, MacroError, Scalar
from gglib.library.importers.configurations.plan import Environment

PORT = "${PORT}"
AT_RUN_TIME = ("PORT", "PID")
MODEL_ID = "MODEL_ID"
MAX_EXPANDED_CHARACTERS = 100_000
_MACRO = re.compile(r"\$\{([a-zA-Z0-9_-]+)\}")
_VARIABLE = re.compile(r"\$\{env\.([a-zA-Z_][a-zA-Z0-9_]*)\}")


@dataclass(frozen=True, slots=True)
class Macros:
    """The macros of one place, and the environment."""

    values: Mapping[str, str]
    """Texts by name, in the order of their definition."""
    environment: Environment

    @classmethod
    def read(cls, fields: Fields, environment: Environment) -> "Macros":
        """Return the macros that the mapping ``macros`` of a configuration defines."""
        return cls(_texts(fields), environment)

    def of_model(self, fields: Fields, name: str) -> "Macros":
        """Return the macros of a model: its id, the global ones, and its own, which replace global ones in place."""
        return Macros({MODEL_ID: name, **self.values, **_texts(fields)}, self.environment)

    def expand(self, text: str) -> str:
        """Return a text with its macros replaced. Raises ``MacroError`` for an unknown macro or variable."""
        if "${" not in text:
            return text
        text = self._with_environment(text)
        for name, value in reversed(tuple(self.values.items())):
            macro = f"${{{name}}}"
            if macro in text:
                by = self._with_environment(value)
                _check_length(len(text) + text.count(macro) * (len(by) - len(macro)), name)
                text = text.replace(macro, by)
        unknown = [name for name in _MACRO.findall(text) if name not in AT_RUN_TIME]
        if unknown:
            raise MacroError(f"the macro '${{{unknown[0]}}}' is not defined")
        return text

    def _with_environment(self, text: str) -> str:
        names = _VARIABLE.findall(text)
        missing = [name for name in names if name not in self.environment]
        if missing:
            raise MacroError(f"the environment variable {missing[0]} is not set: set it and import again")
        return _VARIABLE.sub(lambda found: self.environment[found[1]], text)


def variable_of(text: str) -> str | None:
    """Return the environment variable that a text consists of: ``NAME`` of ``${env.NAME}``; None for other texts."""
    found = _VARIABLE.fullmatch(text.strip())
    return None if found is None else found[1]


def _texts(fields: Fields) -> dict[str, str]:
    macros = fields.fields("macros")
    for name, node in macros.nodes.items():
        if not isinstance(node.value, Scalar):
            macros.refuse(name, "a text, a number or a boolean")
    return {name: node.value.text for name, node in macros.nodes.items()}


def _check_length(characters: int, name: str) -> None:
    if characters > MAX_EXPANDED_CHARACTERS:
        raise MacroError(
            f"the macro '${{{name}}}' makes a text of more than {MAX_EXPANDED_CHARACTERS} characters"
        )


def names_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the names of the macros in some texts."""
    return frozenset(name for text in texts for name in _MACRO.findall(text))
