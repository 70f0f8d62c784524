"""The proxies of a server, one for each listener: started, handed over and stopped together."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from gglib.app.serving.configurations import ollama_config, proxy_config
from gglib.app.serving.listeners import Listeners
from gglib.app.serving.live_parts import LiveParts
from gglib.app.serving.supervisor import ProxySupervisor, ServeFunction
from gglib.app.settings import Settings
from gglib.core.ports import ModelCatalogPort, ModelRuntimePort
from gglib.http.server.handover import Handover
from gglib.proxy import LiveOptions

SETTLE_S = 1.0
"""How long a client that has just connected has to send its request before the drain refuses it."""

MakeServe = Callable[[LiveOptions, Handover | None], ServeFunction]
"""Returns ``gglib.proxy.serve`` with these options."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a server listens."""

    local_url: str
    """The URL of the main address."""
    ollama_url: str | None
    """The URL for clients of Ollama; None without one."""
    others: tuple[str, ...]
    """Further addresses; of unix sockets ``unix:PATH``."""


class Proxies:
    """The proxies of one server. Passed listeners are served as they are, the others are bound here."""

    def __init__(self, make_serve: MakeServe, live: LiveParts, listeners: Listeners) -> None:
        self._make_serve = make_serve
        self._live = live
        self._listeners = listeners
        self._handovers: list[Handover] = []
        self.main = ProxySupervisor(make_serve(live.options, self._handover(listeners.has_main_address)))
        """The proxy of the main address."""
        self.others: list[ProxySupervisor] = []
        """The proxies of further listeners."""

    async def start(
        self, settings: Settings, runtime: ModelRuntimePort, catalog: ModelCatalogPort
    ) -> Addresses:
        """Start all of them, and return their addresses. Raises ``InvalidSettingError``, see ``ProxySupervisor``."""
        config = proxy_config(settings)
        main = list(self._listeners.main)
        first = main.pop(0) if self._listeners.has_main_address else None
        local_url = await self.main.start(config, runtime, catalog, listener=first)
        others = []
        for listener in main:
            proxy = self._add(self._live.add_options(has_page=True), is_passed=True)
            others.append(await proxy.start(config, runtime, catalog, listener=listener))
        ollama_urls = []
        for listener in self._listeners.ollama:
            proxy = self._add(self._live.add_options(has_page=False), is_passed=True)
            ollama_urls.append(await proxy.start(config, runtime, catalog, listener=listener))
        if settings.ollama_port is not None and not ollama_urls:
            proxy = self._add(self._live.add_options(has_page=False), is_passed=False)
            config = ollama_config(settings, settings.ollama_port)
            ollama_urls.append(await proxy.start(config, runtime, catalog))
        return Addresses(local_url, ollama_urls[0] if ollama_urls else None, (*others, *ollama_urls[1:]))

    async def hand_over(self) -> None:
        """Stop accepting at the passed listeners: connections wait there for the next process, within a second."""
        await asyncio.gather(*(handover.begin(SETTLE_S) for handover in self._handovers))

    async def stop(self) -> None:
        """Stop all of them, see ``ProxySupervisor.stop``."""
        await asyncio.gather(*(proxy.stop() for proxy in (self.main, *self.others)))

    def _add(self, options: LiveOptions, *, is_passed: bool) -> ProxySupervisor:
        proxy = ProxySupervisor(self._make_serve(options, self._handover(is_passed)))
        self.others.append(proxy)
        return proxy

    def _handover(self, is_passed: bool) -> Handover | None:  # noqa: FBT001 - private
        if not is_passed:
            return None
        self._handovers.append(Handover())
        return self._handovers[-1]
