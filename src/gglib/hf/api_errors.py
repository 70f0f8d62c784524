"""What the hub says instead of an answer, and what a person does then. Pure.

The codes are those that huggingface_hub 2.4 knows (``utils/_http.py``, ``hf_raise_for_status``).
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

LONGEST_QUOTE = 200
STILL_WORK = "models that are here still work"

# The draft's header, which the hub sends: "api";r=0;t=55 (draft-ietf-httpapi-ratelimit-headers-09).
_RATE_LIMIT = re.compile(r"r\s*=\s*0\s*;\s*t\s*=\s*(\d{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked of a hub."""

    endpoint: str
    """The hub's address, without a slash at its end."""
    repo: str | None = None
    """None: a search."""
    revision: str | None = None
    file: str | None = None
    had_token: bool = False

    @property
    def host(self) -> str:
        """The hub's name, as it is shown."""
        return urlsplit(self.endpoint).netloc.rpartition("@")[2] or self.endpoint

    @property
    def page(self) -> str:
        """Where a person sees the repository."""
        return f"{self._site}/{self.repo}"

    @property
    def tokens_page(self) -> str:
        """Where a person gets a token."""
        return f"{self._site}/settings/tokens"

    @property
    def _site(self) -> str:
        """The endpoint, without a name and a password that may be in it."""
        parts = urlsplit(self.endpoint)
        return urlunsplit((parts.scheme, self.host, parts.path, "", ""))


def refusal(status: int, headers: Mapping[str, str], asked: Asked) -> HubError:
    """Return the error of an answer that is none; the names in ``headers`` are in small letters."""
    named = _BY_CODE.get(headers.get("x-error-code", ""))
    if named is not None:
        return named(asked)
    if status == 429:  # noqa: PLR2004,RUF100 - too many requests
        return _busy(retry_after_s(headers), asked)
    if status == 408 or status >= 500:  # noqa: PLR2004,RUF100
        return HubUnreachableError(
            f"The hub at {asked.host} has a fault of its own ({status}): try again later; {STILL_WORK}."
        )
    if status in (401, 403, 404, 410):
        return _hidden(status, headers, asked)
    return HubError(f"The hub at {asked.host} refuses ({status}{_quoted(headers)}): check the name.")


def retry_after_s(headers: Mapping[str, str]) -> int | None:
    """Return for how many seconds the hub wants to be left alone; None where it does not say."""
    plain = headers.get("retry-after", "").strip()
    if plain.isascii() and plain.isdigit() and len(plain) < 10:  # noqa: PLR2004,RUF100 - years
        return int(plain)
    match = _RATE_LIMIT.search(headers.get("ratelimit", ""))
    return None if match is None else int(match[1])


def _gated(asked: Asked) -> GatedRepositoryError:
    if asked.had_token:
        return GatedRepositoryError(
            f"'{asked.repo}' is gated, and your token's account was not let in: accept its terms or ask for access "
            f"at {asked.page}, then try again."
        )
    return GatedRepositoryError(
        f"'{asked.repo}' is gated: accept its terms at {asked.page}, then set HF_TOKEN to a token of the same "
        f"account, from {asked.tokens_page}."
    )


def _no_revision(asked: Asked) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(
        f"'{asked.repo}' has no branch, tag or commit '{asked.revision}': look at {asked.page}."
    )


def _no_file(asked: Asked) -> RepositoryNotFoundError:
    return RepositoryNotFoundError(f"'{asked.repo}' has no file '{asked.file}': look at {asked.page}.")


_BY_CODE: dict[str, Callable[[Asked], HubError]] = {
    "GatedRepo": _gated,
    "RevisionNotFound": _no_revision,
    "EntryNotFound": _no_file,
}


def _busy(wait_s: int | None, asked: Asked) -> HubBusyError:
    when = "later" if wait_s is None else f"in {wait_s} s"
    hint = "" if asked.had_token else ", or set HF_TOKEN, with which the hub allows more"
    return HubBusyError(f"The hub at {asked.host} got too many requests from here: try again {when}{hint}.")


def _hidden(status: int, headers: Mapping[str, str], asked: Asked) -> HubError:
    message = headers.get("x-error-message", "")
    if asked.had_token and "credentials" in message.lower():
        return HubError(
            f"The hub at {asked.host} does not know your token: set HF_TOKEN to one from "
            f"{asked.tokens_page}, or to nothing."
        )
    if message == "Access to this resource is disabled.":
        return RepositoryNotFoundError(
            f"The hub at {asked.host} has disabled '{asked.repo}': choose another one."
        )
    if asked.repo is None:
        return HubError(
            f"The hub at {asked.host} does not let you search ({status}{_quoted(headers)}): check HF_ENDPOINT and "
            "HF_TOKEN."
        )
    if status == 403:  # noqa: PLR2004,RUF100
        return GatedRepositoryError(
            f"The hub at {asked.host} does not let you have '{asked.repo}'{_quoted(headers)}: look at {asked.page}, "
            "and at what your token is allowed to do."
        )
    if asked.had_token:
        return RepositoryNotFoundError(
            f"The hub at {asked.host} has no '{asked.repo}' that your token may see: check the name."
        )
    return RepositoryNotFoundError(
        f"The hub at {asked.host} has no '{asked.repo}' that everybody may see: check the name, or set HF_TOKEN if "
        "it is private."
    )


def _quoted(headers: Mapping[str, str]) -> str:
    """Return what the hub says, fit to stand in a sentence: one line, short, nothing that moves a cursor."""
    message = "".join(one for one in headers.get("x-error-message", "") if one.isprintable()).strip(" .")
    return f", {message[:LONGEST_QUOTE]}" if message else ""
