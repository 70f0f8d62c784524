"""Checks what describes a backend before it is stored, and makes the model of it. Pure."""

import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from urllib.parse import SplitResult, urlsplit

from gglib.core.backends import Backend, CommandBackend, UrlBackend
from gglib.core.command_templates import check_template, placeholders
from gglib.core.errors import InvalidSettingError
from gglib.core.memory import RAM
from gglib.core.models import GgufFacts, ModelCapabilities, ModelSummary, NewModel
from gglib.core.plain_text import escape_line
from gglib.core.sizes import parse_size

_PATH = re.compile(r"/[!-~]*")
"""Visible ASCII characters: anything else would end the line of the request."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPERATOR = re.compile(r"\|\|?|&&?|;|[0-9]?>>?|<|[0-9]>&[0-9]|&>")
_ROUTE = re.compile(r"/[A-Za-z0-9._~/-]*\*?")
_DEVICE = re.compile(r"ram|gpu[0-9]{1,2}")
_URL_CHARACTERS = re.compile(r"[!-~]+")
_URL_EXAMPLE = "such as http://box:8000/v1"


def split_command(text: str) -> tuple[str, ...]:
    """Return the words of a command line, with quotes as in a shell.

    Raises ``InvalidSettingError``, also for words that only a shell understands: no shell runs the command.
    """
    try:
        words = tuple(shlex.split(text))
    except ValueError as error:
        raise InvalidSettingError(
            f"The command cannot be split into words ({error}): check its quotes."
        ) from None
    for operator in filter(_OPERATOR.fullmatch, words):
        raise InvalidSettingError(
            f"The command has '{operator}', and no shell runs it: start one, such as "
            "--command \"sh -c 'exec python3 server.py {port} 2> log'\"."
        )
    if words and _ASSIGNMENT.match(words[0]):
        raise InvalidSettingError(
            f"The command begins with '{words[0]}', and no shell runs it: write env before it, such as "
            "--command 'env DEBUG=1 python3 server.py {port}'."
        )
    for word in words:
        if word.startswith("~/"):
            raise InvalidSettingError(
                f"The command has '{word}', and no shell runs it: write the whole path instead of '~'."
            )
    return words


def checked_command(backend: CommandBackend, *, has_file: bool, has_unix_sockets: bool) -> CommandBackend:
    """Return the backend. Raises ``InvalidSettingError`` for a value that no launch could use."""
    check_template(backend.argv, has_unix_sockets=has_unix_sockets, has_file=has_file)
    if placeholders(backend.argv[:1]):
        raise InvalidSettingError(
            f"The program of the command, '{backend.argv[0]}', cannot have placeholders."
        )
    if not _PATH.fullmatch(backend.health_path):
        raise InvalidSettingError(
            f"The health path {backend.health_path!r} must begin with '/', such as /health, and have no spaces."
        )
    for number, what in ((backend.start_timeout_s, "start timeout"), (backend.slots, "number of slots")):
        if number is not None and number <= 0:
            raise InvalidSettingError(f"The {what} must be above 0.")
    return replace(backend, routes=_checked_routes(backend.routes))


def checked_url(backend: UrlBackend) -> UrlBackend:
    """Return the backend with its URL in normal form. Raises ``InvalidSettingError``."""
    url = backend.base_url.strip().rstrip("/")
    parts = _url_parts(url)
    if parts is None:
        raise InvalidSettingError(
            f"'{escape_line(url)}' is not the URL of a server: it needs http:// or https://, and neither spaces nor "
            f"letters beyond ASCII, {_URL_EXAMPLE}."
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidSettingError(
            f"The URL of a server has no user, query or fragment, {_URL_EXAMPLE}: set its key with --key-env."
        )
    if backend.key_env is not None and not _VARIABLE.fullmatch(backend.key_env):
        raise InvalidSettingError(
            "--key-env takes the name of an environment variable, such as BOX_KEY, and not the key itself."
        )
    return replace(backend, base_url=url, routes=_checked_routes(backend.routes))


def parse_memory(texts: Iterable[str]) -> tuple[tuple[str, int], ...]:
    """Return the memory of ``8G`` (RAM) and ``gpu0=8G``, by device. Raises ``InvalidSettingError``."""
    found: dict[str, int] = {}
    for text in texts:
        device, has_device, size = text.rpartition("=")
        device = device.strip().lower() if has_device else RAM
        try:
            size_bytes = parse_size(size)
        except ValueError:
            size_bytes = 0
        if not size_bytes or not _DEVICE.fullmatch(device):
            raise InvalidSettingError(
                f"'{text}' is not a size of memory: write 8G for RAM, or gpu0=8G for a GPU."
            )
        found[device] = size_bytes
    return tuple(found.items())


def default_name(backend: Backend) -> str:
    """Return the name of a model without one: the name at the server, or that of the program."""
    if isinstance(backend, UrlBackend):
        return backend.model or urlsplit(backend.base_url).hostname or "server"
    return backend.argv[0].replace("\\", "/").rpartition("/")[2]


def model_of_backend(
    name: str, backend: Backend, capabilities: ModelCapabilities, *, description: str = ""
) -> NewModel:
    """Return a model without files. One without a kind, whose backend has no routes either, can chat."""
    has_kind = capabilities.chat or capabilities.embedding or capabilities.rerank
    if not has_kind and not backend.routes:
        capabilities = replace(capabilities, chat=True)
    return NewModel(
        name=name,
        paths=(),
        size_bytes=0,
        description=description,
        facts=GgufFacts(architecture="", capabilities=capabilities),
        backend=backend,
    )


def describe_backend(model: ModelSummary) -> str | None:
    """Return what serves a model, in one line; None for llama.cpp. Only admins' responses have words and URL."""
    backend = model.backend
    if isinstance(backend, UrlBackend):
        return backend.base_url or "another server"
    if isinstance(backend, CommandBackend):
        return shlex.join(backend.argv) or "a command"
    return None


def _url_parts(url: str) -> SplitResult | None:
    """Return the parts of a URL with a host; None for anything else. ``urlsplit`` drops line ends and keeps spaces."""
    if _URL_CHARACTERS.fullmatch(url) is None:
        return None
    try:
        parts = urlsplit(url)
        has_host = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a port that is no number, brackets without an IPv6 address
        return None
    return parts if parts.scheme in {"http", "https"} and has_host else None


def _checked_routes(routes: Sequence[str]) -> tuple[str, ...]:
    for route in routes:
        if not _ROUTE.fullmatch(route):
            raise InvalidSettingError(
                f"'{route}' is not a path that a model serves, such as /v1/audio/transcriptions or /v1/images/*."
            )
    return tuple(dict.fromkeys(routes))
