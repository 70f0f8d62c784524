"""One download: segments that fetch byte ranges, a hash that follows them, and the handling of failures.

Blocking; ``run`` is called in a thread. Only this thread starts and stops segments and decides; segments report their
end through a queue. The version that the first response names is recorded in the segment's thread, under the lock.
"""

import logging
import queue
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.errors import DownloadCorruptError, GglibError, HubBusyError, HubUnreachableError
from gglib.core.hub.repository import FetchedFile, RemoteFile
from gglib.core.ports.hub import OnFetchProgress
from gglib.core.sizes import SPARE_BYTES
from gglib.hf.cancellation import CancelToken
from gglib.hf.download.connections import ConnectionLimits, ConnectionPolicy, next_segment
from gglib.hf.download.hashing import IncrementalHasher
from gglib.hf.download.manifest import MAX_RANGES, Identity
from gglib.hf.download.part_file import PartFile
from gglib.hf.download.retries import Retries, RetryLimits
from gglib.hf.download.segment import UNKNOWN_END, Segment, WrongSizeError
from gglib.hf.download.storage import check_space
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import (
    Body,
    FileChangedError,
    RetryAfterError,
    TransientError,
    describe_body,
    hub_request_for,
    raise_for_status,
    strong_etag,
    unsatisfied_total,
)
from gglib.hf.transport.transport import Response, Transport
from gglib.hf.transport.urls import Address

POLL_S = 0.1
"""The interval of progress reports, and the delay until a cancel is noticed."""
SYNC_BYTES = 64 * 1024 * 1024
"""The most that a power cut costs."""

_log = logging.getLogger(__name__)


class RangeIgnoredError(Exception):
    """The server sends the whole file for every range request."""

    def __str__(self) -> str:
        return "the server does not send parts of the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """Parameters of a download; tests use shorter times."""

    retries: RetryLimits = field(default_factory=RetryLimits)
    connections: ConnectionLimits = field(default_factory=ConnectionLimits)
    spare_bytes: int = SPARE_BYTES


class Download:
    """Downloads one file into a part file and renames that to its target."""

    def __init__(  # noqa: PLR0913 - source, target, limits and callbacks
        self,
        file: RemoteFile,
        target: Path,
        *,
        address: Address,
        transport: Transport,
        limits: DownloadLimits,
        cancel_token: CancelToken,
        on_progress: OnFetchProgress,
    ) -> None:
        self._file = file
        self._target = target
        self._address = address
        self._transport = transport
        self._limits = limits
        self._cancel_token = cancel_token
        self._on_progress = on_progress
        self._lock = threading.Lock()
        self._ended: queue.SimpleQueue[Segment] = queue.SimpleQueue()
        self._segments: list[Segment] = []
        self._supports_ranges = True
        """False once the server has sent the whole file for a range request."""

    def run(self, part: PartFile) -> FetchedFile:
        """Return the file, verified and renamed. Raises ``HubError``, ``OSError``, ``OperationCancelledError``."""
        for _ in range(2):
            try:
                size, sha256 = self._receive(part)
            except WrongSizeError:
                reason = "its size"
            else:
                if self._file.sha256 in {None, sha256}:
                    self._on_progress(size, size)
                    validator = None if part.identity is None else part.identity.validator
                    part.publish()
                    return FetchedFile(size_bytes=size, sha256=sha256, validator=validator)
                reason = "its hash"
            _log.warning("%s does not match the hub's metadata (%s): it is deleted", self._file.name, reason)
            part.discard()
        raise DownloadCorruptError(
            f"{self._file.name} from {self._address.origin.authority} failed verification twice ({reason} does not "
            "match): the file was deleted. Try again later, or report it to the publisher."
        )

    def _receive(self, part: PartFile) -> tuple[int, str]:
        """Return the size and the hash of the completely stored file."""
        retries = Retries(self._limits.retries)
        while True:
            try:
                return self._receive_version(part, retries)
            except FileChangedError as error:
                _log.info("%s: %s; starting over", self._file.name, error)
                received_bytes = part.received.size_bytes
                part.discard()
                if not error.is_counted:
                    self._cancel_token.sleep(
                        self._pause_s(retries, TransientError(str(error)), received_bytes)
                    )

    def _receive_version(self, part: PartFile, retries: Retries) -> tuple[int, str]:
        identity = part.identity
        is_whole = identity is not None and identity.size_bytes == part.received.size_bytes
        if identity is not None and not is_whole and not self._can_resume(identity):
            part.discard()
        with IncrementalHasher(part, self._cancel_token) as hasher:
            try:
                self._receive_bytes(part, hasher, retries)
            finally:
                self._stop_segments()
            size = part.received.size_bytes
            self._on_progress(size, size)
            part.sync()  # while the rest is being hashed
            return size, hasher.finish(size)

    def _receive_bytes(self, part: PartFile, hasher: IncrementalHasher, retries: Retries) -> None:
        policy, not_before = ConnectionPolicy(self._limits.connections), 0.0
        self._check_remaining_space(part)
        while True:
            size = self._size(part)
            missing = None if size is None else size - part.received.size_bytes
            if not self._segments and missing == 0 and part.identity is not None:
                return
            now = time.monotonic()
            connections = policy.update(now, part.received.size_bytes, missing or 0)
            if now >= not_before:
                self._start_segments(part, hasher, connections)
            if (segment := self._next_ended()) is not None:
                not_before = time.monotonic() + self._on_segment_end(segment, part, policy, retries)
            self._cancel_token.raise_if_cancelled()
            self._on_progress(part.received.size_bytes, size)
            if part.undurable_bytes >= SYNC_BYTES:
                part.sync()
                if size is None:  # of unknown size: check again before each next block
                    self._check_space(SYNC_BYTES)

    def _start_segments(self, part: PartFile, hasher: IncrementalHasher, wanted: int) -> None:
        identity = part.identity
        if identity is None or not self._can_resume(identity) or (size := self._size(part)) is None:
            if not self._segments:
                first = 0 if identity is None else part.received.prefix_bytes
                self._start_segment(part, hasher, (first, self._file_end()))
            return
        while len(self._segments) < wanted:
            with self._lock:
                taken = tuple((segment.position, segment.end) for segment in self._segments)
                least = self._limits.connections.min_segment_bytes
                if len(part.received) + len(taken) >= MAX_RANGES:
                    least = UNKNOWN_END  # another range might not fit in the manifest
                byte_range = next_segment(part.received.missing(size), taken, least)
                if byte_range is None:
                    return
                for segment in self._segments:
                    if segment.position < byte_range[0] < segment.end:
                        segment.end = byte_range[0]
            self._start_segment(part, hasher, byte_range)

    def _start_segment(self, part: PartFile, hasher: IncrementalHasher, byte_range: tuple[int, int]) -> None:
        identity, (first, end) = part.identity, byte_range
        is_part = identity is not None and (first > 0 or end != identity.size_bytes)
        request = Request(
            address=self._address,
            first_byte=first,
            end_byte=end if is_part and end != UNKNOWN_END else None,
            validator=None if identity is None else strong_etag(identity.etag),
        )
        segment = Segment(byte_range, part=part, hasher=hasher, cancel_token=self._cancel_token)
        self._segments.append(segment)
        segment.start(
            self._transport,
            request,
            lambda segment, response: self._accept(segment, response, part),
            self._ended.put,
        )

    def _accept(self, segment: Segment, response: Response, part: PartFile) -> Body:
        """Check the head of a response: its version, and whether it continues at the segment's position."""
        if response.status == 416:
            return self._accept_unsatisfied(segment, response, part)
        hub, has_token = self._transport.hub, self._transport.token is not None
        asked = hub_request_for(self._file, hub.url.rstrip("/"), has_token=has_token)
        raise_for_status(response.status, response.headers, asked, is_hub=response.is_hub, now=time.time())
        body = describe_body(
            response.status, response.headers, first_byte=segment.position, is_chunked=response.is_chunked
        )
        with self._lock:
            if part.identity is None:
                self._start_version(segment, body, part)
                return body
            self._check_same(part.identity, body)
            if body.first_byte != segment.position:
                self._supports_ranges = False
                raise RangeIgnoredError
            if part.identity.size_bytes is None and body.total_bytes is not None:
                part.set_size(body.total_bytes)
                segment.end = body.total_bytes
        return body

    def _accept_unsatisfied(self, segment: Segment, response: Response, part: PartFile) -> Body:
        """Check a 416 response: the stored bytes are the whole file, or more than the server has now."""
        total, identity = unsatisfied_total(response.headers), part.identity
        if identity is None or identity.size_bytes is not None or total != segment.position:
            raise FileChangedError(f"the file on the server has {total} bytes now")
        segment.end = segment.position
        return Body(
            first_byte=segment.position, length_bytes=0, total_bytes=total, etag=identity.etag, is_part=True
        )

    def _check_same(self, identity: Identity, body: Body) -> None:
        has_other_size = None not in {identity.size_bytes, body.total_bytes} and (
            identity.size_bytes != body.total_bytes
        )
        has_other_etag = None not in {identity.etag, body.etag} and identity.etag != body.etag
        if has_other_size or has_other_etag:
            raise FileChangedError("the server's version differs from the stored one")

    def _start_version(self, segment: Segment, body: Body, part: PartFile) -> None:
        size = self._file.size_bytes
        if None not in {size, body.total_bytes} and size != body.total_bytes:
            raise WrongSizeError
        total = body.total_bytes if size is None else size
        if total is not None:
            self._check_space(total)
        # The commit alone identifies the version of a repository's file.
        validator = body.validator if self._file.url is not None else None
        part.begin(Identity(key=part.key, size_bytes=total, etag=body.etag, validator=validator))
        segment.position, segment.end = 0, UNKNOWN_END if total is None else total

    def _on_segment_end(
        self, segment: Segment, part: PartFile, policy: ConnectionPolicy, retries: Retries
    ) -> float:
        """Handle the end of a segment; return the seconds until another is started. Raises what ends the download."""
        self._segments.remove(segment)
        segment.join()
        error, received_bytes = segment.error, part.received.size_bytes
        if error is None:
            if part.identity is not None and part.identity.size_bytes is None:
                part.set_size(received_bytes)
            return 0.0
        if not isinstance(error, (TransientError, RetryAfterError, RangeIgnoredError)):
            raise error
        if self._segments and not segment.received_bytes:
            self._drop_connection(segment, policy, error)
            return 0.0
        if isinstance(error, RangeIgnoredError):
            raise FileChangedError(str(error)) from error
        pause_s = self._pause_s(retries, error, received_bytes)
        if part.identity is not None and not self._can_resume(part.identity):
            self._cancel_token.sleep(pause_s)
            raise FileChangedError("the server does not support resuming", is_counted=True) from error
        return pause_s

    def _drop_connection(self, segment: Segment, policy: ConnectionPolicy, error: Exception) -> None:
        """Continue without a connection that the server refused; the segment before takes over its range."""
        with self._lock:
            for other in self._segments:
                if other.end == segment.position:
                    other.end = segment.end
        _log.info("%s: no additional connection, because %s", self._file.name, error)
        if isinstance(error, RangeIgnoredError):
            policy.limit_to(1)
        else:
            policy.back_off(time.monotonic(), len(self._segments))

    def _pause_s(self, retries: Retries, error: Exception, received_bytes: int) -> float:
        """Return the pause before the next attempt. Raises the final error after the last attempt."""
        if isinstance(error, RetryAfterError):
            pause_s = retries.record_retry_after(error.wait_s, received_bytes, random.random())  # noqa: S311 - not a secret
        else:
            pause_s = retries.record_failure(received_bytes, random.random())  # noqa: S311 - not a secret
        if pause_s is None:
            raise self._final_error(error, received_bytes) from error
        _log.info("%s: %s; retrying in %.1f s", self._file.name, error, pause_s)
        return pause_s

    def _final_error(self, error: Exception, received_bytes: int) -> GglibError:
        host = self._address.origin.authority
        hint = "the same command resumes the download" if received_bytes else "try again later"
        if isinstance(error, RetryAfterError):
            return HubBusyError(f"{host} accepts requests again in {error.wait_s:.0f} s: {hint}.")
        return HubUnreachableError(
            f"{self._file.name} cannot be downloaded from {host} now, because {error}: {hint}."
        )

    def _check_remaining_space(self, part: PartFile) -> None:
        if (size := self._size(part)) is not None and size > part.received.size_bytes:
            self._check_space(size - part.received.size_bytes)

    def _check_space(self, missing_bytes: int) -> None:
        spare_bytes = self._limits.spare_bytes
        check_space(self._target, missing_bytes, name=self._file.name, spare_bytes=spare_bytes)

    def _can_resume(self, identity: Identity) -> bool:
        """Whether a range request is safe: two versions cannot be spliced without being noticed."""
        return (
            strong_etag(identity.etag) is not None
            or self._file.sha256 is not None
            or self._file.repo is not None
        )

    def _size(self, part: PartFile) -> int | None:
        return self._file.size_bytes if part.identity is None else part.identity.size_bytes

    def _file_end(self) -> int:
        return UNKNOWN_END if self._file.size_bytes is None else self._file.size_bytes

    def _next_ended(self) -> Segment | None:
        try:
            return self._ended.get(timeout=POLL_S)
        except queue.Empty:
            return None

    def _stop_segments(self) -> None:
        for segment in self._segments:
            segment.cancel_token.cancel()
        for segment in self._segments:
            segment.join()
        self._segments.clear()
        while not self._ended.empty():
            self._ended.get_nowait()
