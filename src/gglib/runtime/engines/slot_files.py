"""The seam between launches and engines that can save the prompts in their slots to files. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gglib.runtime.engines.kept_prompts.fingerprint import Fingerprint
from gglib.runtime.engines.kept_prompts.policy import SlotPrompt


@dataclass(frozen=True, slots=True)
class SlotState:
    """What an engine says of its slots."""

    prompts: tuple[SlotPrompt, ...]
    """Those of the idle slots that requests have used since the start."""
    prompt_tokens_s: float
    """How fast it has processed prompts."""
    processed_tokens: float
    """How many tokens of prompts it has processed."""


@dataclass(frozen=True, slots=True)
class SlotRequest:
    """A POST request to the engine."""

    path: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class SlotTransfer:
    """What an engine reports of a save or restore."""

    tokens: int
    size_bytes: int
    seconds: float = 0.0
    """How long the engine took, without the wait for its running batch; 0: it does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotFiles:
    """How the slots of one launch are saved and restored over the engine's own HTTP routes."""

    directory: Path
    """Where the files are: a private directory of the launch."""
    fingerprint: Fingerprint
    off_reason: str | None
    """Why the prompts of this model must not be kept, as a clause; None if they may be."""
    state_paths: tuple[bytes, ...]
    """The routes to GET, in the order of the arguments of ``read_state``."""
    read_state: Callable[..., SlotState | None]
    """The bodies of their responses -> the state; None if they do not say."""
    unchanged_path: bytes | None
    """A route whose response has to be the same at the save as after the start; None: nothing can change."""
    save: Callable[[int, str], SlotRequest]
    """A slot and the name of a file -> the request that saves it."""
    restore: Callable[[int, str], SlotRequest]
    """A slot and the name of a file -> the request that restores it."""
    read_transfer: Callable[[bytes], SlotTransfer | None]
    """The body of a response with status 200 -> what was transferred; None if it does not say."""
    read_refusal: Callable[[int, bytes], str | None]
    """Status and body of a response -> why slots can never be saved, as a clause; None if it does not say so."""
