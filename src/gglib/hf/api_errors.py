"""Maps error responses of the hub to errors that say what to do. Pure.

The codes are those of huggingface_hub 2.4 (``utils/_http.py``, ``hf_raise_for_status``).
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from gglib.core.errors import (
    GatedRepositoryError,
    HubBusyError,
    HubError,
    HubUnreachableError,
    RepositoryNotFoundError,
)

MAX_QUOTE_CHARACTERS = 200
LOCAL_MODELS_HINT = "local models still work"

# The draft's header, as the hub sends it: "api";r=0;t=55 (draft-ietf-httpapi-ratelimit-headers-09).
_RATE_LIMIT = re.compile(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class HubRequest:
    """What was requested from a hub."""

    endpoint: str
    """The hub's address, without a trailing slash."""
    repo: str | None = None
    """None for a search."""
    revision: str | None = None
    file: str | None = None
    had_token: bool = False

    @property
    def host(self) -> str:
        """The hub's host, for messages."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2] or self.endpoint

    @property
    def page(self) -> str:
        """The web page of the repository."""
        return f"{self._site}/{self.repo}"

    @property
    def tokens_page(self) -> str:
        """The web page where a user creates a token."""
        return f"{self._site}/settings/tokens"

    @property
    def _site(self) -> str:
        """The endpoint without user name and password."""
        parts = urlsplit(self.endpoint)
        return urlunsplit((parts.scheme, self.host, parts.path, "", ""))


def error_for(status: int, headers: Mapping[str, str], request: HubRequest) -> HubError:
    """Return the error of a failed response; the names in ``headers`` are lower case."""
    named = _BY_CODE.get(headers.get("x-error-code", ""))
    if named is not None:
        return named(request)
    if status == 429:  # noqa: PLR2004,RUF100 - too many requests
        return _busy(retry_after_s(headers), request)
    if status == 408 or status >= 500:  # noqa: PLR2004,RUF100
        return HubUnreachableError(
            f"The hub at {request.host} failed ({status}): try again later; {LOCAL_MODELS_HINT}."
        )
    if status in (401, 403, 404, 410):
        return _access_error(status, headers, request)
    return HubError(
        f"The hub at {request.host} refused the request ({status}{_quoted(headers)}): check the name."
    )


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Return after how many seconds the hub accepts requests again; None if it does not say."""
    plain = headers.get("retry-after", "").strip()
    if plain.isascii() and plain.isdigit() and len(plain) < 10:  # noqa: PLR2004,RUF100 - years
        return int(plain)
    match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    return None if match is None else int(match[1])


def _gated(request: HubRequest) -> GatedRepositoryError:
    if request.had_token:
        return GatedRepositoryError(
            f"'{request.repo}' is gated, and your token's account has no access: accept its terms or request access at "
            f"{request.page}, then try again."
        )
    return GatedRepositoryError(
        f"'{request.repo}' is gated: accept its terms at {request.page}, then set HF_TOKEN to a token of the same "
        f"account, from {request.tokens_page}."
    )


def _no_revision(request: HubRequest) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(
        f"'{request.repo}' has no branch, tag or commit '{request.revision}': look at {request.page}."
    )


def _no_file(request: HubRequest) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(f"'{request.repo}' has no file '{request.file}': look at {request.page}.")


_BY_CODE: dict[str, Callable[[HubRequest], HubError]] = {
    "GatedRepo": _gated,
    "RevisionNotFound": _no_revision,
    "EntryNotFound": _no_file,
}


def _busy(wait_s: int | None, request: HubRequest) -> HubBusyError:
    when = "later" if wait_s is None else f"in {wait_s} s"
    hint = "" if request.had_token else ", or set HF_TOKEN for a higher limit"
    return HubBusyError(f"The hub at {request.host} rejected too many requests: try again {when}{hint}.")


def _access_error(status: int, headers: Mapping[str, str], request: HubRequest) -> HubError:
    message = headers.get("x-error-message", "")
    if request.had_token and "credentials" in message.lower():
        return HubError(
            f"The hub at {request.host} does not accept your token: set HF_TOKEN to one from "
            f"{request.tokens_page}, or unset it."
        )
    if message == "Access to this resource is disabled.":
        return RepositoryNotFoundError(
            f"The hub at {request.host} has disabled '{request.repo}': choose another repository."
        )
    if request.repo is None:
        return HubError(
            f"The hub at {request.host} refused the search ({status}{_quoted(headers)}): check HF_ENDPOINT and "
            "HF_TOKEN."
        )
    if status == 403:  # noqa: PLR2004,RUF100
        return GatedRepositoryError(
            f"The hub at {request.host} denies access to '{request.repo}'{_quoted(headers)}: check {request.page} and "
            "the permissions of your token."
        )
    if request.had_token:
        return RepositoryNotFoundError(
            f"The hub at {request.host} has no '{request.repo}' that your token can access: check the name."
        )
    return RepositoryNotFoundError(
        f"The hub at {request.host} has no public '{request.repo}': check the name, or set HF_TOKEN if it is private."
    )


def _quoted(headers: Mapping[str, str]) -> str:
    """Return the hub's message as part of a sentence: one line, short, without control characters."""
    message = "".join(letter for letter in headers.get("x-error-message", "") if letter.isprintable()).strip(
        " ."
    )
    return f", {message[:MAX_QUOTE_CHARACTERS]}" if message else ""
