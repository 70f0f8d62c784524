"""The request object that handlers receive: the HTTP request with the proxy's attributes."""

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.core.priority import Priority
from gglib.http.server.request import Request
from gglib.proxy.access.grants import Grant
from gglib.proxy.dialects.base import Exchange
from gglib.proxy.telemetry.body_capture import BodyCapture


class ProxyRequest(Request):
    """One request. Defaults are class attributes, so that unset ones cost nothing per request."""

    upstream_target: bytes = b""
    """Request target for the engine: the normalized path and the query."""
    upstream_header_lines: bytes = b""
    """Serialized headers that are forwarded to the engine."""
    wait_s: float = 0.0
    """How long the request may still wait for its model, in seconds: ``model_wait_s``, or less by ``Prefer: wait``."""
    wait_until_s: float = 0.0
    """The end of this wait (``time.monotonic``); only set if there may be several models to try."""
    grant: Grant | None = None
    """The rights of the request's API key; None if no keys are set, and before the key is checked."""
    caller_priority: Priority | None = None
    """The priority that the caller determines (``access.priority``); None: that of the model."""
    client: str | None = None
    """IP address of the client; None over a unix socket, and before the access checks."""
    model: str | None = None
    """Catalogue name of the requested model; None until it is resolved."""
    launch_spec: ModelLaunchSpec | None = None
    """Launch spec of the model; None until it is resolved, and for runtimes that launch nothing."""
    exchange: Exchange | None = None
    """The translation of the request; None if the engine speaks its dialect."""
    named_model: str | None = None
    """The name of the model in the body; None if it names none, and before it is read."""
    profile_name: str | None = None
    """The profile that the name of the model selects."""
    program: str | None = None
    """Name of the client program (``proxy.telemetry.programs``); None before the access checks."""
    running_target: RunningTarget | None = None
    """The running engine that serves the request; None before admission."""
    waited_s: float | None = None
    """How long the request waited for its model, in seconds; None before admission."""
    continues_restored: bool | None = None
    """Whether it continues a prompt that was restored after the engine's start; None: unknown."""
    capture: BodyCapture | None = None
    """Keeps the bodies; None if they are not recorded."""
    scheme: str = "http"
    """The scheme of the server's URLs."""

    @property
    def key_name(self) -> str | None:
        """Name of the request's API key; None if no key was needed."""
        return None if self.grant is None else self.grant.key_name

    @property
    def other_name(self) -> str | None:
        """The name of the model in the body, if it is not that of ``model`` in the catalogue."""
        return None if self.named_model == self.model else self.named_model

    @property
    def engine_path(self) -> str:
        """The path of the request in the engine's dialect: its own, unless the request is translated."""
        return self.upstream_target.partition(b"?")[0].decode()


class HttpsRequest(ProxyRequest):
    """One request to a server with TLS."""

    scheme = "https"
