"""The exceptions of gglib.

All derive from one base class, whose message is one sentence for the user. Each class states the party at fault
(``source``), whether the same request may succeed later (``is_retryable``), and a stable ``code`` for programs. Only
the HTTP server and the command line map the classes to a presentation.
"""

import math
from enum import Enum
from pathlib import Path

from gglib.core.memory import DeviceBytes, describe_device_bytes, exceeded_devices
from gglib.core.runtime.load_progress import LoadProgress
from gglib.core.shell_quoting import quoted_command
from gglib.core.sizes import format_size


class ErrorSource(Enum):
    """The party that has to act to resolve the error."""

    CLIENT = "client"
    OPERATOR = "operator"
    ENGINE = "engine"
    GGLIB = "gglib"


class GglibError(Exception):
    """Base of every error that gglib raises deliberately; its message is written for users.

    ``code`` identifies the error for programs (``docs/api.md``), ``source`` is the party that has to act, and
    ``is_retryable`` says whether the same request may succeed later.
    """

    code: str = "internal_error"
    source: ErrorSource = ErrorSource.GGLIB
    is_retryable: bool = False


class CatalogError(GglibError):
    """The catalogue cannot be opened, read or written.

    The message contains the file name without its directory, because clients of the proxy may see it; ``path`` is the
    full path.
    """

    code = "catalog_error"
    source = ErrorSource.OPERATOR

    def __init__(self, message: str, *, path: Path | None = None) -> None:
        self.path = path
        super().__init__(message)

    def with_full_path(self) -> str:
        """Return the message with the full path, for the user of this machine."""
        text = str(self)
        return text if self.path is None else text.replace(self.path.name, str(self.path), 1)


class HistoryError(GglibError):
    """The request history cannot be opened or read."""

    code = "history_error"
    source = ErrorSource.OPERATOR


class RequestNotFoundError(GglibError):
    """No request in progress and no stored one has this number or id."""

    code = "request_not_found"
    source = ErrorSource.CLIENT

    def __init__(self, request: str) -> None:
        super().__init__(f"There is no request '{request}': 'gglib requests' lists them.")


class LogNotFoundError(GglibError):
    """No log has this name, or it does not exist yet."""

    code = "log_not_found"
    source = ErrorSource.CLIENT

    def __init__(self, name: str) -> None:
        super().__init__(f"There is no log '{name}': GET /gglib/logs lists the logs.")


class LogUnreadableError(GglibError):
    """The system refused to read a log; ``reason`` is a phrase."""

    code = "log_unreadable"
    source = ErrorSource.OPERATOR

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            f"The log '{name}' cannot be read ({reason}): make it a regular file that this user can read."
        )


class RequestCancelledError(GglibError):
    """An administrator cancelled the request while it was in progress."""

    code = "request_cancelled"
    source = ErrorSource.OPERATOR

    def __init__(self) -> None:
        super().__init__("The request was cancelled on the server.")


class ModelExistsError(CatalogError):
    """A model with this name, alias or file is already in the catalogue."""

    code = "model_exists"
    source = ErrorSource.CLIENT


class InvalidGgufError(GglibError):
    """The file is not a usable GGUF file; the message states the reason, without the path."""

    code = "invalid_gguf"
    source = ErrorSource.OPERATOR


class UnreadableFileError(InvalidGgufError):
    """The system refuses to read the file; its content is unknown."""


class InvalidSettingError(GglibError):
    """A setting of gglib or of a model has an invalid value."""

    code = "invalid_setting"
    source = ErrorSource.OPERATOR


class ModelRuntimeError(GglibError):
    """Base of the errors of a runtime that cannot provide a model; embedders may raise it or a subclass."""

    code = "model_runtime_error"
    source = ErrorSource.ENGINE


class EngineArgumentError(InvalidSettingError, ModelRuntimeError):
    """The engine in use does not support an engine argument of the model, so the model cannot be launched."""

    def redacted(self) -> "EngineArgumentError":
        """Return the error without the argument, for clients that may not see the engine arguments."""
        return EngineArgumentError(
            "The model cannot be loaded because of its engine arguments: 'gglib doctor' on the server's machine "
            "shows the reason."
        )


class ModelNotFoundError(ModelRuntimeError):
    """No model has this name.

    ``candidates`` are similar names, best first. If there are none, ``others`` are a few of the names in the catalogue,
    of ``total`` models; ``total`` is None if the caller does not know the catalogue. ``is_limited``: the names and the
    total are of the models that an API key may use.
    """

    code = "model_not_found"
    source = ErrorSource.CLIENT

    def __init__(  # noqa: PLR0913 - what the message says
        self,
        name: str,
        candidates: tuple[str, ...] = (),
        *,
        is_ambiguous: bool = False,
        others: tuple[str, ...] = (),
        total: int | None = None,
        is_limited: bool = False,
    ) -> None:
        self.name = name
        self.candidates = candidates
        self.is_ambiguous = is_ambiguous
        self.others = others
        self.total = total
        if is_ambiguous:
            shown, rest = candidates[:_MAX_CANDIDATES], len(candidates) - _MAX_CANDIDATES
            more = f" and {rest} more{_MORE}" if rest > 0 else ""
            text = f"Model '{name}' is ambiguous: use one of {', '.join(shown)}{more}."
        elif candidates:
            text = f"{_missing(name, is_limited=is_limited)}. Did you mean {' or '.join(candidates)}?"
        else:
            text = _without_candidates(name, others, total, is_limited=is_limited)
        super().__init__(text)

    def limited(self) -> "ModelNotFoundError":
        """Return the error for an API key with some models, whose names are those of this error."""
        return ModelNotFoundError(
            self.name,
            self.candidates,
            is_ambiguous=self.is_ambiguous,
            others=self.others,
            total=self.total,
            is_limited=True,
        )


class ProfileNotFoundError(ModelNotFoundError):
    """The profile does not exist. ``profiles`` are the names of those that do.

    ``model_name`` is its model; None: a profile of all models.
    """

    code = "profile_not_found"

    def __init__(
        self, name: str, model_name: str | None, profile_name: str, profiles: tuple[str, ...]
    ) -> None:
        super().__init__(name)
        self.model_name = model_name
        self.profiles = profiles
        known = f"It has {', '.join(profiles)}" if profiles else "It has none"
        what = f"Model '{model_name}' has no profile '{profile_name}'. {known}."
        if model_name is None:
            others = "'gglib profile list' shows those of single models"
            what = f"There is no profile '{profile_name}' of all models: {others}."
        self.args = (what,)

    def limited(self) -> "ModelNotFoundError":
        """Return the same error: a key that may use the model may know its profiles."""
        return self


_MAX_CANDIDATES = 10
"""Number of names in a message: short enough for a sentence."""
_MORE = " ('gglib list')"


def _missing(name: str, *, is_limited: bool) -> str:
    place = "among the models that this API key may use" if is_limited else "in the catalogue"
    return f"Model '{name}' is not {place}"


def _without_candidates(name: str, others: tuple[str, ...], total: int | None, *, is_limited: bool) -> str:
    """Return the message of ``ModelNotFoundError`` without similar names."""
    missing = _missing(name, is_limited=is_limited)
    if total == 0 and is_limited:
        return (
            f"{missing}, which are none: change 'models' of the key in config.toml on the server's machine."
        )
    if total == 0:
        return (
            f"{missing}, which is empty: add a model with 'gglib pull OWNER/REPOSITORY' or 'gglib add FILE'."
        )
    if not others:
        return f"{missing}."
    rest = (total or len(others)) - len(others)
    shown = ", ".join(others) + (f" and {rest} more" if rest > 0 else "")
    if is_limited:
        return f"{missing}: {shown}."
    return f"{missing}. It has {shown}{_MORE if rest > 0 else ''}."


class ModelFileNotFoundError(ModelRuntimeError):
    """The catalogue has the model, but one of its files is missing. The message contains no path.

    ``file_name`` is the name of the missing shard or projector; None for the model's only or first file. ``is_own``:
    gglib wrote the file and may know its source.
    """

    code = "model_file_not_found"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, file_name: str | None = None, *, is_own: bool = False) -> None:
        self.model_name = model_name
        self.file_name = file_name
        what = "The file" if file_name is None else f"The file {file_name!r}"
        how = "restore it"
        if is_own:
            how = f"{quoted_command('verify', model_name)} shows how to restore it"
        super().__init__(
            f"{what} of model '{model_name}' is missing: {how}, "
            f"or remove the model with {quoted_command('rm', model_name)}."
        )


class EngineNotFoundError(ModelRuntimeError):
    """No usable engine was found on this machine."""

    code = "engine_not_found"
    source = ErrorSource.OPERATOR


class EngineBrokenError(EngineNotFoundError):
    """The engine's program exists but cannot serve; ``why`` is a clause, and the message contains the path."""

    code = "engine_broken"

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"The engine {path} cannot be used: {why}; reinstall llama.cpp, or use the engine that comes with "
            "gglib: 'gglib serve --engine embedded'."
        )

    def redacted(self) -> "EngineBrokenError":
        """Return the error with a message without path and reason, for clients that may not see them."""
        error = EngineBrokenError(self.path, self.why)
        error.args = (
            "The engine of this server cannot be used: 'gglib doctor' on the server's machine shows the reason.",
        )
        return error


class ModelLoadFailedError(ModelRuntimeError):
    """The engine could not load the model.

    ``reason`` is the engine's own message, ``log_tail`` its last log lines. In both, file names replace paths before
    they are sent to clients.
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
        """Return the same error for a request during the back-off, which lasts ``retry_after_s`` seconds more."""
        return type(self)(self.model_name, self.reason, self.log_tail, retry_after_s=retry_after_s)

    def without_log(self) -> "ModelLoadFailedError":
        """Return the same error without log lines, for clients that may not read logs."""
        if not self.log_tail:
            return self
        return type(self)(self.model_name, self.reason, retry_after_s=self.retry_after_s)


class ModelOutOfMemoryError(ModelLoadFailedError):
    """The engine ran out of memory during the load; ``reason`` begins with "out of memory"."""

    code = "model_out_of_memory"


class EngineCrashLoopError(ModelLoadFailedError):
    """The model loads, but its engine died ``deaths`` times within ``within_s`` seconds; ``reason`` is the last one."""

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
        """Return the same error for a request during the back-off, which lasts ``retry_after_s`` seconds more."""
        return EngineCrashLoopError(
            self.model_name, self.deaths, self.within_s, self.reason, retry_after_s=retry_after_s
        )


class ModelStoppedError(ModelRuntimeError):
    """The user stopped the model during its load, or during a response that took longer than the drain timeout."""

    code = "model_stopped"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, *, was_loading: bool = True) -> None:
        self.model_name = model_name
        doing = "it was loading" if was_loading else "it was answering"
        super().__init__(f"Model '{model_name}' was stopped while {doing}.")


class ModelLoadingError(ModelRuntimeError):
    """The caller's wait expired before the model was ready; the load continues."""

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


class ModelDownloadingError(ModelLoadingError):
    """The caller's wait expired before the model was downloaded to a node; the download continues."""

    code = "model_downloading"

    def __init__(
        self, model_name: str, retry_after_s: float, *, done_bytes: int = 0, total_bytes: int | None = None
    ) -> None:
        super().__init__(model_name, retry_after_s)
        share = f" ({format_size(done_bytes)} of {format_size(total_bytes)})" if total_bytes else ""
        self.args = (
            f"Model '{model_name}' is being downloaded{share}; try again in {max(1, math.ceil(retry_after_s))} s.",
        )


class ModelTooLargeError(ModelRuntimeError):
    """The model needs more memory than all models together may take, so no eviction makes room for it.

    ``advice`` is a sentence for clients: what would fit instead.
    """

    code = "model_too_large"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, needed: DeviceBytes, budget: DeviceBytes, advice: str = "") -> None:
        self.model_name = model_name
        self.needed = needed
        self.budget = budget
        self.advice = advice
        devices = exceeded_devices(needed, budget)
        super().__init__(
            f"Model '{model_name}' cannot be loaded: it needs {describe_device_bytes(needed, devices)}, and the "
            f"memory budget of all models is {describe_device_bytes(budget, devices)}. "
            f"{advice or 'Use a smaller context or another quantization.'}"
        )


class InsufficientMemoryError(ModelRuntimeError):
    """Other programs use the memory that the model needs.

    ``limits`` is what they leave to all models together, or, ``beside_pinned``, what the pinned models leave of that.
    """

    code = "insufficient_memory"
    source = ErrorSource.OPERATOR
    is_retryable = True

    def __init__(
        self,
        model_name: str,
        needed: DeviceBytes,
        limits: DeviceBytes,
        retry_after_s: float,
        *,
        beside_pinned: bool = False,
    ) -> None:
        self.model_name = model_name
        self.needed = needed
        self.limits = limits
        self.retry_after_s = retry_after_s
        devices = exceeded_devices(needed, limits)
        others = "other programs and the pinned models" if beside_pinned else "other programs"
        advice = "close programs, unpin a model" if beside_pinned else "close some of them"
        super().__init__(
            f"Model '{model_name}' needs {describe_device_bytes(needed, devices)}, but {others} leave only "
            f"{describe_device_bytes(limits, devices)}: {advice}, or try again in "
            f"{max(1, math.ceil(retry_after_s))} s."
        )


class ModelsPinnedError(ModelRuntimeError):
    """The model fits only if a pinned model is unloaded.

    ``pinned`` are the names of the pinned models in memory; empty for a key that may not use them. ``max_models`` is
    the setting if it is the limit; None: the memory is.
    """

    code = "models_pinned"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, pinned: tuple[str, ...], max_models: int | None = None) -> None:
        self.model_name = model_name
        self.pinned = pinned
        self.max_models = max_models
        models = "models" if len(pinned) != 1 else "model"
        beside = f"beside the pinned {models}{''.join(f' {name!r},' for name in pinned).rstrip(',')}"
        advice = f": run {quoted_command('unpin', pinned[0])}" if pinned else ""
        if max_models is None:
            super().__init__(f"Model '{model_name}' does not fit {beside}{advice}.")
            return
        setting = f"'max_models' is {max_models}"
        or_raise = ", or raise 'max_models' in config.toml" if pinned else ""
        super().__init__(f"Model '{model_name}' cannot run {beside}: {setting}{advice}{or_raise}.")


class QueueFullError(ModelRuntimeError):
    """The queue is full."""

    code = "queue_full"
    is_retryable = True

    def __init__(self, waiting: int, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            f"{waiting} requests are already queued; try again in {max(1, round(retry_after_s))} s."
        )


class BatchSlotsFullError(ModelRuntimeError):
    """The model is loaded, and a batch request did not get one of its slots within its wait."""

    code = "batch_slots_full"
    source = ErrorSource.GGLIB
    is_retryable = True

    def __init__(self, model_name: str, retry_after_s: float) -> None:
        self.model_name = model_name
        self.retry_after_s = retry_after_s
        super().__init__(
            f"Model '{model_name}' is loaded, but its slots for batch requests are in use; "
            f"try again in {max(1, math.ceil(retry_after_s))} s."
        )


class UpstreamError(ModelRuntimeError):
    """The engine cannot be reached, or closed the connection before the first byte of its response."""

    code = "upstream_error"
    source = ErrorSource.ENGINE
    is_retryable = True


class EngineDiedError(UpstreamError):
    """The engine died during a response. ``reason`` states why, ``log_tail`` has its last log lines.

    ``was_only_request``: no other request was in flight. This request may be the cause, and a retry may crash the next
    engine too.
    """

    def __init__(
        self, model_name: str, reason: str, log_tail: tuple[str, ...] = (), *, was_only_request: bool
    ) -> None:
        self.model_name = model_name
        self.reason = reason
        self.log_tail = log_tail
        self.was_only_request = was_only_request
        self.is_retryable = not was_only_request
        advice = "; it was the only request in flight: change it before retrying" if was_only_request else ""
        super().__init__(f"The engine of model '{model_name}' died: {reason}{advice}")

    def without_log(self) -> "EngineDiedError":
        """Return the same error without log lines, for clients that may not read logs."""
        return EngineDiedError(self.model_name, self.reason, was_only_request=self.was_only_request)


class EngineUnreachableError(UpstreamError):
    """The engine accepts no connection: no byte of the request was sent, so a retry is safe."""


class BackendUnreachableError(UpstreamError):
    """The server of a model elsewhere accepts no connection: no byte was sent, and gglib cannot replace it."""


class BackendKeyMissingError(ModelRuntimeError):
    """The environment variable with the key of a model's server is not set, or its value is no key.

    ``variable`` is its name. The value appears in no message.
    """

    code = "backend_key_missing"
    source = ErrorSource.OPERATOR

    def __init__(self, model_name: str, variable: str, *, is_set: bool) -> None:
        self.model_name = model_name
        self.variable = variable
        problem = "has characters that a key cannot have" if is_set else "is not set"
        super().__init__(
            f"Model '{model_name}' needs the key of its server, and the environment variable {variable} {problem}: "
            "set it for gglib, and restart 'gglib serve'."
        )


class NodeLostError(UpstreamError):
    """A node did not answer a request that was sent to it: it died, was cut off, or refuses this gglib.

    ``node`` is its name. If nothing of the response has arrived, the request can be sent to another node.
    """

    code = "node_lost"
    is_retryable = True

    def __init__(self, node: str, reason: str) -> None:
        self.node = node
        super().__init__(f"Node '{node}' {reason}.")


class RequestWithdrawnError(ModelRuntimeError):
    """The gglib that forwarded the request has withdrawn it while it waited here: it sends the request elsewhere.

    Nothing of it was computed. Never an error of a client: only requests that another gglib has forwarded get it.
    """

    code = "withdrawn"
    source = ErrorSource.CLIENT
    is_retryable = True

    def __init__(self) -> None:
        super().__init__(
            "The request was withdrawn while it waited: the gglib that forwarded it sends it elsewhere."
        )


class NoNodeError(ModelRuntimeError):
    """No node can serve the model now; ``reasons`` has that of each node, as clauses."""

    code = "no_node"
    is_retryable = True

    def __init__(self, model_name: str, reasons: str = "") -> None:
        self.model_name = model_name
        super().__init__(f"No node can serve '{model_name}'{f': {reasons}' if reasons else ' now'}.")

    def redacted(self) -> "NoNodeError":
        """Return the error without the names and the state of the nodes."""
        return NoNodeError(self.model_name)


class NodeError(GglibError):
    """Base of the errors of a command to a node."""

    code = "node_failed"


class NodeUnreachableError(NodeError):
    """A node accepts no connection, or the exchange with it broke off."""


class NodeRefusedError(NodeError):
    """A node answered with an error; the message is the node's own."""


class NodeNotFoundError(GglibError):
    """This gglib has no node of this name."""

    code = "node_not_found"
    source = ErrorSource.CLIENT

    def __init__(self, node: str) -> None:
        super().__init__(f"There is no node '{node}': list the nodes with 'gglib node list'.")


class ModelNotOnNodeError(GglibError):
    """The catalogue of the named node lacks the model; ``others`` are the nodes that have it."""

    code = "model_not_on_node"
    source = ErrorSource.CLIENT

    def __init__(self, model_name: str, node: str, others: tuple[str, ...]) -> None:
        where = f": it is on {', '.join(others)}" if others else ""
        super().__init__(f"Model '{model_name}' is not on node '{node}'{where}.")


class NodeNeededError(GglibError):
    """A command for one node names none, and several nodes, but not this machine, have the model."""

    code = "node_needed"
    source = ErrorSource.CLIENT

    def __init__(self, model_name: str, nodes: tuple[str, ...]) -> None:
        super().__init__(
            f"Model '{model_name}' is on several nodes ({', '.join(nodes)}): name one of them with "
            f"'--node {nodes[0]}', over HTTP with the field 'node'."
        )


class UpstreamStalledError(UpstreamError):
    """The engine accepted the request and stopped sending, before or after the first byte of its response."""

    code = "upstream_timeout"


class ShuttingDownError(ModelRuntimeError):
    """gglib is shutting down and accepts no more requests."""

    code = "shutting_down"
    is_retryable = True

    def __init__(self, message: str = "gglib is shutting down.") -> None:
        super().__init__(message)


class AlreadyRunningError(GglibError):
    """Another gglib uses the same home, or the proxy was started twice."""

    code = "already_running"
    source = ErrorSource.OPERATOR


class HubError(GglibError):
    """A request to a model hub, or a download, failed."""

    code = "hub_error"
    source = ErrorSource.OPERATOR


class HubUnreachableError(HubError):
    """The hub cannot be reached, or the connection breaks repeatedly; the received data is kept."""

    code = "hub_unreachable"
    is_retryable = True


class HubBusyError(HubError):
    """The hub limits the request rate (429) for longer than gglib waits."""

    code = "hub_busy"
    is_retryable = True


class RepositoryNotFoundError(HubError):
    """The hub has no such repository, revision or file, or does not show it to this user."""

    code = "repository_not_found"
    source = ErrorSource.CLIENT


class GatedRepositoryError(HubError):
    """The hub requires accepted terms or a token for this repository; the message states where."""

    code = "repository_gated"
    source = ErrorSource.CLIENT


class UnsafeNameError(HubError):
    """A file name from the network that is unsafe on this machine."""

    code = "unsafe_name"


class VariantChoiceError(HubError):
    """The repository lacks the requested variant, or has several; the message lists them."""

    code = "no_such_choice"
    source = ErrorSource.CLIENT


class DiskFullError(HubError):
    """The disk has no room for the file; the received data is kept."""

    code = "disk_full"


class StorageError(HubError):
    """The target directory cannot be written: read-only, not permitted, or an I/O error."""

    code = "storage_failed"


class DownloadCorruptError(HubError):
    """The received data differs from the hub's hash or size, twice in a row; it is deleted."""

    code = "download_corrupt"


class DownloadInProgressError(HubError):
    """Another gglib is downloading the same file to the same path."""

    code = "being_fetched"
    is_retryable = True


class EngineInstallError(GglibError):
    """An engine cannot be installed, used or removed; the message is written for the user of this machine."""

    code = "engine_install_failed"
    source = ErrorSource.OPERATOR


class DownloadDoneError(GglibError):
    """The download is complete, so there is nothing to resume."""

    code = "download_done"
    source = ErrorSource.CLIENT

    def __init__(self, download_id: str) -> None:
        super().__init__(
            f"Download '{download_id}' is complete: start a new download of the target to check for an update."
        )


class DownloadNotFoundError(GglibError):
    """No download has this id, or its record has expired."""

    code = "download_not_found"
    source = ErrorSource.CLIENT

    def __init__(self, download_id: str) -> None:
        self.download_id = download_id
        super().__init__(f"Download '{download_id}' does not exist, or ended too long ago.")
