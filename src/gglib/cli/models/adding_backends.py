"""Adds a model that a command or a server elsewhere serves to the catalogue of this home."""

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gglib.app.settings import Settings
    from gglib.cli.models.backend_options import BackendOptions
    from gglib.core.backends import UrlBackend
    from gglib.core.models import ModelCapabilities, ModelSettings, ModelSummary


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBackend:
    """What the options say of a new model."""

    name: str | None
    aliases: tuple[str, ...]
    capabilities: "ModelCapabilities"
    settings: "ModelSettings"
    options: "BackendOptions"


def add_backend(
    new: NewBackend, files: Sequence[str], settings: "Settings"
) -> tuple["ModelSummary", list["ModelSummary"]]:
    """Add the model; return it, and all models. Raises ``click.UsageError`` and the errors of the catalogue."""
    from gglib.cli.sessions import catalog_session
    from gglib.core.backends import UrlBackend
    from gglib.library.backend_rules import default_name, model_of_backend

    if new.options.server_url is not None and files:
        raise click.UsageError("A model that is served by --url has no file here: leave out FILE.")
    path = _one_file(files)
    backend = new.options.made(has_file=path is not None)
    if isinstance(backend, UrlBackend):
        backend = _with_served_name(backend, new.name)
    else:
        _warn_without_program(backend.argv[0])
    name = new.name or (path.stem if path is not None else default_name(backend))
    model = replace(
        model_of_backend(name, backend, new.capabilities), aliases=new.aliases, settings=new.settings
    )
    if path is not None:
        model = replace(model, paths=(path,), size_bytes=path.stat().st_size)
    with catalog_session(settings) as catalog:
        added = catalog.run(lambda store: store.add_model(model))
        return added, catalog.run(lambda store: store.list_models())


def _one_file(files: Sequence[str]) -> Path | None:
    from gglib.core.errors import InvalidSettingError

    if len(files) > 1:
        raise click.UsageError("A command serves one model: give one FILE, or none.")
    if not files:
        return None
    path = Path(os.path.abspath(os.path.expanduser(files[0])))  # noqa: PTH100, PTH111 - keeps links
    if not path.is_file():
        raise InvalidSettingError(f"{path} is not a file.")
    return path


def _with_served_name(backend: "UrlBackend", name: str | None) -> "UrlBackend":
    """Return the backend with the model's name at the server, which is asked for its models."""
    import asyncio

    from gglib.app.models.server_models import list_server_models
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    if backend.key_env is not None and not os.environ.get(backend.key_env):
        render.warn(f"{backend.key_env} is not set here: 'gglib serve' needs it in its environment.")
    found = asyncio.run(list_server_models(backend))
    if found.problem is not None:
        if found.has_responded:
            _require_api_path(backend)
        if name is None and backend.model is None:
            raise InvalidSettingError(
                f"The server at {backend.base_url} {found.problem}: give --name, and --served-name if it has another "
                "name there, to add it all the same."
            )
        render.warn(f"the server at {backend.base_url} {found.problem}: it was not checked.")
        return backend
    return _chosen(backend, name, found.names)


def _chosen(backend: "UrlBackend", name: str | None, names: Sequence[str]) -> "UrlBackend":
    """Return the backend with one of the names that its server lists. Raises ``InvalidSettingError``."""
    from gglib.cli.views import render
    from gglib.core.errors import InvalidSettingError

    listed = ", ".join(names[:20]) or "none"
    if backend.model is not None:
        if backend.model not in names:
            render.warn(
                f"the server at {backend.base_url} lists no model '{backend.model}', but these: {listed}."
            )
        return backend
    if name in names:
        return backend
    if len(names) == 1:
        return replace(backend, model=names[0])
    raise InvalidSettingError(
        f"The server at {backend.base_url} has {len(names)} models ({listed}): choose one with --served-name."
    )


def _require_api_path(backend: "UrlBackend") -> None:
    """Raise ``InvalidSettingError`` if the URL lacks the ``/v1`` of the server's API."""
    import asyncio

    from gglib.app.models.server_models import list_server_models
    from gglib.core.errors import InvalidSettingError

    longer = replace(backend, base_url=f"{backend.base_url}/v1")
    if asyncio.run(list_server_models(longer)).problem is None:
        raise InvalidSettingError(
            f"The server at {backend.base_url} has its API below /v1: give --url {longer.base_url}."
        )


def _warn_without_program(program: str) -> None:
    from gglib.cli.views import render

    if shutil.which(program) is None:
        render.warn(
            f"'{program}' is not a program on the PATH of this shell: 'gglib serve' needs it on its own."
        )
