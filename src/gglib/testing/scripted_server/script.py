"""The behaviour of a scripted llama-server: a value, and its JSON. Knows neither sockets nor processes."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

REQUEST_FIELD = "x_script"
"""The field of a request body whose object overrides the script for this one request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One behaviour of a server. The default is a model that loads at once and generates three words.

    Times are in seconds. The fields about responses (from ``first_byte_delay_s`` on) can be overridden by one request:
    its body field ``x_script`` holds an object of these fields. ``/health`` is not affected unless
    ``is_health_affected``.
    """

    record: str | None = None
    """File to which every event is appended, one JSON object a line; see ``read_record``."""
    scripts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Overrides for single models, by alias, file name or file name without its suffix."""
    lifetime_s: float = 120.0
    """The process exits after this time in any case: a failed test leaves nothing behind for long."""
    lacks_options: tuple[str, ...] = ()
    """Options that this build does not know, in any spelling: an old build lacks new options."""

    devices: tuple[str, ...] = ()
    """Lines of ``--list-devices``; empty: a build for the CPU."""

    load_s: float = 0.0
    """How long the bound port responds with 503."""
    load_fails_with: str | None = None
    """Printed to stderr at the end of the load, after which the process exits with ``load_exit_code``."""
    load_errors: Mapping[str, str] = field(default_factory=dict)
    """As ``load_fails_with``, for launches with an argument: ``{"--flash-attn=on": "not supported"}``."""
    load_exit_code: int = 1
    """Negative: the process dies of this signal, as after an illegal instruction."""
    slot_tokens: int = 0
    """How many tokens each completion leaves in a slot, in turn; 0: slots say nothing of their prompts."""
    slot_bytes: int = 100
    """Of each token in a saved slot."""
    slot_save_s: float = 0.0
    """How long the file of a save stays half."""
    slot_restore_s: float = 0.0
    slot_fault: str | None = None
    """``unsupported``, ``full disk`` (half a file, and success), ``refused restore``; ``die in save`` and ``die in
    restore`` kill the process."""
    speeds: Mapping[str, float] = field(default_factory=dict)
    """Factors of the rates that ``/completion`` reports, by argument of the launch: ``{"--threads=4": 1.5}``."""
    die_while_loading_after_s: float | None = None
    """The process is killed this long after the port was bound."""
    stderr_noise_bytes: int = 0
    """Printed to stderr at the start of the load; by an override, at the start of the response."""
    noise_line_bytes: int = 100
    """Length of each line of the noise, with its end."""
    fork_child: bool = False
    """Leaves a child in the same process group that ignores TERM and holds stderr open."""
    ignore_term: bool = False
    """TERM has no effect at any time."""

    first_byte_delay_s: float = 0.0
    """Between the request and the first byte of the response."""
    chunks: int = 3
    """Pieces of generated text. Without streaming they are sent as one."""
    chunk_interval_s: float = 0.0
    """Between two pieces; a response that is not streamed takes as long as all of them."""
    chunk_text: str = "t{n} "
    """One piece; ``{n}`` becomes its number, which counts from 0."""
    tool_call: tuple[str, str] | None = None
    """Name and JSON arguments of a tool that ``/v1/messages`` calls if the request offers tools and has no result of
    one; the next response is text. The model of an agent does so."""
    status: int = 200
    """Another status makes the response an error, in llama-server's format unless ``body`` is set."""
    body: str | None = None
    """Replaces the body of the response, which is then not streamed."""
    headers: tuple[tuple[str, str], ...] = ()
    """Appended to those of the response, in this order; a ``Content-Type`` or ``Connection`` replaces its own."""
    echo: bool = False
    """Responds with the request: method, path, headers, length and SHA-256 of the body."""
    hang: bool = False
    """Reads the request and never responds."""
    stall_after_chunks: int | None = None
    """A stream stops after this many pieces, without an end; its connection stays open. 0: before the first."""
    stall_ping_s: float = 0.0
    """A stalled stream gets a comment at this interval, as llama-server's HTTP threads send them while its computation
    hangs; 0: none."""
    garbage: bool = False
    """Responds with bytes that are not HTTP, and closes the connection."""
    die_before_first_byte: bool = False
    """The process is killed after reading the request."""
    die_after_chunks: int | None = None
    """The process is killed between two pieces of a stream, after this many."""
    die_after_bytes: int | None = None
    """The process is killed after this many bytes of the response body; 0: after the headers."""
    close_after_bytes: int | None = None
    """The connection is closed there instead; the process continues."""
    is_health_affected: bool = False
    """``/health`` follows the script, too, once the load has finished."""

    def to_json(self) -> str:
        """Return the script as JSON for ``from_json``."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> "Script":
        """Read what ``to_json`` wrote. Raises ``TypeError`` for an unknown field."""
        return cls(**_with_tuples(json.loads(text)))

    def for_model(self, *, alias: str | None, model_path: str | None) -> "Script":
        """Return the script with the overrides for this model."""
        names = [alias or ""]
        if model_path:
            names += [Path(model_path).name, Path(model_path).stem]
        overrides: dict[str, Any] = {}
        for name in names:
            overrides.update(self.scripts.get(name, {}))
        return replace(self, **_with_tuples(overrides))

    def for_request(self, body: bytes) -> "Script":
        """Return the script with the overrides in a request's body."""
        spoken = replace(self, stderr_noise_bytes=0)
        if REQUEST_FIELD.encode() not in body:
            return spoken
        try:
            overrides = json.loads(body)[REQUEST_FIELD]
        except (ValueError, KeyError, TypeError):
            return spoken
        return replace(spoken, **_with_tuples(overrides))


def _with_tuples(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values with lists converted to tuples: JSON has only lists."""
    result = dict(values)
    if "headers" in result:
        result["headers"] = tuple((str(name), str(value)) for name, value in result["headers"])
    for name in ("lacks_options", "devices", "tool_call"):
        if result.get(name) is not None:
            result[name] = tuple(result[name])
    return result
