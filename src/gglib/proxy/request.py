"""A request as the routes see it: what HTTP says of it, and what becomes known of it here."""

from gglib.core.models import ModelLaunchSpec, RunningTarget
from gglib.http.server.request import Request


class ProxyRequest(Request):
    """One request. Attributes stand on the class until they are known, so that they cost nothing before."""

    target: bytes = b""
    """Path and query for an engine."""
    upstream_lines: bytes = b""
    """The header lines that an engine may see."""
    preferred_wait_s: int | None = None
    """How long the client wants to wait for a model at most; None where it does not say."""
    key_name: str | None = None
    """The name of the key that it carried; None where it needed none."""
    model: str | None = None
    """The catalogue's name of the model that it is for; None while that is not known."""
    spec: ModelLaunchSpec | None = None
    """What the catalogue has to launch it with; None while that is not known, and where nothing is launched."""
    running: RunningTarget | None = None
    """The target that answers it; None while it has none."""
    waited_s: float | None = None
    """How long it waited for its model; None while it has none."""
