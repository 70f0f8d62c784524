"""Errors as a caller may see them: without names of other models, paths, engine arguments and logs. Pure."""

from gglib.core.errors import (
    EngineArgumentError,
    EngineBrokenError,
    EngineDiedError,
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelsPinnedError,
    ModelTooLargeError,
)
from gglib.proxy.access.authorization import Caller


def visible_error(error: Exception, caller: Caller) -> Exception:
    """Return ``error`` without what the caller may not see; the same object if nothing changes.

    Names of models are only those that its key may use. Without admin rights: no path of this machine and no engine
    argument, and with a key no log lines of the engine.
    """
    if caller.is_admin:
        return error
    grant = caller.grant
    if isinstance(error, EngineBrokenError | EngineArgumentError):
        return error.redacted()
    if grant is not None and isinstance(error, ModelLoadFailedError | EngineDiedError):
        return error.without_log()
    return error if grant is None or grant.models is None else _without_other_models(error)


def _without_other_models(error: Exception) -> Exception:
    match error:
        case ModelNotFoundError():
            return error.limited()
        case ModelTooLargeError():  # its advice may name another model
            return ModelTooLargeError(error.model_name, error.needed, error.budget)
        case ModelsPinnedError():
            return ModelsPinnedError(error.model_name, (), error.max_models)
        case _:
            return error
