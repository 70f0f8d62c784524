"""What can go wrong, in the domain's own terms.

One base, whose message is one sentence for a person. Each leaf says whose fault it is (``source``), whether the
same request may succeed later (``is_retryable``), and a stable ``code`` for programs. The border that shows an
error (HTTP, command line) maps the classes once; nobody else looks inside.
"""

import math
from enum import Enum
from pathlib import Path

from gglib.core.runtime.load_progress import LoadProgress
from gglib.core.shell_quoting import quoted_command


class ErrorSource(Enum):
    """Who has to change something for the error to go away."""

    CLIENT = "client"
    OPERATOR = "operator"
    ENGINE = "engine"
    GGLIB = "gglib"


class GglibError(Exception):
    """Base of every error that gglib raises on purpose; its text is fit to be shown.

    ``code`` identifies the error to programs (``docs/api.md``), ``source`` is the party that has to act, and
    ``is_retryable`` says whether the same request may succeed later.
    """

    code: str = "internal_error"
    source: ErrorSource = ErrorSource.GGLIB
    is_retryable: bool = False


class CatalogError(GglibError):
    """The catalogue itself failed: it cannot be opened, read or written.

    The message names its file without a directory, because clients of the proxy may see it; ``path`` is where it is.
    """

    code = "catalog_error"
    source = ErrorSource.OPERATOR

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        self.path = path
        super().__init__(message)

    def with_full_path(self) -> str:
        """Return the message with the whole path, for the user of this machine."""
        text = str(self)
        return text if self.path is None else text.replace(self.path.name, str(self.path), 1)


class ModelExistsError(CatalogError):
    """A model with this name, alias or file is in the catalogue already."""

    code = "model_exists"
    source = ErrorSource.CLIENT


class InvalidGgufError(GglibError):
    """The file is not a GGUF file that can be used; the message says why, without its path."""

    code = "invalid_gguf"
    source = ErrorSource.OPERATOR


class UnreadableFileError(InvalidGgufError):
    """The system does not let the file be read now, which says nothing of what is in it."""


class InvalidSettingError(GglibError):
    """A setting of gglib or of a model has a value that it cannot take."""

    code = "invalid_setting"
    source = ErrorSource.OPERATOR


class ModelRuntimeError(GglibError):
    """Base of what a runtime raises when it cannot provide a model; embedders may raise it, or a subclass."""

    code = "model_runtime_error"
    source = ErrorSource.ENGINE


class EngineArgumentError(InvalidSettingError, ModelRuntimeError):
    """An engine argument of a model is one that the engine in use does not take, so the model cannot be launched."""


class ModelNotFoundError(ModelRuntimeError):
    """No model has this name.

    ``candidates`` are the names that come near, best first. Where none is near, ``others`` are a few of the names in
    the catalogue, of ``total`` models; ``total`` is None where the caller does not know the catalogue.
    """

    code = "model_not_found"
    source = ErrorSource.CLIENT

    def __init__(
        self,
        name: str,
        candidates: tuple[str, ...] = (),
        *,
        is_ambiguous: bool = False,
        others: tuple[str, ...] = (),
        total: int | None = None,
    ) -> None:
        self.name = name
        self.candidates = candidates
        self.is_ambiguous = is_ambiguous
        self.others = others
        if is_ambiguous:
            text = f"Model '{name}' is ambiguous: use one of {', '.join(candidates)}."
        elif candidates:
            text = f"Model '{name}' is not in the catalogue. Did you mean {' or '.join(candidates)}?"
        elif total == 0:
            text = (
                f"Model '{name}' is not in the catalogue, which is empty: "
                "add a model with 'gglib pull OWNER/REPOSITORY' or 'gglib add FILE'."
            )
        elif others:
            text = (
                f"Model '{name}' is not in the catalogue. It has {_name_list(others, total or len(others))}."
            )
        else:
            text = f"Model '{name}' is not in the catalogue."
        super().__init__(text)


def _name_list(names: tuple[str, ...], total: int) -> str:
    rest = total - len(names)
    return ", ".join(names) + (f" and {rest} more ('gglib list')" if rest > 0 else "")


class ModelFileNotFoundError(ModelRuntimeError):
    """The catalogue has the model, but a file of it is gone. The message names no path.

    ``file_name`` is the name of a shard or projector that is missing; None for the model's only or first file.
    ``is_own`` says that gglib wrote it, and may know where it came from.
    """

    code = "model_file_not_found"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, file_name: str | None = None, *, is_own: bool = False) -> None:
        self.model_name = model_name
        self.file_name = file_name
        what = "The file" if file_name is None else f"The file {file_name!r}"
        how = "no longer where it was added from: put it back"
        if is_own:
            how = f"gone: {quoted_command('verify', model_name)} says what brings it back"
        super().__init__(
            f"{what} of model '{model_name}' is {how}, "
            f"or, if it is gone for good, {quoted_command('rm', model_name)} forgets the model."
        )


class EngineNotFoundError(ModelRuntimeError):
    """No engine can be used on this machine."""

    code = "engine_not_found"
    source = ErrorSource.OPERATOR


class EngineBrokenError(EngineNotFoundError):
    """The engine's program is there but cannot serve; ``why`` is a clause, and the message names its path."""

    code = "engine_broken"

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"The engine {path} cannot be used: {why}; reinstall llama.cpp, or use the engine that comes with "
            "gglib: 'gglib serve --engine embedded'."
        )


class ModelLoadFailedError(ModelRuntimeError):
    """The engine could not load the model.

    ``reason`` is the engine's own sentence; ``log_tail`` its last lines. What clients get has file names for paths.
    """

    code = "model_load_failed"
    source = ErrorSource.ENGINE

    def __init__(
        self,
        model_name: str,
        reason: str,
        log_tail: tuple[str, ...] = (),
        *,
        retry_after_s: float | None = None,
    ) -> None:
        self.model_name = model_name
        self.reason = reason
        self.log_tail = log_tail
        self.retry_after_s = retry_after_s
        super().__init__(f"Model '{model_name}' could not be loaded: {reason}")

    def with_retry_after(self, retry_after_s: float) -> "ModelLoadFailedError":
        """Return the same error for somebody who asks while the model is not tried again, in seconds."""
        return ModelLoadFailedError(self.model_name, self.reason, self.log_tail, retry_after_s=retry_after_s)


class EngineCrashLoopError(ModelLoadFailedError):
    """The model loads, but its engine died ``deaths`` times within ``within_s`` seconds, last of ``reason``."""

    is_retryable = True

    def __init__(
        self,
        model_name: str,
        deaths: int,
        within_s: float,
        reason: str,
        *,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(model_name, reason, retry_after_s=retry_after_s)
        self.deaths = deaths
        self.within_s = within_s
        died = f"its engine died {deaths} times within {within_s:.0f} s, the last time: {reason}"
        self.args = (f"Model '{model_name}' is not loaded again at once: {died}",)

    def with_retry_after(self, retry_after_s: float) -> "EngineCrashLoopError":
        """Return the same error for somebody who asks while the model is not tried again, in seconds."""
        return EngineCrashLoopError(
            self.model_name, self.deaths, self.within_s, self.reason, retry_after_s=retry_after_s
        )


class ModelStoppedError(ModelRuntimeError):
    """The user stopped the model while it was loading, or while it answered for longer than a stop waits."""

    code = "model_stopped"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, *, was_loading: bool = True) -> None:
        self.model_name = model_name
        doing = "it was loading" if was_loading else "it was answering"
        super().__init__(f"Model '{model_name}' was stopped while {doing}.")


class ModelLoadingError(ModelRuntimeError):
    """The model is not ready yet and the caller's wait is over; the load goes on."""

    code = "model_loading"
    source = ErrorSource.GGLIB
    is_retryable = True

    def __init__(self, model_name: str, retry_after_s: float, progress: LoadProgress | None = None) -> None:
        self.model_name = model_name
        self.retry_after_s = retry_after_s
        self.progress = progress
        super().__init__(
            f"Model '{model_name}' is still loading; try again in {max(1, math.ceil(retry_after_s))} s."
        )


class QueueFullError(ModelRuntimeError):
    """Too many requests wait already."""

    code = "queue_full"
    is_retryable = True

    def __init__(self, waiting: int, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"{waiting} requests are already queued; try again in {max(1, round(retry_after_s))} s."
        )


class UpstreamError(ModelRuntimeError):
    """The engine cannot be reached, or it left before the first byte of its answer."""

    code = "upstream_error"
    source = ErrorSource.ENGINE
    is_retryable = True


class EngineDiedError(UpstreamError):
    """The engine died while it answered. ``reason`` says why, ``log_tail`` is what it printed last.

    ``was_alone`` says that this request was the only one in flight: it may well be the cause, and to send it again
    unchanged would end the next engine, too.
    """

    def __init__(
        self, model_name: str, reason: str, log_tail: tuple[str, ...] = (), *, was_alone: bool
    ) -> None:
        self.model_name = model_name
        self.reason = reason
        self.log_tail = log_tail
        self.was_alone = was_alone
        self.is_retryable = not was_alone
        advice = "; it was the only request in flight: change it before retrying" if was_alone else ""
        super().__init__(f"The engine of model '{model_name}' died: {reason}{advice}")


class EngineUnreachableError(UpstreamError):
    """The engine takes no connection: not a byte of the request was sent, so it may be sent again."""


class UpstreamStalledError(UpstreamError):
    """The engine took the request and fell silent, before the first byte of its answer or in the middle of it."""

    code = "upstream_timeout"


class ShuttingDownError(ModelRuntimeError):
    """gglib is stopping and takes no more requests."""

    code = "shutting_down"
    is_retryable = True

    def __init__(self, message: str = "gglib is shutting down.") -> None:
        super().__init__(message)


class AlreadyRunningError(GglibError):
    """Another gglib uses the same home, or the proxy was started twice."""

    code = "already_running"
    source = ErrorSource.OPERATOR


class HubError(GglibError):
    """What was asked of a model hub, or of a download, could not be done."""

    code = "hub_error"
    source = ErrorSource.OPERATOR


class HubUnreachableError(HubError):
    """The network, or the hub, is not there, or fails in the middle again and again; what came so far is kept."""

    code = "hub_unreachable"
    is_retryable = True


class HubBusyError(HubError):
    """The hub asks for patience (429) for longer than gglib waits by itself."""

    code = "hub_busy"
    is_retryable = True


class RepositoryNotFoundError(HubError):
    """The hub has no such repository, revision or file, or hides it from who asks."""

    code = "repository_not_found"
    source = ErrorSource.CLIENT


class GatedRepositoryError(HubError):
    """The hub has it, and wants terms accepted or a token shown first; the message says where."""

    code = "repository_gated"
    source = ErrorSource.CLIENT


class UnsafeNameError(HubError):
    """A name of a file from the network that must not become one on this machine."""

    code = "unsafe_name"


class VariantChoiceError(HubError):
    """The repository does not have what was asked of it, or leaves a choice; the message lists what there is."""

    code = "no_such_choice"
    source = ErrorSource.CLIENT


class DiskFullError(HubError):
    """There is not, or no longer, room for the file; what came so far is kept."""

    code = "disk_full"


class StorageError(HubError):
    """The place where files go cannot be written: read-only, forbidden, broken."""

    code = "storage_failed"


class DownloadCorruptError(HubError):
    """What arrived is not what the hub promised, twice over; nothing of it is kept."""

    code = "download_corrupt"


class DownloadInProgressError(HubError):
    """Another gglib fetches the same file to the same place now."""

    code = "being_fetched"
    is_retryable = True


class DownloadNotFoundError(GglibError):
    """No download has this id, or it has been over for too long to be remembered."""

    code = "download_not_found"
    source = ErrorSource.CLIENT

    def __init__(self, download_id: str) -> None:
        self.download_id = download_id
        super().__init__(f"Download '{download_id}' does not exist, or ended too long ago.")
