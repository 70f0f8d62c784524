"""One download: lanes that bring pieces, a hash that follows them, and what is done when something fails.

Blocking; ``run`` is called in a thread. Only this thread starts and ends lanes and decides; lanes tell it of their end
through a queue. What the first answer says about the version is settled in the lane's thread, under the lock.
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
from gglib.hf.cancellation import Stop
from gglib.hf.download.connections import LaneLimits, LanePolicy, next_piece
from gglib.hf.download.hashing import Follower
from gglib.hf.download.manifest import MOST_SPANS, Identity
from gglib.hf.download.part_file import Part
from gglib.hf.download.retries import Retries, RetryLimits
from gglib.hf.download.segment import UNKNOWN_END, Lane, WrongSizeError
from gglib.hf.download.storage import check_space
from gglib.hf.transport.headers import Request
from gglib.hf.transport.responses import (
    Body,
    ChangedError,
    LostError,
    PatienceError,
    asked_for,
    raise_for,
    read_body,
    strong,
    unsatisfied_total,
)
from gglib.hf.transport.transport import Reply, Transport
from gglib.hf.transport.urls import Address
from gglib.system.files.sizes import SPARE_BYTES

TICK_S = 0.1
"""How often progress is told, and how soon a stop is heard."""
SYNC_BYTES = 64 * 1024 * 1024
"""A power cut costs no more than this."""

_log = logging.getLogger(__name__)


class NoPartsError(Exception):
    """The server sends the whole file, whatever part is asked for."""

    def __str__(self) -> str:
        return "the server does not send parts of the file"


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """What a download goes by; tests are less patient."""

    retries: RetryLimits = field(default_factory=RetryLimits)
    lanes: LaneLimits = field(default_factory=LaneLimits)
    spare_bytes: int = SPARE_BYTES


class Download:
    """Brings one file into a part and gives it its name."""

    def __init__(  # noqa: PLR0913 - from where, whereto, how, and who hears of it
        self,
        file: RemoteFile,
        target: Path,
        *,
        address: Address,
        transport: Transport,
        limits: DownloadLimits,
        stop: Stop,
        progress: OnFetchProgress,
    ) -> None:
        self._file = file
        self._target = target
        self._address = address
        self._transport = transport
        self._limits = limits
        self._stop = stop
        self._progress = progress
        self._lock = threading.Lock()
        self._ended: queue.SimpleQueue[Lane] = queue.SimpleQueue()
        self._lanes: list[Lane] = []
        self._has_parts = True
        """Until the server has sent the whole file instead of one."""

    def run(self, part: Part) -> FetchedFile:
        """Return the file, whole, verified and named. Raises ``HubError``, ``OSError``, ``StoppedError``."""
        for _ in range(2):
            try:
                size, sha256 = self._bring(part)
            except WrongSizeError:
                reason = "its size"
            else:
                if self._file.sha256 in {None, sha256}:
                    self._progress(size, size)
                    validator = None if part.identity is None else part.identity.validator
                    part.publish()
                    return FetchedFile(size_bytes=size, sha256=sha256, validator=validator)
                reason = "its hash"
            _log.warning("%s is not what was promised (%s): it is thrown away", self._file.name, reason)
            part.discard()
        raise DownloadCorruptError(
            f"{self._file.name} came twice from {self._address.origin.authority} and was not what is promised there "
            f"({reason} is another): nothing of it is kept. Try again later, or tell its publisher."
        )

    def _bring(self, part: Part) -> tuple[int, str]:
        """Return the size and the hash of the file, all of which is here then."""
        retries = Retries(self._limits.retries)
        while True:
            try:
                return self._bring_version(part, retries)
            except ChangedError as error:
                _log.info("%s: %s; it is begun again", self._file.name, error)
                here = part.here.size_bytes
                part.discard()
                if not error.is_counted:
                    self._stop.pause(self._pause_s(retries, LostError(str(error)), here))

    def _bring_version(self, part: Part, retries: Retries) -> tuple[int, str]:
        identity = part.identity
        is_whole = identity is not None and identity.size_bytes == part.here.size_bytes
        if identity is not None and not is_whole and not self._can_go_on(identity):
            part.discard()
        with Follower(part, self._stop) as follower:
            try:
                self._bring_bytes(part, follower, retries)
            finally:
                self._end_lanes()
            size = part.here.size_bytes
            self._progress(size, size)
            part.sync()  # while the rest is hashed
            return size, follower.finish(size)

    def _bring_bytes(self, part: Part, follower: Follower, retries: Retries) -> None:
        policy, not_before = LanePolicy(self._limits.lanes), 0.0
        self._check_room(part)
        while True:
            size = self._size(part)
            missing = None if size is None else size - part.here.size_bytes
            if not self._lanes and missing == 0 and part.identity is not None:
                return
            now = time.monotonic()
            lanes = policy.look(now, part.here.size_bytes, missing or 0)
            if now >= not_before:
                self._start_lanes(part, follower, lanes)
            if (lane := self._next_ended()) is not None:
                not_before = time.monotonic() + self._settle(lane, part, policy, retries)
            self._stop.check()
            self._progress(part.here.size_bytes, size)
            if part.undurable_bytes >= SYNC_BYTES:
                part.sync()
                if size is None:  # nobody said how much there will be: look again before each next piece
                    self._check_space(SYNC_BYTES)

    def _start_lanes(self, part: Part, follower: Follower, wanted: int) -> None:
        identity = part.identity
        if identity is None or not self._can_go_on(identity) or (size := self._size(part)) is None:
            if not self._lanes:
                first = 0 if identity is None else part.here.prefix_bytes
                self._start_lane(part, follower, (first, self._file_end()))
            return
        while len(self._lanes) < wanted:
            with self._lock:
                taken = tuple((lane.at, lane.end) for lane in self._lanes)
                least = self._limits.lanes.least_share_bytes
                if len(part.here) + len(taken) >= MOST_SPANS:
                    least = UNKNOWN_END  # one more piece might not fit in the note
                piece = next_piece(part.here.gaps(size), taken, least)
                if piece is None:
                    return
                for lane in self._lanes:
                    if lane.at < piece[0] < lane.end:
                        lane.end = piece[0]
            self._start_lane(part, follower, piece)

    def _start_lane(self, part: Part, follower: Follower, piece: tuple[int, int]) -> None:
        identity, (first, end) = part.identity, piece
        is_part = identity is not None and (first > 0 or end != identity.size_bytes)
        request = Request(
            address=self._address,
            first_byte=first,
            end_byte=end if is_part and end != UNKNOWN_END else None,
            validator=None if identity is None else strong(identity.etag),
        )
        lane = Lane(piece, part=part, follower=follower, stop=self._stop)
        self._lanes.append(lane)
        lane.start(
            self._transport, request, lambda lane, reply: self._accept(lane, reply, part), self._ended.put
        )

    def _accept(self, lane: Lane, reply: Reply, part: Part) -> Body:
        """Judge an answer's head: which version it is of, and whether it goes on where the lane is."""
        if reply.status == 416:
            return self._accept_end(lane, reply, part)
        hub, has_token = self._transport.hub, self._transport.token is not None
        asked = asked_for(self._file, hub.url.rstrip("/"), has_token=has_token)
        raise_for(reply.status, reply.headers, asked, is_hub=reply.is_hub, now=time.time())
        body = read_body(reply.status, reply.headers, first_byte=lane.at, is_chunked=reply.is_chunked)
        with self._lock:
            if part.identity is None:
                self._begin(lane, body, part)
                return body
            self._check_same(part.identity, body)
            if body.first_byte != lane.at:
                self._has_parts = False
                raise NoPartsError
            if part.identity.size_bytes is None and body.total_bytes is not None:
                part.know_size(body.total_bytes)
                lane.end = body.total_bytes
        return body

    def _accept_end(self, lane: Lane, reply: Reply, part: Part) -> Body:
        """Judge an answer 416: what is here is all there is, or more than there is now."""
        total, identity = unsatisfied_total(reply.headers), part.identity
        if identity is None or identity.size_bytes is not None or total != lane.at:
            raise ChangedError(f"the server has {total} bytes of it now")
        lane.end = lane.at
        return Body(first_byte=lane.at, length_bytes=0, total_bytes=total, etag=identity.etag, is_part=True)

    def _check_same(self, identity: Identity, body: Body) -> None:
        has_other_size = None not in {identity.size_bytes, body.total_bytes} and (
            identity.size_bytes != body.total_bytes
        )
        has_other_etag = None not in {identity.etag, body.etag} and identity.etag != body.etag
        if has_other_size or has_other_etag:
            raise ChangedError("the server has another version of it than what is here")

    def _begin(self, lane: Lane, body: Body, part: Part) -> None:
        size = self._file.size_bytes
        if None not in {size, body.total_bytes} and size != body.total_bytes:
            raise WrongSizeError
        total = body.total_bytes if size is None else size
        if total is not None:
            self._check_space(total)
        # A file of a repository is what its commit says: nothing else distinguishes its versions.
        validator = body.validator if self._file.url is not None else None
        part.begin(Identity(key=part.key, size_bytes=total, etag=body.etag, validator=validator))
        lane.at, lane.end = 0, UNKNOWN_END if total is None else total

    def _settle(self, lane: Lane, part: Part, policy: LanePolicy, retries: Retries) -> float:
        """Judge how a lane ended; return the seconds until further ones are started. Raises what ends the download."""
        self._lanes.remove(lane)
        lane.join()
        error, here = lane.failed, part.here.size_bytes
        if error is None:
            if part.identity is not None and part.identity.size_bytes is None:
                part.know_size(here)
            return 0.0
        if not isinstance(error, (LostError, PatienceError, NoPartsError)):
            raise error
        if self._lanes and not lane.came_bytes:
            self._give_back(lane, policy, error)
            return 0.0
        if isinstance(error, NoPartsError):
            raise ChangedError(str(error)) from error
        pause_s = self._pause_s(retries, error, here)
        if part.identity is not None and not self._can_go_on(part.identity):
            self._stop.pause(pause_s)
            raise ChangedError("its server does not let a download go on", is_counted=True) from error
        return pause_s

    def _give_back(self, lane: Lane, policy: LanePolicy, error: Exception) -> None:
        """Do without a connection that the server does not take beside the others; who had its piece before goes on."""
        with self._lock:
            for other in self._lanes:
                if other.end == lane.at:
                    other.end = lane.end
        _log.info("%s: no further connection, because %s", self._file.name, error)
        if isinstance(error, NoPartsError):
            policy.only(1)
        else:
            policy.refused(time.monotonic(), len(self._lanes))

    def _pause_s(self, retries: Retries, error: Exception, here_bytes: int) -> float:
        """Return how long to wait before the next try. Raises what says that there will be none."""
        if isinstance(error, PatienceError):
            pause_s = retries.told_to_wait(error.wait_s, here_bytes, random.random())  # noqa: S311 - not a secret
        else:
            pause_s = retries.lost(here_bytes, random.random())  # noqa: S311 - not a secret
        if pause_s is None:
            raise self._given_up(error, here_bytes) from error
        _log.info("%s: %s; trying again in %.1f s", self._file.name, error, pause_s)
        return pause_s

    def _given_up(self, error: Exception, here_bytes: int) -> GglibError:
        who = self._address.origin.authority
        kept = (
            "what came is kept, and the same command goes on from there" if here_bytes else "try again later"
        )
        if isinstance(error, PatienceError):
            return HubBusyError(f"{who} asks to be left alone for {error.wait_s:.0f} s: {kept}.")
        return HubUnreachableError(
            f"{self._file.name} cannot be fetched from {who} now, because {error}: {kept}."
        )

    def _check_room(self, part: Part) -> None:
        if (size := self._size(part)) is not None and size > part.here.size_bytes:
            self._check_space(size - part.here.size_bytes)

    def _check_space(self, missing_bytes: int) -> None:
        spare_bytes = self._limits.spare_bytes
        check_space(self._target, missing_bytes, name=self._file.name, spare_bytes=spare_bytes)

    def _can_go_on(self, identity: Identity) -> bool:
        """Whether a part can be asked for without fear of splicing two versions unnoticed."""
        return (
            strong(identity.etag) is not None or self._file.sha256 is not None or self._file.repo is not None
        )

    def _size(self, part: Part) -> int | None:
        return self._file.size_bytes if part.identity is None else part.identity.size_bytes

    def _file_end(self) -> int:
        return UNKNOWN_END if self._file.size_bytes is None else self._file.size_bytes

    def _next_ended(self) -> Lane | None:
        try:
            return self._ended.get(timeout=TICK_S)
        except queue.Empty:
            return None

    def _end_lanes(self) -> None:
        for lane in self._lanes:
            lane.stop.set()
        for lane in self._lanes:
            lane.join()
        self._lanes.clear()
        while not self._ended.empty():
            self._ended.get_nowait()
