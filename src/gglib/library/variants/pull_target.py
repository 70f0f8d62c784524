"""What a user names to pull: a repository, one of its files, or an address. Pure.

::

    REPO[:QUANT][@REVISION]      bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M@main
    REPO/FILE.gguf[@REVISION]    owner/name/UD-Q4_K_XL/model-00001-of-00002.gguf
    https://…/FILE.gguf          any server's file, or a page or a file of the hub

What users have pasted elsewhere means the same here: ``hf.co/REPO:QUANT`` and a whole file name for a quantization
(Ollama, https://huggingface.co/docs/hub/ollama), ``REPO:QUANT`` (llama.cpp's ``-hf``), and the pages of the hub.
LM Studio writes a quantization behind ``@``, which is a revision here: it is told so.
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
"""Pages of these mean a repository, which is asked of the hub that is configured."""
DEFAULT_BRANCH = "main"
_FORMS = "write owner/name, owner/name:QUANT, owner/name/FILE.gguf or https://…/FILE.gguf"
_FILE_WORDS = frozenset(("resolve", "blob", "raw"))
_HUB_PREFIX = re.compile(rf"(?:{'|'.join(map(re.escape, sorted(HUB_HOSTS)))})/", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullTarget:
    """What is to be pulled: of a repository, or the file at an address."""

    repo: str | None = None
    """``owner/name``; None for an address."""
    quantization: str | None = None
    """As it was written; None with a file, or for the best that fits."""
    revision: str | None = None
    """The branch, tag or commit that was asked for."""
    file: str | None = None
    """A path inside the repository, safe by ``safe_path``."""
    url: str | None = None
    """Set instead of all others."""


def read_target(text: str) -> PullTarget:
    """Return what ``text`` names. Raises ``VariantChoiceError`` and ``UnsafeNameError``: what to write instead."""
    text = text.strip()
    if re.match(r"https?://", text, re.IGNORECASE):
        return _read_address(text)
    if "://" in text:
        raise _unreadable(text, "only https:// and http:// addresses can be pulled")
    return _read_repository(_HUB_PREFIX.sub("", text, count=1))


def _read_address(text: str) -> PullTarget:
    try:
        address = urlsplit(text)
        host = address.hostname
        port_is_fine = address.port is None or address.port > 0
    except ValueError:
        raise _unreadable(text, "it is no address") from None
    if not host or not port_is_fine or not text.isprintable() or " " in text:
        raise _unreadable(text, "it is no address")
    if address.username is not None or address.password is not None:
        raise VariantChoiceError("An address with a user or a password in it is not pulled: leave them out.")
    if host in HUB_HOSTS:
        return _read_page(address, text)
    name = unquote(address.path.rpartition("/")[2])
    if not name.lower().endswith(".gguf"):
        raise _unreadable(text, "an address must end in a file's name, and that in .gguf")
    safe_path(name)
    return PullTarget(url=address._replace(fragment="").geturl())


def _read_page(address: SplitResult, text: str) -> PullTarget:
    """Read a page or a file of the hub: ``/owner/name``, ``/owner/name/tree/REV``, ``/owner/name/blob/REV/FILE``."""
    parts = [unquote(part) for part in address.path.split("/") if part]
    if len(parts) < 2 or parts[0] in {"datasets", "spaces"}:
        raise _unreadable(text, "that page is no model's")
    repo, word, rest = "/".join(parts[:2]), parts[2] if len(parts) > 2 else "", parts[3:]
    if word in _FILE_WORDS and len(rest) > 1:
        return _of_file(repo, "/".join(rest[1:]), _asked(rest[0]))
    if word == "tree" and rest:
        return _of_repository(repo, None, _asked(rest[0]))
    if word == "":
        name, _, quantization = repo.partition(":")
        return _of_repository(name, quantization or None, None)
    raise _unreadable(text, "that page is no model's")


def _asked(revision: str) -> str | None:
    """Return the revision of a page; everybody's default branch was not asked for by whoever copied an address."""
    return None if revision == DEFAULT_BRANCH else revision


def _read_repository(text: str) -> PullTarget:
    name, revision = _split_revision(text)
    if name.count("/") > 1 and ":" not in "/".join(name.split("/")[:2]):
        owner, repo, file = name.split("/", 2)
        return _of_file(f"{owner}/{repo}", file, revision)
    repo, colon, quantization = name.partition(":")
    if colon and not quantization:
        raise _unreadable(text, "nothing stands behind the colon")
    if not repo:
        raise _unreadable(text, "nothing is named")
    if "/" not in repo:
        raise VariantChoiceError(
            f"'{shown(repo)}' is no repository of the form owner/name: {quoted_command('search', shown(repo))} finds "
            "some."
        )
    if quantization.lower().endswith(".gguf"):
        return _of_file(repo, quantization, revision)
    return _of_repository(repo, quantization or None, revision)


def _split_revision(text: str) -> tuple[str, str | None]:
    """Split ``@REVISION`` off. A file's name may have an ``@`` of its own: there it counts behind ``.gguf`` only."""
    at = re.search(r"(?<=\.gguf)@(?=[^@]*$)", text, re.IGNORECASE)
    if at is None and not text.lower().endswith(".gguf"):
        at = re.search(r"@", text)
    if at is None:
        return text, None
    name, revision = text[: at.start()], text[at.end() :]
    if not revision:
        raise _unreadable(text, "nothing stands behind the @")
    if label_of(revision) == revision.upper() and ":" not in name:
        raise VariantChoiceError(
            f"'@{shown(revision)}' would be a revision: write {shown(name)}:{shown(revision)} for the quantization."
        )
    return name, revision


def _of_file(repo: str, file: str, revision: str | None) -> PullTarget:
    _require_repo(repo)
    safe_path(file)
    if not file.lower().endswith(".gguf"):
        raise _unreadable(f"{repo}/{file}", "a file's name must end in .gguf")
    return PullTarget(repo=repo, file=file, revision=_require_revision(revision))


def _of_repository(repo: str, quantization: str | None, revision: str | None) -> PullTarget:
    _require_repo(repo)
    if quantization is not None and not quantization.isprintable():
        raise _unreadable(f"{repo}:{quantization}", "a quantization has no such character")
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
        text = without_query(text)  # which may be a signature
    return VariantChoiceError(f"'{shown(text)}' cannot be pulled: {why}; {_FORMS}.")
