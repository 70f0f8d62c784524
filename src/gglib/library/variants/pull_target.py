"""Parses pull targets: a repository, one of its files, or a URL. Pure.

::

    REPO[:QUANT][@REVISION]      bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M@main
    REPO/FILE.gguf[@REVISION]    owner/name/UD-Q4_K_XL/model-00001-of-00002.gguf
    https://…/FILE.gguf          a file on any server, or a page or a file of the hub

Targets of other programs are accepted: ``hf.co/REPO:QUANT`` and a file name as the quantization (Ollama,
https://huggingface.co/docs/hub/ollama), ``REPO:QUANT`` (llama.cpp's ``-hf``), ``hf://REPO`` (huggingface_hub), and
pages of the hub. LM Studio writes a quantization after ``@``, which is a revision here; the error message says so.
"""

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from gglib.core.errors import UnsafeNameError, VariantChoiceError
from gglib.core.file_names import safe_path, safe_repo, safe_revision, shown
from gglib.core.hub.quantizations import label_of
from gglib.core.hub.shown_source import without_query
from gglib.core.shell_quoting import quoted_command

HUB_HOSTS = frozenset(("huggingface.co", "www.huggingface.co", "hf.co"))
"""Pages on these hosts name a repository; requests go to the configured hub."""
DEFAULT_BRANCH = "main"
_FORMS = "write owner/name, owner/name:QUANT, owner/name/FILE.gguf or https://…/FILE.gguf"
_FILE_WORDS = frozenset(("resolve", "blob", "raw"))
_LOCAL_PATH = re.compile(r"\.{0,2}/|~")
"""No owner on a hub begins like this."""
_HUB_PREFIX = re.compile(rf"hf://|(?:{'|'.join(map(re.escape, sorted(HUB_HOSTS)))})/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullTarget:
    """A parsed pull target: a repository or one of its files, or a URL."""

    repo: str | None = None
    """``owner/name``; None for a URL."""
    quantization: str | None = None
    """As written; None with a file, or for the best variant that fits."""
    revision: str | None = None
    """The requested branch, tag or commit."""
    file: str | None = None
    """A path inside the repository, safe by ``safe_path``."""
    url: str | None = None
    """Set instead of all other fields."""


def read_target(text: str) -> PullTarget:
    """Parse a pull target. Raises ``VariantChoiceError`` and ``UnsafeNameError``, which say what to write instead."""
    text = text.strip()
    if not text:
        raise VariantChoiceError(f"The pull target is empty: {_FORMS}.")
    if _LOCAL_PATH.match(text):
        raise VariantChoiceError(
            f"'{shown(text)}' is a local path: {quoted_command('add', shown(text))} adds a local file."
        )
    if re.match(r"https?://", text, re.IGNORECASE):
        return _read_address(text)
    name = text[prefix.end() :] if (prefix := _HUB_PREFIX.match(text)) else text
    if "://" in name:
        raise _unreadable(text, "only https:// and http:// URLs can be pulled")
    return _read_repository(name)


def _read_address(text: str) -> PullTarget:
    try:
        address = urlsplit(text)
        host = address.hostname
        port_is_fine = address.port is None or address.port > 0
    except ValueError:
        raise _unreadable(text, "it is not a valid URL") from None
    if not host or not port_is_fine or not text.isprintable() or " " in text:
        raise _unreadable(text, "it is not a valid URL")
    if address.username is not None or address.password is not None:
        raise VariantChoiceError("A URL with a user name or password cannot be pulled: remove them.")
    if host in HUB_HOSTS:
        return _read_page(address, text)
    name = unquote(address.path.rpartition("/")[2])
    if not name.lower().endswith(".gguf"):
        raise _unreadable(text, "a URL must end in a file name with .gguf")
    safe_path(name)
    return PullTarget(url=address._replace(fragment="").geturl())


def _read_page(address: SplitResult, text: str) -> PullTarget:
    """Read a page or a file of the hub: ``/owner/name``, ``/owner/name/tree/REV``, ``/owner/name/blob/REV/FILE``."""
    parts = [unquote(part) for part in address.path.split("/") if part]
    if len(parts) < 2 or parts[0] in {"datasets", "spaces"}:
        raise _unreadable(text, "that page is not a model page")
    repo, word, rest = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "", parts[3:]
    if word in _FILE_WORDS and len(rest) > 1:
        return _of_file(repo, "/".join(rest[1:]), _requested_revision(rest[0]))
    if word == "tree" and rest:
        return _of_repository(repo, None, _requested_revision(rest[0]))
    if word == "":
        name, _, quantization = repo.partition(":")
        return _of_repository(name, quantization or None, None)
    raise _unreadable(text, "that page is not a model page")


def _requested_revision(revision: str) -> str | None:
    """Return the revision in a hub URL; the default branch in a copied URL is no explicit request."""
    return None if revision == DEFAULT_BRANCH else revision


def _read_repository(text: str) -> PullTarget:
    name, revision = _split_revision(text)
    if name.count("/") > 1 and ":" not in "/".join(name.split("/")[:2]):
        owner, repo, file = name.split("/", 2)
        return _of_file(f"{owner}/{repo}", file, revision)
    repo, colon, quantization = name.partition(":")
    if colon and not quantization:
        raise _unreadable(text, "the quantization after the colon is missing")
    if not repo:
        raise _unreadable(text, "the repository is missing")
    if "/" not in repo:
        raise VariantChoiceError(
            f"'{shown(repo)}' is not a repository (owner/name): {quoted_command('search', shown(repo))} finds some."
        )
    if quantization.lower().endswith(".gguf"):
        return _of_file(repo, quantization, revision)
    return _of_repository(repo, quantization or None, revision)


def _split_revision(text: str) -> tuple[str, str | None]:
    """Split off ``@REVISION``. A file name may contain ``@``: in it, only an ``@`` after ``.gguf`` counts."""
    at = re.search(r"(?<=\.gguf)@(?=[^@]*$)", text, re.IGNORECASE)
    if at is None and not text.lower().endswith(".gguf"):
        at = re.search(r"@", text)
    if at is None:
        return text, None
    name, revision = text[: at.start()], text[at.end() :]
    if not revision:
        raise _unreadable(text, "the revision after the @ is missing")
    if label_of(revision) == revision.upper() and ":" not in name:
        raise VariantChoiceError(
            f"'@{shown(revision)}' means a revision: write {shown(name)}:{shown(revision)} for the quantization."
        )
    return name, revision


def _of_file(repo: str, file: str, revision: str | None) -> PullTarget:
    _require_repo(repo)
    safe_path(file)
    if not file.lower().endswith(".gguf"):
        raise _unreadable(f"{repo}/{file}", "a file name must end in .gguf")
    return PullTarget(repo=repo, file=file, revision=_require_revision(revision))


def _of_repository(repo: str, quantization: str | None, revision: str | None) -> PullTarget:
    _require_repo(repo)
    if quantization is not None and not quantization.isprintable():
        raise _unreadable(f"{repo}:{quantization}", "the quantization contains an invalid character")
    return PullTarget(repo=repo, quantization=quantization, revision=_require_revision(revision))


def _require_repo(repo: str) -> None:
    try:
        safe_repo(repo)
    except UnsafeNameError as error:
        raise VariantChoiceError(str(error)) from None


def _require_revision(revision: str | None) -> str | None:
    try:
        return None if revision is None else safe_revision(revision)
    except UnsafeNameError as error:
        raise VariantChoiceError(str(error)) from None


def _unreadable(text: str, why: str) -> VariantChoiceError:
    if "://" in text:
        text = without_query(text)  # the query may be a signature
    return VariantChoiceError(f"'{shown(text)}' cannot be pulled: {why}; {_FORMS}.")
