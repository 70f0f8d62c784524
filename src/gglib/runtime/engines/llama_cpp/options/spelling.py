"""Spells engine arguments for a llama-server binary. Pure."""

import json
from collections.abc import Collection, Sequence

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.options.drafting import DRAFT_MODEL
from gglib.runtime.engines.llama_cpp.options.option import OFF, EngineOption, Kind
from gglib.runtime.engines.llama_cpp.options.parsing import passed_arguments
from gglib.runtime.engines.llama_cpp.options.templates import is_plain_template

_SPEC_TYPE = "--spec-type"
_TEMPLATE = "--chat-template"
_NO_JINJA = "--no-jinja"


def binary_arguments(arguments: Sequence[str], known: Collection[str]) -> list[str]:
    """Return the arguments in the spelling of a build that knows the options ``known``.

    Each option is named once, where its last value stands: newer builds warn of repeated ones. Values of lists are
    joined. Raises ``EngineArgumentError`` like ``parse_engine_args``, and for an option that the build does not know.
    """
    spelled: dict[str, list[str]] = {}
    for option, text in passed_arguments(arguments):
        before = spelled.pop(option.name, None)
        if before is not None and option.is_list:
            text = _joined(option, before[1], text)  # noqa: PLW2901 - the value of both
        spelled[option.name] = [known_name(option, text, known), *_words(option, text)]
    result = [word for words in spelled.values() for word in words]
    if DRAFT_MODEL in spelled and _SPEC_TYPE not in spelled and _SPEC_TYPE in known:
        result += [_SPEC_TYPE, "draft-simple"]  # newer builds load a draft model, but do not use it
    if is_plain_template(spelled.get(_TEMPLATE, ("", ""))[1]) and _NO_JINJA in known:
        result.append(_NO_JINJA)
    return result


def _words(option: EngineOption, text: str) -> tuple[str, ...]:
    if option.is_switch:
        return ()
    return tuple(text.split()) if option.kind is Kind.RANGE else (text,)


def known_name(option: EngineOption, text: str, known: Collection[str]) -> str:
    """Return the name by which a build knows an option. Raises ``EngineArgumentError`` if it does not."""
    names = option.off_names if option.is_switch and text == OFF else option.names
    name = next((name for name in names if name in known), None)
    if name is None:
        raise EngineArgumentError(
            f"This llama-server does not know the engine argument '{names[0]}': leave it out, "
            "or install a newer llama.cpp."
        )
    return name


def _joined(option: EngineOption, before: str, text: str) -> str:
    """Return one value for two; the last value of a JSON object's key applies."""
    if option.kind is not Kind.JSON:
        return f"{before},{text}"
    return json.dumps({**json.loads(before), **json.loads(text)})
