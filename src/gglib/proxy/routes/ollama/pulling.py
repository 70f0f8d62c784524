"""``/api/pull``: downloads a model from the hub, with progress as lines."""

from contextlib import aclosing
from dataclasses import dataclass

import msgspec

from gglib.core import errors
from gglib.core.hub.downloads import Download, DownloadState
from gglib.core.ports import ModelLibraryPort
from gglib.http.headers import Headers
from gglib.http.response_writer import encode_header_lines
from gglib.proxy.dialects.ollama.chat import is_streamed
from gglib.proxy.dialects.ollama.lines import NDJSON_HEADERS
from gglib.proxy.dialects.ollama.names import hub_target
from gglib.proxy.dialects.ollama.progress import download_error, progress_of
from gglib.proxy.dialects.ollama.requests import PullRequest
from gglib.proxy.errors import NoLibraryError
from gglib.proxy.options import Services
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.request import ProxyRequest
from gglib.proxy.response import Response
from gglib.proxy.routes.dispatch import Operation
from gglib.proxy.routes.ollama.bodies import read_body
from gglib.proxy.routes.ollama.generation import GROUP
from gglib.proxy.routes.ollama.loading import end_stream
from gglib.proxy.routes.operation_spec import LINES, OperationSpec

SUCCESS = {"status": "success"}
_MANIFEST = {"status": "pulling manifest"}


def status_line(status: object) -> bytes:
    """Return one line of progress."""
    return msgspec.json.encode(status) + b"\n"


@dataclass(slots=True)
class LastStatus:
    """Heartbeats that repeat the last line of progress."""

    line: bytes

    @property
    def stream_headers(self) -> Headers:
        """The headers of a stream of lines."""
        return NDJSON_HEADERS

    def heartbeat(self) -> bytes:
        """Return the line."""
        return self.line


async def pull(request: ProxyRequest, response: Response, services: Services) -> None:
    """Pull a model, and follow the download to its end. It continues if the client disconnects."""
    library = library_of(services)
    body, _ = await read_body(request, services, PullRequest)
    name = body.wanted
    is_stream = is_streamed(body.stream)
    if "/" not in name and await services.catalog.resolve_model(name) is not None:
        await _send_success(response, is_stream=is_stream)  # a model of this machine: nothing to pull
        return
    download = await library.start_download(hub_target(name))
    if is_stream:
        await _relay_progress(response, services, library, download)
    else:
        await _finish(library, download)
        await response.send(SUCCESS)


async def _relay_progress(
    response: Response, services: Services, library: ModelLibraryPort, download: Download
) -> None:
    last = LastStatus(status_line(_MANIFEST))
    lines = encode_header_lines(NDJSON_HEADERS)
    followed = library.follow_download(download.id)
    async with aclosing(followed), Heartbeat(response, services.options.heartbeat_s, last) as heartbeat:
        async for current in followed:
            if not current.state.is_active:
                await heartbeat.stop()
                break
            line = status_line(progress_of(current))
            if not response.is_started:
                await response.start_with(200, lines, length=None, is_stream=True, part=last.line)
            if line != last.line:
                await response.write(line)
            last.line = line
    _raise_failure(current)
    await end_stream(response, b"".join(map(status_line, ({"status": "writing manifest"}, SUCCESS))))


async def _finish(library: ModelLibraryPort, download: Download) -> None:
    """Wait for the end of a download. Raises its error."""
    current = download
    async with aclosing(library.follow_download(download.id)) as followed:
        async for current in followed:
            if not current.state.is_active:
                break
    _raise_failure(current)


def _raise_failure(download: Download) -> None:
    if download.state is not DownloadState.DONE:
        raise download_error(download)


async def _send_success(response: Response, *, is_stream: bool) -> None:
    if is_stream:
        await end_stream(response, status_line(SUCCESS))
    else:
        await response.send(SUCCESS)


def library_of(services: Services) -> ModelLibraryPort:
    """Return the library. Raises ``NoLibraryError`` if the server has none."""
    if services.library is None:
        raise NoLibraryError
    return services.library


OPERATIONS = (
    Operation(
        OperationSpec(
            id="pullWithOllama",
            method="POST",
            path="/api/pull",
            group=GROUP,
            summary="Pull a model, in Ollama's dialect",
            text="`hf.co/OWNER/NAME[:QUANT]` or `OWNER/NAME[:QUANT]`; names of Ollama's library are refused. A stream "
            "of lines unless `stream` is false. The download continues if the client disconnects.",
            body=PullRequest,
            media_type=LINES,
            needs_library=True,
            errors=(errors.VariantChoiceError, errors.UnsafeNameError, errors.QueueFullError),
        ),
        pull,
    ),
)
