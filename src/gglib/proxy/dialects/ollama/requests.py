"""The bodies of Ollama's requests. Pure. Unknown fields are ignored, as Ollama ignores them.

``Raw`` keeps the JSON of a part as the client wrote it: numbers, order and spelling survive the translation.
"""

import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Raw, Struct, field

from gglib.proxy.errors import BadRequestError

KeepAlive = Annotated[
    str | float | None, Meta(description="A number of seconds, or a duration such as `5m`.")
]
Options = dict[str, Any] | None
Think = bool | str | None

_FIELD = re.compile(r" - at `(?:key in )?\$\.?(.*)`$")
_JSON_NULL = b"null"


def is_absent(raw: Raw) -> bool:
    """Whether a raw field is missing, null, or an empty string."""
    return bytes(raw) in {b"", _JSON_NULL, b'""'}


class Function(Struct, frozen=True):
    """The function of a tool call."""

    name: str = ""
    arguments: Raw = field(default_factory=Raw)


class ToolCall(Struct, frozen=True):
    """A tool call of an earlier response."""

    function: Function = field(default_factory=Function)
    id: str | None = None


class Message(Struct, frozen=True):
    """A message of a chat."""

    role: str = ""
    content: str | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    tool_call_id: str | None = None


class ChatRequest(Struct, frozen=True, kw_only=True):
    """The body of ``/api/chat``."""

    model: str | None = None
    messages: list[Message] | None = None
    tools: list[Raw] | None = None
    format: Raw = field(default_factory=Raw)
    options: Options = None
    stream: bool | None = None
    think: Think = None
    keep_alive: KeepAlive = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class GenerateRequest(Struct, frozen=True, kw_only=True):
    """The body of ``/api/generate``."""

    model: str | None = None
    prompt: str | None = None
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    images: list[str] | None = None
    format: Raw = field(default_factory=Raw)
    options: Options = None
    stream: bool | None = None
    raw: bool | None = None
    think: Think = None
    context: list[int] | None = None
    keep_alive: KeepAlive = None
    logprobs: bool | None = None
    top_logprobs: int | None = None


class EmbedRequest(Struct, frozen=True, kw_only=True):
    """The body of ``/api/embed``."""

    model: str | None = None
    input: str | list[str] | None = None
    truncate: bool | None = None
    dimensions: int | None = None
    options: Options = None
    keep_alive: KeepAlive = None


class EmbeddingsRequest(Struct, frozen=True, kw_only=True):
    """The body of ``/api/embeddings``."""

    model: str | None = None
    prompt: str | None = None
    options: Options = None
    keep_alive: KeepAlive = None


class NamedModel(Struct, frozen=True, kw_only=True):
    """The body of ``/api/show`` and ``/api/delete``; older clients send ``name``."""

    model: str | None = None
    name: str | None = None

    @property
    def wanted(self) -> str:
        """The name of the model. Raises ``BadRequestError`` without one."""
        return required(self.model or self.name, "model")


class PullRequest(NamedModel, frozen=True, kw_only=True):
    """The body of ``/api/pull``; ``insecure`` is ignored."""

    stream: bool | None = None


class CopyRequest(Struct, frozen=True, kw_only=True):
    """The body of ``/api/copy``."""

    source: str | None = None
    destination: str | None = None


class CreateRequest(NamedModel, frozen=True, kw_only=True):
    """The body of ``/api/create``."""

    from_: str | None = field(default=None, name="from")
    system: str | None = None
    parameters: Options = None
    stream: bool | None = None
    files: dict[str, Any] | None = None
    adapters: dict[str, Any] | None = None
    template: str | None = None
    messages: list[Any] | None = None
    quantize: str | None = None
    modelfile: str | None = None


T = TypeVar("T", bound=Struct)


def required(value: str | None, name: str) -> str:
    """Return a field that must be set. Raises ``BadRequestError``."""
    if not value:
        raise BadRequestError(f"'{name}' is required.", name)
    return value


def read_request(type_: type[T], body: bytes) -> T:
    """Return the parsed body. Raises ``BadRequestError``, which names the field."""
    if not body.strip():
        raise BadRequestError("The request body is missing: it must be a JSON object.")
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.ValidationError as error:
        raise _invalid_field(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequestError(f"The request body is not valid JSON: {error}.") from error


def _invalid_field(message: str) -> BadRequestError:
    """Return the error for the message of msgspec: ``Expected `bool`, got `str` - at `$.stream```."""
    at = _FIELD.search(message)
    problem = message if at is None else message[: at.start()]
    problem = problem.replace(" | null", "").replace("`", "")
    if at is None or not at[1]:
        return BadRequestError(f"The request body is not a valid request: {problem}.")
    return BadRequestError(f"'{at[1]}' is not valid: {problem}.", at[1])
