"""Lists the installed engines, and the builds of a release."""

import asyncio
from typing import TYPE_CHECKING

from gglib.cli.engines.installing import devices_text
from gglib.cli.views import render
from gglib.core.errors import EngineNotFoundError

if TYPE_CHECKING:
    from pathlib import Path

    from gglib.app.settings import Settings
    from gglib.core.hub.releases import Release
    from gglib.engine_store import InstalledEngine
    from gglib.engine_store.builds import Build

COLUMNS = ("ENGINE", "STATE", "VERSION", "GPUS", "SIZE", "INSTALLED")
AVAILABLE_COLUMNS = ("BUILD", "BACKEND", "DOWNLOAD", "STATE")
IN_USE, PREVIOUS = "in use", "previous"


def show_installed(settings: "Settings", *, as_json: bool) -> None:
    """Print the installed engines, and the engine in use, which may be another one."""
    from gglib.app.engines.selection import current_choice, previous_choice
    from gglib.engine_store import EngineStore

    engines = EngineStore(settings.engines_dir).engines()
    previous = previous_choice(settings)
    program, description = _engine_in_use(settings)
    states = {
        engine.name: IN_USE
        if engine.program == program
        else PREVIOUS
        if previous is not None and previous.engine is not None and previous.engine.name == engine.name
        else ""
        for engine in engines
    }
    if as_json:
        render.show_json(
            {
                "in_use": description,
                "choice": current_choice(settings).shown,
                "previous": None if previous is None else previous.shown,
                "engines": [_as_json(engine, states[engine.name]) for engine in engines],
            }
        )
        return
    if engines:
        rows = [_row(engine, states[engine.name]) for engine in engines]
        render.show_table(COLUMNS, rows, wrapped=("VERSION",), droppable=("INSTALLED", "SIZE", "VERSION"))
    else:
        render.show_note(
            "No engines are installed: 'gglib engine install' installs the one for this machine."
        )
    if IN_USE not in states.values():
        render.show_note(f"In use: {description}")


def show_available(settings: "Settings", *, as_json: bool) -> None:
    """Print the builds of the latest release for this machine. Raises ``GglibError``."""
    from gglib.app.engines.machine import read_machine
    from gglib.app.engines.releases import find_release, open_releases
    from gglib.engine_store import EngineStore
    from gglib.engine_store.builds import best_build, builds_in

    machine = read_machine()
    releases = open_releases(settings)
    release = asyncio.run(find_release(releases, None, machine))
    builds = builds_in(release, machine.platform)
    best = best_build(builds, machine)
    installed = {engine.name for engine in EngineStore(settings.engines_dir).engines()}
    states = {
        build.name: ", ".join(
            [
                *(["installed"] if build.name in installed else []),
                *(["for this machine"] if build == best else []),
            ]
        )
        for build in builds
    }
    if as_json:
        render.show_json([_build_json(build, states[build.name]) for build in builds])
        return
    _show_builds(release, builds, states, str(machine.platform))


def _show_builds(
    release: "Release", builds: "tuple[Build, ...]", states: dict[str, str], platform: str
) -> None:
    if not builds:
        render.show_note(f"llama.cpp {release.tag} has no build for {platform}.")
        return
    rows = [
        (build.name, build.kind, render.size(build.size_bytes), states[build.name] or "-") for build in builds
    ]
    render.show_table(AVAILABLE_COLUMNS, rows)
    render.show_note("'gglib engine install BACKEND' installs one of them.")


def _engine_in_use(settings: "Settings") -> "tuple[Path | None, str]":
    from gglib.runtime.engines import find_engine

    try:
        engine = find_engine(settings.engine)
        description = f"{engine.description} ({engine.reason})"
    except EngineNotFoundError as error:
        return None, str(error)
    return engine.path, description


def _row(engine: "InstalledEngine", state: str) -> tuple[str, ...]:
    record = engine.record
    return (
        engine.name,
        state or "-",
        record.version or "-",
        devices_text(record.devices),
        render.size(record.size_bytes),
        record.installed_at.partition("T")[0],
    )


def _as_json(engine: "InstalledEngine", state: str) -> dict[str, object]:
    import msgspec

    record: dict[str, object] = msgspec.to_builtins(engine.record)
    return {**record, "path": str(engine.program), "state": state or None}


def _build_json(build: "Build", state: str) -> dict[str, object]:
    return {
        "name": build.name,
        "tag": build.tag,
        "backend": build.backend.value,
        "variant": build.variant or None,
        "size_bytes": build.size_bytes,
        "archives": [file.name for file in build.archives],
        "state": state or None,
    }
