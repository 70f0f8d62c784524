"""Validates file names from the network: a name is rejected unless it is safe on every platform. Pure.

Names are never repaired, because a repaired name may belong to another file. Rejected are:

- names that leave their directory: ``..``, absolute paths, drives, UNC paths, backslashes (``/`` on Windows);
- names that Windows interprets differently: device names such as ``CON`` with any extension, ``:`` (a stream), trailing
  dots and spaces (dropped), and forbidden characters
  (https://learn.microsoft.com/windows/win32/fileio/naming-a-file);
- names that look different from what they are: control, bidirectional, zero-width and unassigned characters, and
  non-ASCII spaces (https://www.unicode.org/reports/tr36/);
- names that are not in NFC: macOS treats their NFC form as the same name;
- names that programs interpret: a leading ``-`` (an option), ``.`` (hidden) or ``~`` (a home directory);
- names of gglib's own temporary files (``.part``);
- names that are too long: file systems allow 255 bytes for a component, and gglib appends suffixes such as ``.part``.
"""

import re
import unicodedata
from pathlib import PurePosixPath
from urllib.parse import quote

from gglib.core.errors import UnsafeNameError
from gglib.core.part_names import PART_SUFFIX

MAX_PART_BYTES = 235
"""File systems allow 255; the rest is reserved for the suffixes of temporary files."""
MAX_PATH_BYTES = 700
"""macOS allows 1024 for a whole path; the rest is for gglib's home, the repository and its revision."""
MAX_PARTS = 16
SHOWN_CHARACTERS = 120

_RESERVED = re.compile(r"(?:con|prn|aux|nul|clock\$|conin\$|conout\$|(?:com|lpt)[0-9¹²³])", re.IGNORECASE)
_FORBIDDEN = frozenset('<>:"|?*\\')
_LEADING = frozenset("-.~ ")
_TRAILING = frozenset(". ")
_PART_FILE = re.compile(rf"{re.escape(PART_SUFFIX)}(?:\.|$)", re.IGNORECASE)
_BAD_CATEGORIES = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
# Letters and marks without a visible glyph: fillers, joiners, selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_SEPARATORS = frozenset('/\\:.*?"<>|')
# https://huggingface.co/docs/huggingface_hub: validate_repo_id has these rules, and at most 96 characters.
_REPO_PART = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?")
_MAX_REPO_CHARACTERS = 96
_REVISION = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.+/-]*[A-Za-z0-9_+])?")
_MAX_REVISION_CHARACTERS = 100


def safe_path(name: str) -> PurePosixPath:
    """Return a file's name inside a repository as a relative path that stays inside its directory on every platform.

    Raises ``UnsafeNameError``, whose message contains the escaped name and the problem.
    """
    parts = name.split("/")
    problem = _path_problem(name, parts) or next(filter(None, map(_part_problem, parts)), None)
    if problem is not None:
        raise UnsafeNameError(f"The file name '{shown(name)}' is unsafe on this machine: {problem}.")
    return PurePosixPath(*parts)


def safe_repo(repo: str) -> PurePosixPath:
    """Return ``owner/name`` as a path of two components. Raises ``UnsafeNameError`` as ``safe_path`` does."""
    parts = repo.split("/")
    if (
        len(parts) != 2
        or len(repo) > _MAX_REPO_CHARACTERS
        or not all(_REPO_PART.fullmatch(part) for part in parts)
        or any(pair in repo for pair in ("--", ".."))
        or repo.endswith(".git")
    ):
        raise UnsafeNameError(
            f"'{shown(repo)}' cannot be a repository: write it as owner/name, as the hub shows it."
        )
    return safe_path(repo)


def safe_folder(repo: str, revision: str | None = None) -> PurePosixPath:
    """Return the directory of a repository's files: ``owner/name``, or ``owner/name@revision`` for a named revision.

    A ``/`` in a revision (``refs/pr/1``) is quoted, so that two revisions never share a directory. Raises
    ``UnsafeNameError``.
    """
    path = safe_repo(repo)
    if revision is None:
        return path
    return path.with_name(f"{path.name}@{quote(safe_revision(revision), safe='+')}")


def safe_revision(revision: str) -> str:
    """Return a branch, tag or commit unchanged if it is a valid git revision name. Raises ``UnsafeNameError``."""
    if (
        not _REVISION.fullmatch(revision)
        or len(revision) > _MAX_REVISION_CHARACTERS
        or any(pair in revision for pair in ("..", "//"))
    ):
        raise UnsafeNameError(f"'{shown(revision)}' cannot be a revision: name a branch, a tag or a commit.")
    return revision


def shown(name: str) -> str:
    """Return a text for display: unprintable characters are escaped, and long texts are truncated."""
    return escaped(name if len(name) <= SHOWN_CHARACTERS else name[: SHOWN_CHARACTERS - 1] + "…")


def escaped(text: str) -> str:
    """Return a text for display, not truncated: unprintable characters are escaped."""
    return "".join(
        character if _is_plain(character) else character.encode("unicode_escape").decode("ascii")
        for character in text
    )


def is_unicode(text: str) -> bool:
    """Whether a name can be encoded as UTF-8; a file name with other bytes cannot."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _is_plain(character: str) -> bool:
    return character.isprintable() and not _INVISIBLE.match(character)


def _path_problem(name: str, parts: list[str]) -> str | None:
    if not is_unicode(name):
        return "it is not Unicode"
    if len(name.encode()) > MAX_PATH_BYTES or len(parts) > MAX_PARTS:
        return "it is too long"
    if name.startswith("/"):
        return "it is absolute"
    if unicodedata.normalize("NFC", name) != name:
        return "it is not in Unicode NFC"
    return None


def _part_problem(part: str) -> str | None:
    if part in {"", ".", ".."}:
        return "it leaves its directory, or has an empty component"
    return _character_problem(part) or _ends_problem(part)


def _character_problem(part: str) -> str | None:
    if any(unicodedata.category(character) in _BAD_CATEGORIES for character in part) or _INVISIBLE.search(
        part
    ):
        return "it has invisible characters"
    if any(character != " " and character.isspace() for character in part):
        return "it has characters that look like a space"
    if not _FORBIDDEN.isdisjoint(part):
        return 'it has one of the characters < > : " | ? * \\'
    if any(_is_separator_lookalike(character) for character in part):
        return "it has characters that look like others"
    return None


def _is_separator_lookalike(character: str) -> bool:
    """Whether NFKC maps a character to a separator or a dot, as for fullwidth forms."""
    if character.isascii():
        return False
    return not _SEPARATORS.isdisjoint(unicodedata.normalize("NFKC", character))


def _ends_problem(part: str) -> str | None:
    if part[0] in _LEADING:
        return "a component begins with a dash, a dot, a tilde or a space"
    if part[-1] in _TRAILING:
        return "a component ends with a dot or a space"
    if _RESERVED.fullmatch(part.split(".", maxsplit=1)[0].rstrip(" ")):
        return "it is a device name"
    if _PART_FILE.search(part):
        return "'.part' is reserved for incomplete downloads"
    if len(part.encode()) > MAX_PART_BYTES:
        return "a component is too long"
    return None
