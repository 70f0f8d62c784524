"""Errors as a caller may see them: without names of other models, paths, engine arguments and logs. Pure."""

from gglib.core.errors import (
    EngineArgumentError,
    EngineBrokenError,
    EngineDiedError,
    ModelLoadFailedError,
    ModelNotFoundError,
    ModelsPinnedError,
    ModelTooLargeError,
    NoNodeError,
)
from gglib.proxy.access.authorization import Caller


def visible_error(error: Exception, caller: Caller, *, is_forwarded: bool = False) -> Exception:
    """Return ``error`` without what the caller may not see; the same object if nothing changes.

    Names of models are only those that its key may use. Without admin rights: no path of this machine and no engine
    argument, no node, and with a key no log lines of the engine. The request of another gglib (``is_forwarded``) has
    its admin key; the rights of its client are not known here, so the error is for one with the least rights.
    """
    if caller.is_admin and not is_forwarded:
        return error
    grant = caller.grant
    if isinstance(error, EngineBrokenError | EngineArgumentError | NoNodeError):
        return error.redacted()
    if (grant is not None or is_forwarded) and isinstance(error, ModelLoadFailedError | EngineDiedError):
        return error.without_log()
    may_see_all = not is_forwarded and (grant is None or grant.models is None)
    return error if may_see_all else _without_other_models(error)


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
