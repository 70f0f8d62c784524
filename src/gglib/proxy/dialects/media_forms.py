"""OpenAI's forms with sound or images: their fields, which pass the same checks as those of a JSON body. Pure.

llama-server copies all text fields of a transcription into a chat request (``convert_transcriptions_to_chatcmpl``), so
a form could contain everything that a JSON body is checked for. The form itself is forwarded as it is.
"""

import json
import re
from dataclasses import dataclass

from gglib.http.multipart import FormPart, read_boundary, read_form
from gglib.proxy.errors import BadRequestError

MAX_TEXT_BYTES = 64 * 1024
"""Maximum size of a field that is not a file."""
_NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?")
_BOOLEANS = {"true": True, "false": False}
_NUMBERS = frozenset(
    ("num_ctx", "max_tokens", "max_completion_tokens", "n_predict", "n_probs", "temperature")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaForm:
    """The files of a form."""

    file: str
    """The name of the required file; ``image[]`` stands for several of them."""
    what: str
    """What it contains, in an error."""
    others: frozenset[str] = frozenset()
    """The names of optional files."""

    def accepts(self, name: str) -> bool:
        """Whether a part of this name may be a file."""
        return name.removesuffix("[]") == self.file or name in self.others


SOUND = MediaForm(file="file", what="the sound")
IMAGE = MediaForm(file="image", what="the image", others=frozenset(("mask",)))


def read_fields(form: MediaForm, body: bytes, content_type: bytes) -> bytes:
    """Return the text fields of a form as a JSON object.

    Booleans and numbers of the fields that gglib reads have their JSON type; all others are strings. Raises
    ``MalformedFormError``, and ``BadRequestError`` for a form without its file and for fields that occur twice.
    """
    parts = read_form(body, read_boundary(content_type))
    if not any(part.is_file and part.name.removesuffix("[]") == form.file for part in parts):
        raise BadRequestError(f"The form has no '{form.file}' with {form.what}.", form.file)
    fields: dict[str, object] = {}
    for part in parts:
        if part.is_file:
            if not form.accepts(part.name):
                raise BadRequestError(f"'{part.name}' must not be a file.", part.name)
            continue
        if form.accepts(part.name) or (part.name in fields and not part.name.endswith("[]")):
            raise BadRequestError(f"'{part.name}' occurs twice in the form, or is not a file.", part.name)
        fields[part.name] = _value(part)
    return json.dumps(fields, separators=(",", ":")).encode()


def _value(part: FormPart) -> object:
    if len(part.content) > MAX_TEXT_BYTES:
        raise BadRequestError(f"'{part.name}' is larger than {MAX_TEXT_BYTES // 1024} KiB.", part.name)
    try:
        text = bytes(part.content).decode()
    except UnicodeDecodeError as error:
        raise BadRequestError(f"'{part.name}' must be UTF-8.", part.name) from error
    if part.name == "stream":
        return _BOOLEANS.get(text, text)
    if part.name in _NUMBERS and _NUMBER.fullmatch(text):
        return json.loads(text) if not re.match(r"-?0[0-9]", text) else text
    return text
