"""A front without models, and nodes: each a ``gglib serve`` on a host of its own. Clients are on the front's host."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.integration.chaos.caller import Caller
from tests.support.network.network import Network
from tests.support.network.server import PORT, Home, HostServer

FRONT = "front"
KEY_VARIABLE = "NODE_KEY"


def only(node: str) -> str:
    """Return the name of the model that only this node has."""
    return f"only-{node}"


class HostCluster:
    """Runs for the length of a block. Every node has ``models``, and one of its own."""

    def __init__(
        self,
        directory: Path,
        nodes: Sequence[str],
        models: Sequence[str],
        *,
        engine: str = "embedded",
        settings: Mapping[str, str] | None = None,
        add_options: Sequence[str] = (),
    ) -> None:
        """Start with the block. The nodes get ``settings`` as environment variables, models ``add_options``."""
        self.network = Network(FRONT, *nodes)
        self.nodes: dict[str, HostServer] = {}
        self.models = tuple(models)
        self._names = tuple(nodes)
        self._directory = directory
        self._engine = engine
        self._settings = settings or {}
        self._add_options = add_options
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        template = Home(self._directory / "template")
        template.path.mkdir()
        for model in self.models:
            template.add(model, *self._add_options)
        key = template.new_key()
        with ExitStack() as stack:
            stack.enter_context(self.network)
            for name in self._names:
                self.nodes[name] = self._node(name, template, key)
            lines = [
                f'[nodes.{name}]\nurl = "http://{self.network.hosts[name].address}:{PORT}"\n'
                f'key_env = "{KEY_VARIABLE}"\n'
                for name in self._names
            ]
            self.front = HostServer(
                self.network,
                FRONT,
                self._directory,
                engine=self._engine,
                settings={KEY_VARIABLE: key},
            )
            (self.front.home / "config.toml").write_text("\n".join(lines), encoding="utf-8")
            for server in (*self.nodes.values(), self.front):
                server.start()
            for name in self._names:
                self.wait_until_served(name)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def caller(self) -> Caller:
        """Return a client on the front's host."""
        return _HostCaller(self)

    def served(self) -> set[str]:
        """Return the names of the models that the front lists; none while it does not answer."""
        try:
            _, content = self.front.get("/v1/models")
        except OSError:
            return set()
        return {model["id"] for model in content["data"]}

    def wait_until_served(self, node: str) -> float:
        """Return when the front sends requests to a node, and after how many seconds."""
        servers = self.nodes[node], self.front
        return self.front.wait_until(
            lambda: all(server.is_ready() for server in servers) and only(node) in self.served()
        )

    def wait_until_lost(self, node: str) -> float:
        """Return when the front sends no requests to a node, and after how many seconds."""
        return self.front.wait_until(lambda: only(node) not in self.served())

    def kill(self, node: str) -> float:
        """Kill a node's gglib; return after how many seconds none of its processes is left."""
        server = self.nodes[node]
        server.kill()
        return server.wait_until(lambda: not server.host.processes())

    def power_off(self, node: str) -> None:
        """End a node's machine; only ``power_on`` brings it back."""
        self.network.power_off(node)

    def power_on(self, node: str) -> None:
        """Start a node's machine, and its gglib."""
        self.network.power_on(node)
        self.nodes[node].start()

    def strays(self) -> dict[str, list[str]]:
        """Return the processes that are neither a gglib nor the engine of a model in memory, by host."""
        found = {}
        for name, host in self.network.hosts.items():
            server = self.front if name == FRONT else self.nodes[name]
            processes = host.processes()
            expected = {server.pid} if server.pid in processes else set()
            if expected:
                expected |= {resident["pid"] for resident in server.status()["residents"]}
            if strays := [command for pid, command in processes.items() if pid not in expected]:
                found[name] = strays
        return found

    def _node(self, name: str, template: Home, key: str) -> HostServer:
        server = HostServer(
            self.network,
            name,
            self._directory,
            engine=self._engine,
            template=template,
            key=key,
            settings=self._settings,
        )
        Home(server.home).add(only(name), *self._add_options)
        return server


class _HostCaller(Caller):
    def __init__(self, cluster: HostCluster) -> None:
        super().__init__(PORT)
        self._cluster = cluster

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host = self._cluster.front.host
        return await asyncio.open_connection(sock=await asyncio.to_thread(host.connect, PORT))
