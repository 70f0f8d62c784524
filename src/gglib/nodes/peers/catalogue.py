"""The models of one node, read from it."""

from collections.abc import Mapping
from dataclasses import replace

from gglib.core.memory import DeviceMemory
from gglib.core.nodes import NodeModel
from gglib.nodes.peers.client import PeerClient
from gglib.nodes.peers.failures import PeerFailedError, failing, other_version
from gglib.nodes.peers.messages import UnreadableError, need_by_device, read_models, read_needs

MAX_MODELS_BYTES = 16_000_000
MODELS_TIMEOUT_S = 10.0
NEEDS_TIMEOUT_S = 20.0
"""The node reads the headers of its models for a second, and may be slow."""
OK = 200


class PeerCatalogue:
    """The last known models of one node."""

    def __init__(self, client: PeerClient) -> None:
        self._client = client
        self._by_id: dict[int, NodeModel] = {}
        self._need_bytes: dict[int, int] = {}
        self.models: tuple[NodeModel, ...] = ()
        """In the order of the node. The same object as long as nothing changes."""
        self.failure = ""
        """Why they could not be read the last time, as a sentence; empty if they could."""

    def clear(self) -> None:
        """Forget the models: they are those of a run of the node's server that is over."""
        self._by_id, self._need_bytes, self.models = {}, {}, ()

    async def read_models(self, version: str) -> bool:
        """Read the models, and return whether they changed. ``version`` is that of the node's gglib."""
        try:
            response = await self._client.request(
                b"GET", "/gglib/models", limit_bytes=MAX_MODELS_BYTES, timeout_s=MODELS_TIMEOUT_S
            )
            if response.status != OK:
                raise PeerFailedError(failing(self._client.peer, response.status))  # noqa: TRY301 - like others
            by_id = read_models(response.body)
        except PeerFailedError as error:
            self.failure = str(error)
            return False
        except UnreadableError:
            self.failure = other_version(self._client.peer, version)
            return False
        self.failure = ""
        has_changed = by_id != self._by_id
        self._by_id = by_id
        return has_changed

    async def read_needs(self) -> None:
        """Read how much memory the models take; what cannot be read is unknown."""
        try:
            response = await self._client.request(
                b"GET", "/gglib/fits", limit_bytes=MAX_MODELS_BYTES, timeout_s=NEEDS_TIMEOUT_S
            )
            self._need_bytes = read_needs(response.body) if response.status == OK else {}
        except (PeerFailedError, UnreadableError):
            self._need_bytes = {}

    def apply(self, devices: Mapping[str, DeviceMemory]) -> None:
        """Make ``models`` anew; ``devices`` is the memory of the node's machine."""
        models = tuple(self._with_need(model, devices) for model in self._by_id.values())
        if models != self.models:
            self.models = models

    def _with_need(self, model: NodeModel, devices: Mapping[str, DeviceMemory]) -> NodeModel:
        need_bytes = self._need_bytes.get(model.summary.id)
        return model if need_bytes is None else replace(model, need=need_by_device(need_bytes, devices))
