"""The options of llama.cpp's server that a model may not set, with the reason. Pure."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.options.table import OPTIONS_BY_NAME

_ADDRESS = "gglib chooses the engine's address"
_KEY = "gglib gives each engine a key of its own"
_LOG = "gglib reads the engine's log"
_NAME = "the engine has the name of the model"
_FILES = "the catalogue has the model's files"
_EXITS = "the engine would exit at once"
_DOWNLOAD = "the engine would download another model: use 'gglib pull OWNER/NAME'"
_CACHE = "gglib sizes the cache"
_ROUTER = "gglib chooses the models"
_SLOTS = "gglib chooses where conversations are saved"
_STATUS = "gglib reads the engine's state"


def _by_name(**reasons: str) -> dict[str, str]:
    """Return the reason of each option; the keys are reasons' names, the values the options."""
    return {name: globals()[reason] for reason, names in reasons.items() for name in names.split()}


TAKEN: Mapping[str, str] = MappingProxyType(
    _by_name(
        _ADDRESS="--host --port --reuse-port --api-prefix --ssl-key-file --ssl-cert-file",
        _KEY="--api-key --api-key-file",
        _LOG="--log-disable --log-file --log-colors --log-prefix --no-log-prefix --log-timestamps --no-log-timestamps "
        "-v --verbose --log-verbose -lv --verbosity --log-verbosity",
        _NAME="-a --alias",
        _FILES="-m --model",
        _EXITS="-h --help --usage --version --list-devices --cache-list -cl --completion-bash",
        _DOWNLOAD="-mu --model-url -dr --docker-repo -hf -hfr --hf-repo -hff --hf-file -hft --hf-token "
        "-mmu --mmproj-url --spec-draft-hf -hfd -hfrd --hf-repo-draft -hfv -hfrv --hf-repo-v -hffv --hf-file-v",
        _CACHE="-c --ctx-size -kvu --kv-unified -no-kvu --no-kv-unified --kv-unified-per-slot",
        _ROUTER="--models-dir --models-preset --models-max --models-autoload --no-models-autoload",
        _SLOTS="--slot-save-path",
        _STATUS="--no-slots --sleep-idle-seconds",
    )
)
"""Refused everywhere: they would take away the address, the key, the log, or what gglib knows of the engine."""

_SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "--ctx-size": "use 'gglib set MODEL --ctx N'",
        "-c": "use 'gglib set MODEL --ctx N'",
        "--mmproj": "use 'gglib set MODEL --mmproj FILE'",
        "-mm": "use 'gglib set MODEL --mmproj FILE'",
        "--no-mmproj": "use 'gglib set MODEL --mmproj none'",
        "--embedding": "use 'gglib set MODEL --embedding'",
        "--embeddings": "use 'gglib set MODEL --embedding'",
        "--rerank": "use 'gglib set MODEL --rerank'",
        "--reranking": "use 'gglib set MODEL --rerank'",
        "--alias": "use 'gglib set MODEL --add-alias NAME'",
        "-a": "use 'gglib set MODEL --add-alias NAME'",
        "--timeout": "use 'gglib config set request_timeout'",
    }
)
"""What to use instead."""
_NEAR = 0.7
_MOST_NEAR = 3


def refuse_unknown(name: str) -> EngineArgumentError:
    """Return the error for an option that is not in the table."""
    instead = _SETTINGS.get(name)
    reason = taken_reason(name)
    if reason is not None or instead is not None:
        why = "; ".join(part for part in (reason, instead) if part)
        return EngineArgumentError(f"Engine argument '{name}' is not one that a model may set: {why}.")
    from difflib import get_close_matches  # noqa: PLC0415 - only an error needs it

    near = get_close_matches(name, OPTIONS_BY_NAME, n=_MOST_NEAR, cutoff=_NEAR)
    hint = f" Did you mean {' or '.join(near)}?" if near else " 'gglib engine options' lists them."
    return EngineArgumentError(f"Engine argument '{name}' is not one that a model may set.{hint}")


def taken_reason(name: str) -> str | None:
    """Return why an option may not be set at all; None if it may, at the user's own risk.

    llama.cpp reads ``_`` in a name as ``-``.
    """
    spelled = name.partition("=")[0]
    spelled = spelled.replace("_", "-") if spelled.startswith("--") else spelled
    if spelled.startswith("--") and spelled.endswith(("-default", "-spec")) and spelled != "--spec-default":
        return _DOWNLOAD
    return TAKEN.get(spelled)


def check_extra_args(arguments: Iterable[str]) -> None:
    """Check the arguments that a llama-server gets unchecked, given after ``--``.

    Raises ``EngineArgumentError`` for an option that would take away the engine's address, key or log, or what gglib
    sets itself.
    """
    for argument in arguments:
        if "\0" in argument:
            raise EngineArgumentError("An argument after '--' has a NUL character: leave it out.")
        if argument.startswith("-") and (reason := taken_reason(argument)) is not None:
            name = argument.partition("=")[0]
            instead = _SETTINGS.get(name)
            raise EngineArgumentError(
                f"'{name}' cannot be passed to the engine: {'; '.join(filter(None, (reason, instead)))}."
            )
        if argument.partition("=")[0] in {"--parallel", "-np"}:
            raise EngineArgumentError(
                "'--parallel' cannot be passed after '--', because gglib sizes the cache by it: "
                "use 'gglib set MODEL --engine-args \"--parallel N\"'."
            )
