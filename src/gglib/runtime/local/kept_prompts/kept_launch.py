"""What saves and restores of one launch share, and how their failures are described."""

from dataclasses import dataclass, field
from pathlib import Path

from gglib.core.models import ModelLaunchSpec
from gglib.http.errors import TooManyConnectionsError, TransportError
from gglib.runtime.engines.slot_files import SlotFiles
from gglib.runtime.local.kept_prompts.engine_requests import SlotRefusedError
from gglib.runtime.local.kept_prompts.model_record import ModelRecord
from gglib.runtime.local.kept_prompts.service import KeptPrompts
from gglib.runtime.local.kept_prompts.store import KeptStore

OVERRUN = 2.0
"""Saves and restores that take this many times as long as they may are given up."""
FAILURES = (OSError, SlotRefusedError, TransportError, TooManyConnectionsError, TimeoutError)
"""What saves and restores may fail with."""


@dataclass(slots=True, kw_only=True)
class KeptLaunch:
    """A launch whose prompts are kept, and what is known of its model."""

    kept: KeptPrompts
    files: SlotFiles
    spec: ModelLaunchSpec
    context: int
    """Of each slot, in tokens."""
    slots: int
    off_reason: str | None
    """Why the prompts are not kept, as a clause; None if they are."""
    record: ModelRecord = field(default_factory=ModelRecord)

    @property
    def store(self) -> KeptStore:
        """The files."""
        return self.kept.store

    @property
    def name(self) -> str:
        """The model."""
        return self.spec.model_name

    def open_directory(self) -> None:
        """Read what was learned of the model. Blocks; raises ``OSError`` if its directory cannot be used."""
        directory = self.store.open_model(self.spec.model_id)
        if (
            directory.stat().st_dev != self.files.directory.stat().st_dev
        ):  # each move would fail after its save
            raise OSError(
                0,
                f"{self.store.directory} is on another file system than the rest of gglib's home: unmount it",
            )
        record = self.store.record(self.spec.model_id)
        self.record = record.of_engine(self.files.fingerprint.engine)
        self.off_reason = self.off_reason or self.record.off_reason

    def write_record(self) -> None:
        """Write down what was learned. Blocks; raises ``OSError``."""
        if self.store.record(self.spec.model_id) != self.record:
            self.store.write_record(self.spec.model_id, self.record)
        self.kept.count(self.store.slots())


def reason_of(error: Exception) -> str:
    """Return the reason of a failure as a clause."""
    if isinstance(error, OSError) and error.strerror:
        where = "" if error.filename is None else f" ({Path(str(error.filename)).name})"
        return f"{error.strerror}{where}"
    if isinstance(error, TransportError):
        return f"the engine {error.reason}"
    return str(error) or "the engine does not respond"
