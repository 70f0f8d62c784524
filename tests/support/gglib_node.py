"""A gglib in this process, with scripted engines, at the end of a cable."""

import asyncio
import hashlib
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.cable import Cable
from tests.support.sockets import bound_socket

from gglib.core.api_keys import ApiKey
from gglib.core.models import ModelCapabilities, ModelSummary
from gglib.proxy import LiveOptions, ProxyOptions, Readiness, SharedState, serve
from gglib.runtime import EngineManager, LaunchConfig, LocalLauncher, RuntimeConfig
from gglib.runtime.engines import find_engine
from gglib.testing import FakeCatalog, FakeLibrary, Script, install_scripted_server


def content_hash(name: str) -> str:
    """Return the hash of the file of a model of this name, the same on all nodes."""
    return hashlib.sha256(name.encode()).hexdigest()


def scripted_model(directory: Path, number: int, name: str) -> ModelSummary:
    """Return a model for a scripted engine. One whose name begins with ``embed`` is for embeddings."""
    path = directory / f"{name}.gguf"
    path.touch()
    return ModelSummary(
        id=number,
        name=name,
        paths=(path,),
        hashes=(content_hash(name),),
        size_bytes=1000,
        capabilities=ModelCapabilities(embedding=name.startswith("embed")),
    )


class GglibNode:
    """Serves models from scripted engines from ``start`` to ``stop``, which may be repeated; a block does both."""

    def __init__(
        self,
        directory: Path,
        *models: str,
        script: Script | None = None,
        api_keys: Mapping[str, ApiKey | str] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.cable = Cable()
        self.models = models
        self.library = FakeLibrary()
        self.shared = SharedState()
        self.port = 0
        self._directory = directory
        self._engine = install_scripted_server(directory / "engine", script)
        self.options = LiveOptions(ProxyOptions(api_keys=api_keys or {}, shutdown_grace_s=0))
        self._cancel = asyncio.Event()
        self._stack = AsyncExitStack()

    @property
    def key(self) -> str | None:
        """A key for the front; None if it needs none."""
        return next((key for key in self.options.current.api_keys.values() if isinstance(key, str)), None)

    @property
    def url(self) -> str:
        """The address at the other end of the cable, the same for ever."""
        return self.cable.url

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def pulled(self) -> list[str]:
        """Return what it has to download."""
        return [download.target for download in await self.library.list_downloads()]

    async def start(self, *models: str) -> None:
        """Serve, with other models if some are named, and plug the cable in."""
        self.models = models or self.models
        catalog = FakeCatalog([self._model(number, name) for number, name in enumerate(self.models, 1)])
        self.library = FakeLibrary(catalog)
        self.shared = SharedState(readiness=Readiness())
        launcher = LocalLauncher(
            LaunchConfig(
                engine=find_engine(self._engine),
                engines_dir=self._directory / "engines",
                log_dir=self._directory / "logs",
            )
        )
        manager = await self._stack.enter_async_context(EngineManager(catalog, launcher, RuntimeConfig()))
        listener, cancel = bound_socket(), asyncio.Event()
        self._cancel = cancel
        self.port = listener.getsockname()[1]
        serving = asyncio.create_task(
            serve(
                listener,
                4096,
                manager,
                catalog,
                cancel,
                options=self.options,
                library=self.library,
                shared=self.shared,
            )
        )

        async def stop() -> None:
            cancel.set()
            await serving

        self._stack.push_async_callback(stop)
        await self.cable.plug_in(self.port)

    def shut_down(self) -> None:
        """Begin an orderly shutdown: the requests end with an error. ``stop`` follows."""
        self._cancel.set()

    def replace_key(self, key: str) -> None:
        """Accept another key from now on, and no longer the former ones."""
        self.options.replace(replace(self.options.current, api_keys={"front": key}))

    async def stop(self) -> None:
        """Cut the cable, so that no end of a response arrives, then stop the server and its engines."""
        await self.cable.cut()
        await self._stack.aclose()

    def _model(self, number: int, name: str) -> ModelSummary:
        return scripted_model(self._directory, number, name)
