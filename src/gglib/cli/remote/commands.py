"""What the commands do on a remote server: one request each, shown as for this machine."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from gglib.cli.server.client import delete_json, get_json, post_json, stream_get
from gglib.cli.server.models import MODELS_PATH, complete_for_request, list_models, show_model
from gglib.core.addresses import Endpoint
from gglib.core.errors import GglibError
from gglib.core.hub.downloads import DownloadState

if TYPE_CHECKING:
    from gglib.cli.pull.reporters import JsonReporter, TextReporter

HUB_PATH, DOWNLOADS_PATH = "/gglib/hub/models", "/gglib/downloads"
HUB_TIMEOUT_S = 120.0
"""For requests that the server answers after its own requests to the hub."""


def find_model(server: Endpoint, name: str) -> dict[str, Any] | None:
    """Return one model; None for a name that can only be a repository's."""
    if "/" in name:
        with suppress(GglibError):
            return show_model(server, name)
        return None
    return show_model(server, complete_for_request(server, name))


def show_repository(server: Endpoint, repo: str, revision: str | None) -> dict[str, Any]:
    """Return one repository of the hub, judged for the server's machine."""
    query = "" if revision is None else f"?{urlencode({'revision': revision})}"
    found: dict[str, Any] = get_json(
        server, f"{HUB_PATH}/{quote(repo)}{query}", "ShownRepository", timeout_s=HUB_TIMEOUT_S
    )
    return found


def search(
    server: Endpoint, words: str, *, sort: str, limit: int, max_size_bytes: int | None
) -> dict[str, Any]:
    """Search the hub from the server."""
    query: dict[str, str | int] = {"q": words, "sort": sort, "limit": limit}
    if max_size_bytes is not None:
        query["max_size"] = max_size_bytes
    found: dict[str, Any] = get_json(
        server, f"{HUB_PATH}?{urlencode(query)}", "SearchResult", timeout_s=HUB_TIMEOUT_S
    )
    return found


def add_model(server: Endpoint, path: str, name: str | None, aliases: Sequence[str]) -> dict[str, Any]:
    """Add a file of the server's machine."""
    body: dict[str, Any] = {"path": path}
    if name is not None:
        body["name"] = name
    if aliases:
        body["aliases"] = list(aliases)
    model: dict[str, Any] = post_json(server, MODELS_PATH, body, "Model")
    return model


def remove_model(server: Endpoint, name: str, *, with_files: bool) -> dict[str, Any]:
    """Remove a model, and with its files those that gglib downloaded."""
    query = "?files=true" if with_files else ""
    removed: dict[str, Any] = delete_json(
        server, f"{MODELS_PATH}/{quote(name, safe='')}{query}", "RemovedModel"
    )
    return removed


def pull(server: Endpoint, target: str, reporter: "TextReporter | JsonReporter") -> dict[str, Any]:
    """Pull a model on the server, report its progress, and return the model.

    Ctrl-C ends this command and not the download. Raises ``GglibError`` if the download fails.
    """
    from gglib.cli.server.response_json import parse_event, stream_error
    from gglib.http.sse import SseReader
    from gglib.library.pull.execute import PullProgress

    download = post_json(server, DOWNLOADS_PATH, {"target": target}, "Download", timeout_s=HUB_TIMEOUT_S)
    path = f"{DOWNLOADS_PATH}/{quote(download['id'], safe='')}/events"
    events = SseReader()
    with (
        _note_on_interrupt(server),
        reporter.progress() as on_progress,
        stream_get(server, path) as chunks,
    ):
        for chunk in chunks:
            for event in events.receive(chunk):
                download = parse_event(server, f"GET {path}", event, "Download")
                if "state" not in download:  # the error of a server that stops
                    raise stream_error(server, f"GET {path}", event)
                if download["phase"] is None:
                    continue  # it has not begun; "waiting" is the phase of one that another gglib downloads
                on_progress(
                    PullProgress(
                        file=download["file"] or target,
                        done_bytes=download["done_bytes"],
                        total_bytes=download["total_bytes"],
                        phase=download["phase"],
                    )
                )
    return show_model(server, _model_name(server, download))


def doctor(server: Endpoint) -> list[dict[str, str]]:
    """Return what can be checked from here: that the server responds, its version, and its models."""
    health = get_json(server, "/health", "Health")
    status = get_json(server, "/gglib/status", "Status")
    models = list_models(server)
    failed = [f"{failure['model_name']} ({failure['reason']})" for failure in status["failed"]]
    return [
        {"name": "server", "verdict": "ok", "detail": f"{server.url} responds: {health['status']}"},
        {"name": "version", "verdict": "ok", "detail": status["version"]},
        {
            "name": "models",
            "verdict": "warn" if failed else "ok",
            "detail": f"failed to load: {', '.join(failed)}" if failed else f"{len(models)} in the catalogue",
        },
    ]


@contextmanager
def _note_on_interrupt(server: Endpoint) -> Iterator[None]:
    """Say after Ctrl-C that the server continues the download."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"\nThe download continues on {server.url}.", err=True)
        raise


def _model_name(server: Endpoint, download: dict[str, Any]) -> str:
    """Return the name of the pulled model. Raises ``GglibError`` if the download did not complete."""
    state = DownloadState(download["state"])
    if state.is_active:
        raise GglibError(
            f"{server.url} ended the progress of the download, which is {state.value} and may continue there."
        )
    if state is not DownloadState.DONE:
        error = download["error"]
        raise GglibError(
            error["message"]
            if error
            else f"The download was {state.value} on {server.url}: run the same command again to resume it."
        )
    name: str | None = download["model_name"]
    if name is None:
        raise GglibError(f"{server.url} did not name the model of the download: 'gglib list' shows it.")
    return name
