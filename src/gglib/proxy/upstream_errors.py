"""Translates transport errors of the HTTP client into domain errors. Pure."""

from gglib.core.errors import EngineUnreachableError, UpstreamError, UpstreamStalledError
from gglib.http.errors import ConnectError, StallError, TransportError


def upstream_error(error: TransportError, model_name: str) -> UpstreamError:
    """Return the domain error for a failed exchange with the engine of a model."""
    if isinstance(error, ConnectError):
        return EngineUnreachableError(f"The engine of model '{model_name}' {error.reason}.")
    if isinstance(error, StallError):
        return UpstreamStalledError(f"The engine of model '{model_name}' {error.reason}.")
    return UpstreamError(f"The engine {error.reason}.")
