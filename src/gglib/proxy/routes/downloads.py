"""The downloads of this server, for programs: begun, watched, ended."""

from contextlib import aclosing

import msgspec

from gglib.core import errors
from gglib.proxy.heartbeat import Heartbeat
from gglib.proxy.response import EVENT_STREAM_HEADERS, Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation import EVENTS, OperationSpec
from gglib.proxy.routes.requests import NewDownload

DOWNLOADS, DOWNLOAD = "/gglib/downloads", "/gglib/downloads/{id}"
DOWNLOAD_EVENTS = "/gglib/downloads/{id}/events"
GROUP = "Downloads"
_ID = {"id": "As `startDownload` named it."}


async def list_downloads(call: Call[None, None], response: Response) -> None:
    """Answer with all that are known."""
    downloads = await call.library.list_downloads()
    await response.send(responses.Downloads(downloads=tuple(map(responses.Download.of, downloads))))


async def start_download(call: Call[None, NewDownload], response: Response) -> None:
    """Begin one."""
    download = await call.library.start_download(call.body.target)
    location = f"{DOWNLOADS}/{download.id}".encode()
    await response.send(responses.Download.of(download), status=202, headers=((b"location", location),))


async def show_download(call: Call[None, None], response: Response) -> None:
    """Answer with how one stands."""
    await response.send(responses.Download.of(await call.library.show_download(call.path["id"])))


async def cancel_download(call: Call[None, None], response: Response) -> None:
    """End one."""
    await response.send(responses.Download.of(await call.library.cancel_download(call.path["id"])))


async def follow_download(call: Call[None, None], response: Response) -> None:
    """Send how one stands, then each change, up to the end. The end of the connection ends this."""
    followed = call.library.follow_download(call.path["id"])
    async with aclosing(followed), Heartbeat(response, call.services.options.heartbeat_s) as heartbeat:
        async for download in followed:
            event = b"data: " + msgspec.json.encode(responses.Download.of(download)) + b"\n\n"
            if not response.is_started:
                await response.start(200, EVENT_STREAM_HEADERS)
            if download.state.is_final or call.request.method == "HEAD":
                await heartbeat.stop()
                await response.write(event, is_last=True)
                return
            await response.write(event)


OPERATIONS = (
    operation(
        list_downloads,
        OperationSpec(
            id="listDownloads",
            method="GET",
            path=DOWNLOADS,
            group=GROUP,
            summary="List the downloads of this server",
            text="Those that are over stay in the list for a day, the last 50 of them. What `gglib pull` fetches by "
            "itself is not in it.",
            response=responses.Downloads,
            needs_library=True,
        ),
    ),
    operation(
        start_download,
        OperationSpec(
            id="startDownload",
            method="POST",
            path=DOWNLOADS,
            group=GROUP,
            summary="Pull a model",
            text="As `gglib pull --yes`: of several quantizations the one is taken that fits. Two run at once, others "
            "wait. What is on its way already is answered, not begun twice; what was cancelled, cut off or killed goes "
            "on where it ended. Where it fails later, `state` is `failed`, and `error` says why.",
            body=NewDownload,
            status=202,
            response=responses.Download,
            has_location=True,
            needs_library=True,
            errors=(errors.VariantChoiceError, errors.UnsafeNameError, errors.QueueFullError),
        ),
    ),
    operation(
        show_download,
        OperationSpec(
            id="showDownload",
            method="GET",
            path=DOWNLOAD,
            group=GROUP,
            summary="Show how a download stands",
            path_parameters=_ID,
            response=responses.Download,
            needs_library=True,
            errors=(errors.DownloadNotFoundError,),
        ),
    ),
    operation(
        cancel_download,
        OperationSpec(
            id="cancelDownload",
            method="DELETE",
            path=DOWNLOAD,
            group=GROUP,
            summary="Cancel a download",
            text="Answers when it has ended. What has come is kept. One that is over stays as it is.",
            path_parameters=_ID,
            response=responses.Download,
            needs_library=True,
            errors=(errors.DownloadNotFoundError,),
        ),
    ),
    operation(
        follow_download,
        OperationSpec(
            id="followDownload",
            method="GET",
            path=DOWNLOAD_EVENTS,
            group=GROUP,
            summary="Follow a download",
            text="Server-sent events: `data:` with a download, first as it stands, then after each change, at most "
            "five a second; the last one has a final state, and the stream ends. Comments keep it alive in between. A "
            "slow reader misses what was in between, never the end. A server that stops ends it with an error.",
            path_parameters=_ID,
            response=responses.Download,
            media_type=EVENTS,
            needs_library=True,
            errors=(errors.DownloadNotFoundError,),
        ),
    ),
)
