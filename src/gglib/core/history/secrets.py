"""Removes secrets from text: known forms of keys and tokens, private keys, passwords, and given texts. Pure.

Best effort: what has no known form stays. Every pattern takes linear time, because the texts come from requests: a
repetition is followed by nothing that could make it backtrack, or is bounded, or begins only at the start of a run.
"""

import json
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from gglib.core.history.private_keys import without_private_keys

KEY, TOKEN, PASSWORD, OWN_KEY = "API key", "token", "password", "access key of this server"


def redacted(kind: str) -> str:
    """Return what stands in place of a secret."""
    return f"[redacted: {kind}]"


class _Form(NamedTuple):
    """A form of secrets that is recognized by itself."""

    kind: str
    literals: tuple[str, ...]
    """In lower case; a text with none of them is not searched."""
    pattern: "re.Pattern[str]"


class _Named(NamedTuple):
    """A secret that is recognized by what precedes it: the group ``secret`` of ``pattern``.

    The pattern is searched in the text in lower case: ``re.IGNORECASE`` takes ten times as long, with the interpreter's
    lock held.
    """

    kind: str
    literals: tuple[str, ...]
    pattern: "re.Pattern[str]"
    has_to_look_generated: bool


def _form(kind: str, literals: str, pattern: str) -> _Form:
    return _Form(kind, tuple(literals.split()), re.compile(pattern))


def _named(kind: str, literals: str, pattern: str, *, has_to_look_generated: bool = False) -> _Named:
    return _Named(kind, tuple(literals.split()), re.compile(pattern), has_to_look_generated)


_BOUNDARY = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf]))"
"""The start of a word, also after an escaped line feed of JSON."""
_RUN_START = r"(?:(?<![A-Za-z0-9_\\-])|(?<=\\[nrtbf])|(?<=\\)(?![nrtbfu]))"
_QUOTE = r"""\\{0,8}["'`]?"""
_SEPARATOR = rf"{_QUOTE}[ \t]{{0,8}}(?::=|=>|[:=])[ \t]{{0,8}}{_QUOTE}(?!\[redacted)"
_VALUE = r"""(?:[^\s"'\\,;&<>`]|\\(?!["']))"""
"""A character of an unquoted value; a backslash, unless it escapes a quote."""
_FORMS = (
    # OpenAI, Anthropic, OpenRouter and others, and gglib's own. "task-..." is a word, unless it looks generated.
    _form(
        KEY,
        "sk-",
        rf"{_BOUNDARY}sk-[A-Za-z0-9_\-]{{16,}}|sk-(?=[a-z_\-]{{0,40}}[A-Z0-9])[A-Za-z0-9_\-]{{16,}}",
    ),
    _form(
        KEY, "sk_live_ sk_test_ rk_live_ rk_test_ whsec_", r"(?:[sr]k_(?:live|test)|whsec)_[A-Za-z0-9]{16,}"
    ),
    _form("Hugging Face token", "hf_ api_org_", r"(?:hf_|api_org_)[A-Za-z0-9]{16,}"),
    _form("GitHub token", "ghp_ gho_ ghu_ ghs_ ghr_", r"gh[pousr]_[A-Za-z0-9_]{16,}"),
    _form("GitHub token", "github_pat_", r"github_pat_[A-Za-z0-9_]{16,}"),
    _form(
        "GitLab token",
        "glpat- gldt- glrt- glcbt- glptt- glft- glsoat-",
        r"gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[A-Za-z0-9_\-]{16,}",
    ),
    _form("Slack token", "xox xapp-", r"(?:xox[a-z]|xapp)-[A-Za-z0-9\-]{10,}"),
    _form("AWS key", "akia asia", r"(?:AKIA|ASIA)[A-Z0-9]{16,}"),
    _form("Google key", "aiza", r"AIza[A-Za-z0-9_\-]{30,}"),
    _form("Google token", "ya29. gocspx-", r"(?:ya29\.|GOCSPX-)[A-Za-z0-9_.\-]{16,}"),
    _form(TOKEN, "npm_ pypi- dckr_pat_", r"(?:npm_|pypi-|dckr_pat_)[A-Za-z0-9_\-]{24,}"),
    _form(
        KEY,
        "gsk_ xai- r8_ pplx- nvapi- tvly- csk-",
        r"(?:gsk_|xai-|r8_|pplx-|nvapi-|tvly-|csk-)[A-Za-z0-9_\-]{20,}",
    ),
    _form(TOKEN, "hvs. dop_v1_ shpat_ lin_api_", r"(?:hvs\.|dop_v1_|shpat_|lin_api_)[A-Za-z0-9_\-]{20,}"),
    _form(KEY, "sg.", r"SG\.[A-Za-z0-9_\-]{16,64}\.[A-Za-z0-9_\-]{16,}"),
    _form("age key", "age-secret-key-", r"AGE-SECRET-KEY-[A-Z0-9]{16,}"),
    _form(
        "JWT", ".eyj", rf"{_RUN_START}[A-Za-z0-9_\-]{{3,}}+\.eyJ[A-Za-z0-9_\-]*+(?:\.[A-Za-z0-9_\-]*+){{0,3}}"
    ),
    _form(
        "JWT",
        "eyj",
        rf"{_RUN_START}(?=[A-Za-z0-9_\-]*?eyJ[A-Za-z0-9_\-]{{8}})[A-Za-z0-9_\-]++(?:\.[A-Za-z0-9_\-]*+){{2,4}}",
    ),
)

_NAMED = (
    _named(PASSWORD, "://", r"""://[^\s/?#@"'<>\\:]*+:(?P<secret>(?!\[redacted)[^\s/@"'<>]++)@"""),
    _named(
        TOKEN,
        "authorization",
        rf"authorization{_SEPARATOR}(?:basic|bearer|token|digest|bot|apikey) {{1,4}}(?!\[redacted)"
        rf"(?P<secret>{_VALUE}{{4,}})",
    ),
    _named(
        TOKEN,
        "authorization",
        rf"authorization{_SEPARATOR}(?P<secret>{_VALUE}{{8,}})",
        has_to_look_generated=True,
    ),
    _named(
        TOKEN,
        "bearer",
        r"bearer(?:[ \t]|%20|\+){1,4}(?!\[redacted)(?P<secret>[a-z0-9._~+/=\-]{8,})",
        has_to_look_generated=True,
    ),
    _named(
        PASSWORD,
        "passw passphrase passcode pwd",
        r"(?:password|passwd|passphrase|passcode|pwd)[a-z0-9_\-]{0,32}+"
        rf"{_SEPARATOR}(?P<secret>{_VALUE}{{4,}})",
    ),
    _named(
        "secret",
        "secret token key credential signature",
        r"(?:secret|token|api[-_ ]?key|credential|signature|(?:access|account|private|shared|signing|encryption|master|"
        rf"subscription|auth|service)[-_ ]?key)[a-z0-9_\-]{{0,32}}+{_SEPARATOR}(?P<secret>{_VALUE}{{12,}})",
        has_to_look_generated=True,
    ),
    _named("secret", "sig=", rf"[?&;]sig=(?P<secret>{_VALUE}{{12,}})", has_to_look_generated=True),
)

_GENERATED = re.compile(r".{0,64}?(?:\d|[a-z][A-Z])|.{32}", re.DOTALL)
"""A generated value has a digit or a capital inside, or is long; a word of a text is neither."""

_DECIMAL = re.compile(r"-?\d+\.\d+(?:[eE][-+]?\d+)?[\])}]*")
"""A measured value, such as ``predicted_per_token_ms`` of llama.cpp."""

_ESCAPE = re.compile(r"(?<!\\)(\\++)(?:u00([0-7][0-9a-fA-F])|/)")
"""An escape of JSON, also in JSON that is a string of JSON; with all its backslashes, to be linear."""


class SecretRemover:
    """Replaces secrets in texts by ``[redacted: KIND]``. ``own_keys`` are secrets regardless of their form."""

    __slots__ = ("_own",)

    def __init__(self, own_keys: Iterable[str] = ()) -> None:
        spellings = {spelling for key in own_keys if key for spelling in _spellings(key)}
        self._own: Sequence[str] = sorted(spellings, key=len, reverse=True)

    def clean(self, text: str) -> str:
        """Return the text without secrets, also if escapes of JSON hide them; then such escapes are replaced, too."""
        if "\\u00" in text or "\\/" in text:
            plain = _ESCAPE.sub(_unescaped, text)
            cleaned = self._clean(plain)
            if cleaned != plain:
                return cleaned
        return self._clean(text)

    def _clean(self, text: str) -> str:
        for key in self._own:
            text = text.replace(key, redacted(OWN_KEY))
        text = without_private_keys(text, redacted("private key"))
        lowered = _lowered(text)
        for form in _FORMS:
            if any(literal in lowered for literal in form.literals):
                text = form.pattern.sub(redacted(form.kind), text)
        for named in _NAMED:
            if any(literal in lowered for literal in named.literals):
                text = _without_named(text, named)
        return text


def _without_named(text: str, named: _Named) -> str:
    kept: list[str] = []
    position = 0
    for match in named.pattern.finditer(_lowered(text)):
        start, end = match.span("secret")
        if not named.has_to_look_generated or _looks_generated(text[start:end]):
            kept += (text[position:start], redacted(named.kind))
            position = end
    return "".join((*kept, text[position:]))


def _looks_generated(value: str) -> bool:
    return _GENERATED.match(value) is not None and _DECIMAL.fullmatch(value) is None


def _lowered(text: str) -> str:
    """Return a text of the same length in lower case."""
    return text.replace("\u0130", "I").lower()


def _spellings(key: str) -> Iterable[str]:
    """Yield a key as it is, and in JSON, also in JSON that is a string of JSON."""
    spelling = key
    for _ in range(5):
        yield spelling
        spelling = json.dumps(spelling)[1:-1]


def _unescaped(match: "re.Match[str]") -> str:
    """Return an escaped character, unless JSON needs its escape."""
    backslashes, code = match.groups()
    kept = (
        backslashes[1:] if len(backslashes) % 2 else ""
    )  # an odd one escapes; an even number is JSON in JSON
    if code is None:
        return f"{kept}/"
    character = chr(int(code, 16))
    if character in '"\\':
        return match[0]
    return kept + (character if character.isprintable() else "\\n")
