"""Removes installed engines that nothing uses."""

from pathlib import Path
from typing import TYPE_CHECKING

from gglib.app.engines.selection import current_choice, previous_choice
from gglib.cli.server.client import get_json
from gglib.cli.server.instance import find_instance
from gglib.cli.views import render
from gglib.core.errors import EngineInstallError, GglibError
from gglib.engine_store import EngineStore

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.engine_store import InstalledEngine


def remove_engine(settings: "Settings", name: str, *, as_json: bool) -> None:
    """Remove an engine. Raises ``EngineInstallError`` if it is in use, or if there is none of this name."""
    store = EngineStore(settings.engines_dir)
    engine = store.find(name)
    if engine is None:
        names = ", ".join(each.name for each in store.engines()) or "none"
        raise EngineInstallError(f"There is no engine '{name}': installed are {names}.")
    if name in _chosen(settings, store):
        raise EngineInstallError(
            f"'{name}' is in use: choose another engine first, with 'gglib engine use embedded' or 'gglib engine use "
            "--previous'."
        )
    if name == _of_server(settings, store):
        raise EngineInstallError(
            f"The running server uses '{name}': restart it first, with 'gglib stop --server' and 'gglib serve'."
        )
    _remove(store, [engine], as_json=as_json)


def remove_unused(settings: "Settings", *, as_json: bool) -> None:
    """Remove all engines but those in use and the previous one."""
    store = EngineStore(settings.engines_dir)
    previous = previous_choice(settings)
    kept = {*_chosen(settings, store), _of_server(settings, store)}
    if previous is not None and previous.engine is not None:
        kept.add(previous.engine.name)
    _remove(store, [engine for engine in store.engines() if engine.name not in kept], as_json=as_json)


def _remove(store: EngineStore, engines: "list[InstalledEngine]", *, as_json: bool) -> None:
    if engines:
        with store.locked():
            for engine in engines:
                store.remove(engine)
    names, freed = [engine.name for engine in engines], sum(engine.record.size_bytes for engine in engines)
    if as_json:
        render.show_json({"removed": names, "freed_bytes": freed})
    elif names:
        render.echo(f"Removed {', '.join(names)} and freed {render.size(freed)}.")
    else:
        render.echo("Every installed engine is in use, or the previous one.")


def _chosen(settings: "Settings", store: EngineStore) -> set[str]:
    """Return the names of the engines that the settings choose: in the file, and in the environment."""
    found = [current_choice(settings).engine]
    if settings.engine is not None:
        found.append(store.containing(settings.engine))
    return {engine.name for engine in found if engine is not None}


def _of_server(settings: "Settings", store: EngineStore) -> str | None:
    """Return the name of the engine that the running server started with; None without one, or if it does not say."""
    instance = find_instance(settings)
    if instance is None or instance.endpoint is None:
        return None
    try:
        path = get_json(instance.endpoint, "/gglib/system")["engine"]["path"]
    except (GglibError, KeyError, TypeError):
        return None
    engine = store.containing(Path(path)) if isinstance(path, str) else None
    return None if engine is None else engine.name
