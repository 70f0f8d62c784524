"""Opens the releases of engines, and finds the build to install in them."""

import os
from collections.abc import Mapping

from gglib.app.models.hub import hub_access
from gglib.app.settings import Settings
from gglib.core.errors import EngineInstallError
from gglib.core.hub.releases import Release
from gglib.core.ports.releases import EngineReleasesPort
from gglib.engine_store.builds import Build, Machine, builds_in
from gglib.engine_store.wanted import Wanted, choose_build, pointed_tag, pointer_of
from gglib.hf import GitHubReleases

NEWEST_COUNT = 10
"""How many releases are searched for a build if the latest one has none: a new release gets its files minutes later."""


def open_releases(settings: Settings, environ: Mapping[str, str] = os.environ) -> EngineReleasesPort:
    """Return the releases of the settings; the offline mode is that of the hub."""
    return GitHubReleases(settings.engine_releases_url, is_offline=hub_access(environ).is_offline)


async def find_build(releases: EngineReleasesPort, wanted: Wanted, machine: Machine) -> Build:
    """Return the build that is wanted. Raises ``EngineInstallError`` if there is none, and ``HubError``."""
    release = await find_release(releases, wanted.tag, machine)
    return choose_build(release, builds_in(release, machine.platform), wanted, machine)


async def find_release(releases: EngineReleasesPort, tag: str | None, machine: Machine) -> Release:
    """Return the release with this tag, else the latest one with builds for the machine.

    A release that only names a build (``v0.6.0``) stands for that build. Raises ``EngineInstallError``.
    """
    release = await releases.latest() if tag is None else await releases.release(tag)
    if release is not None and not builds_in(release, machine.platform):
        release = await _pointed(releases, release) or release
    if tag is not None and release is None:
        raise EngineInstallError(
            f"There is no release '{tag}' of llama.cpp at {releases.host}: 'gglib engine install' takes the latest one."
        )
    if release is not None and (tag is not None or builds_in(release, machine.platform)):
        return release
    newest = await releases.newest(NEWEST_COUNT)
    found = next((each for each in newest if builds_in(each, machine.platform)), release)
    if found is None:
        raise EngineInstallError(f"{releases.host} has no releases: check 'engine_releases_url'.")
    return found


async def _pointed(releases: EngineReleasesPort, release: Release) -> Release | None:
    pointer = pointer_of(release)
    tag = None if pointer is None else pointed_tag(await releases.read(pointer))
    return None if tag is None else await releases.release(tag)
