"""Failed exchanges with engines, from the HTTP client's words into the domain's. Pure."""

from gglib.core.errors import EngineUnreachableError, UpstreamError, UpstreamStalledError
from gglib.http.errors import ConnectError, StallError, TransportError


def upstream_error(error: TransportError, model_name: str) -> UpstreamError:
    """Return the domain's error for an exchange with the engine of a model that failed."""
    if isinstance(error, ConnectError):
        return EngineUnreachableError(f"The engine of model '{model_name}' {error.reason}.")
    if isinstance(error, StallError):
        return UpstreamStalledError(f"The engine of model '{model_name}' {error.reason}.")
    return UpstreamError(f"The engine {error.reason}.")
