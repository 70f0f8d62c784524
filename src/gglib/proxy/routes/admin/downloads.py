"""Lists, starts, follows, pauses, resumes and cancels downloads."""

from contextlib import aclosing

import msgspec

from gglib.core import errors
from gglib.http.headers import EVENT_STREAM_HEADERS
from gglib.proxy.relay.heartbeat import Heartbeat
from gglib.proxy.response import Response
from gglib.proxy.routes import responses
from gglib.proxy.routes.admin.groups import DOWNLOADS_GROUP
from gglib.proxy.routes.dispatch import Call, operation
from gglib.proxy.routes.operation_spec import EVENTS, OperationSpec
from gglib.proxy.routes.requests import CancelQuery, NewDownload

DOWNLOADS, DOWNLOAD = "/gglib/downloads", "/gglib/downloads/{id}"
DOWNLOAD_EVENTS = "/gglib/downloads/{id}/events"
_ID = {"id": "The `id` from `startDownload`."}


async def list_downloads(call: Call[None, None], response: Response) -> None:
    """Send all known downloads."""
    downloads = await call.library.list_downloads()
    await response.send(responses.Downloads(downloads=tuple(map(responses.Download.of, downloads))))


async def start_download(call: Call[None, NewDownload], response: Response) -> None:
    """Start a download."""
    download = await call.library.start_download(call.body.target)
    location = f"{DOWNLOADS}/{download.id}".encode()
    await response.send(responses.Download.of(download), status=202, headers=((b"location", location),))


async def show_download(call: Call[None, None], response: Response) -> None:
    """Send the state of a download."""
    await response.send(responses.Download.of(await call.library.show_download(call.path["id"])))


async def cancel_download(call: Call[CancelQuery, None], response: Response) -> None:
    """Cancel a download."""
    download = await call.library.cancel_download(call.path["id"], with_files=call.query.files)
    await response.send(responses.Download.of(download))


async def pause_download(call: Call[None, None], response: Response) -> None:
    """Pause a download."""
    await response.send(responses.Download.of(await call.library.pause_download(call.path["id"])))


async def resume_download(call: Call[None, None], response: Response) -> None:
    """Resume a download."""
    await response.send(responses.Download.of(await call.library.resume_download(call.path["id"])))


async def follow_download(call: Call[None, None], response: Response) -> None:
    """Send the state of a download, then each change until its end. Ends when the client disconnects."""
    followed = call.library.follow_download(call.path["id"])
    async with aclosing(followed), Heartbeat(response, call.services.options.heartbeat_s) as heartbeat:
        async for download in followed:
            event = b"data: " + msgspec.json.encode(responses.Download.of(download)) + b"\n\n"
            if not response.is_started:
                await response.start(200, EVENT_STREAM_HEADERS)
            if not download.state.is_active or call.request.method == "HEAD":
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
            group=DOWNLOADS_GROUP,
            summary="List the downloads of this server",
            text="Finished ones stay in the list for a day, at most the last 50. Downloads of the command "
            "`gglib pull` are not included.",
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
            group=DOWNLOADS_GROUP,
            summary="Pull a model",
            text="Like `gglib pull --yes`: of several quantizations it takes one that fits. Two downloads run at "
            "once, others wait. A target that is already downloading returns the existing download; paused and "
            "interrupted ones resume. After a failure `state` is `failed` and `error` has the reason.",
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
            group=DOWNLOADS_GROUP,
            summary="Show the state of a download",
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
            group=DOWNLOADS_GROUP,
            summary="Cancel a download",
            text="Responds when it has ended. Partial files are kept, unless `files` is true; those that another pull "
            "needs are kept in any case. `done_bytes` is 0 if they were deleted. A download that is done does not "
            "change, nor do its files.",
            path_parameters=_ID,
            query=CancelQuery,
            response=responses.Download,
            needs_library=True,
            errors=(errors.DownloadNotFoundError, errors.CatalogError, errors.StorageError),
        ),
    ),
    operation(
        pause_download,
        OperationSpec(
            id="pauseDownload",
            method="POST",
            path=f"{DOWNLOAD}/pause",
            group=DOWNLOADS_GROUP,
            summary="Pause a download",
            text="Responds when it has stopped. It keeps its partial files and its place in the list. A download that "
            "has ended does not change.",
            path_parameters=_ID,
            response=responses.Download,
            needs_library=True,
            errors=(errors.DownloadNotFoundError,),
        ),
    ),
    operation(
        resume_download,
        OperationSpec(
            id="resumeDownload",
            method="POST",
            path=f"{DOWNLOAD}/resume",
            group=DOWNLOADS_GROUP,
            summary="Resume a download",
            text="Queues a paused, cancelled or failed download again; it continues from its partial files. An active "
            "one does not change. If another download of the same target was started since, that one is returned.",
            path_parameters=_ID,
            response=responses.Download,
            needs_library=True,
            errors=(errors.DownloadNotFoundError, errors.DownloadDoneError, errors.QueueFullError),
        ),
    ),
    operation(
        follow_download,
        OperationSpec(
            id="followDownload",
            method="GET",
            path=DOWNLOAD_EVENTS,
            group=DOWNLOADS_GROUP,
            summary="Follow a download",
            text="Server-sent events: `data:` with a download, first its current state, then after each change, at "
            "most five per second; the last one is neither `queued` nor `running`, and ends the stream. Comments keep "
            "it alive. Slow readers miss intermediate states, never the last one. At shutdown the stream ends with an "
            "error.",
            path_parameters=_ID,
            response=responses.Download,
            media_type=EVENTS,
            needs_library=True,
            errors=(errors.DownloadNotFoundError,),
        ),
    ),
)
