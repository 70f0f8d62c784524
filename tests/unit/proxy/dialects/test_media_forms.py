"""The fields of a form pass the checks of a JSON body."""

import json
from typing import Any

import pytest

from gglib.proxy.dialects.media_forms import IMAGE, MAX_TEXT_BYTES, SOUND, read_fields
from gglib.proxy.envelope import read_envelope
from gglib.proxy.errors import BadRequestError

TYPE = b"multipart/form-data; boundary=b"
PART = ('file"; filename="a.wav', b"RIFF")


def form(*fields: tuple[str, bytes]) -> bytes:
    """Return a form."""
    parts = (
        b'--b\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n' % (name.encode(), text)
        for name, text in fields
    )
    return b"".join(parts) + b"--b--\r\n"


def fields_of(*fields: tuple[str, bytes]) -> dict[str, Any]:
    """Return the checked fields of a form with a sound."""
    checked: dict[str, Any] = json.loads(read_fields(SOUND, form(PART, *fields), TYPE))
    return checked


def test_fields_have_their_types() -> None:
    """Names may repeat if they are those of an array; what is no number stays a text."""
    assert fields_of(
        ("model", b"m"),
        ("stream", b"true"),
        ("num_ctx", b"8192"),
        ("temperature", b"0.5"),
        ("max_tokens", b"007"),
        ("n_probs", b"x"),
        ("include[]", b"a"),
        ("include[]", b"b"),
        ("prompt", "é".encode()),
    ) == {
        "model": "m",
        "stream": True,
        "num_ctx": 8192,
        "temperature": 0.5,
        "max_tokens": "007",
        "n_probs": "x",
        "include[]": "b",
        "prompt": "é",
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ((("model", b"m"),), "file"),
        ((("file", b"not a file"),), "file"),
        ((PART, ("model", b"a"), ("model", b"b")), "model"),
        ((PART, ('model"; filename="x', b"a")), "model"),
        ((PART, ("prompt", b"\xff")), "prompt"),
        ((PART, ("prompt", b"x" * (MAX_TEXT_BYTES + 1))), "prompt"),
    ],
)
def test_what_is_refused(fields: tuple[tuple[str, bytes], ...], param: str) -> None:
    """The error names the field."""
    with pytest.raises(BadRequestError) as caught:
        read_fields(SOUND, form(*fields), TYPE)
    assert caught.value.param == param


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grammar", b"(" * 300),
        ("id_slot", b"3"),
        ("stream", b"maybe"),
        ("num_ctx", b"-1"),
        ("n_probs", b"99999"),
    ],
)
def test_the_checks_of_a_body_apply(name: str, value: bytes) -> None:
    """What would crash or block the engine is refused in a form, too."""
    checked = read_fields(SOUND, form(PART, ("model", b"m"), (name, value)), TYPE)
    with pytest.raises(BadRequestError) as caught:
        read_envelope(checked)
    assert caught.value.param == name


@pytest.mark.parametrize(
    ("names", "is_accepted"),
    [
        (("image",), True),
        (("image[]", "image[]", "mask"), True),
        (("image", "mask"), True),
        (("mask",), False),
        (("image", "file"), False),
        (("image", "mask[]"), False),
    ],
)
def test_an_image_form_has_images_and_perhaps_a_mask(names: tuple[str, ...], *, is_accepted: bool) -> None:
    """At least one image is required; other files are refused."""
    parts = [(f'{name}"; filename="a.png', b"PNG") for name in names]
    body = form(*parts, ("model", b"m"))
    if is_accepted:
        assert json.loads(read_fields(IMAGE, body, TYPE)) == {"model": "m"}
    else:
        with pytest.raises(BadRequestError):
            read_fields(IMAGE, body, TYPE)
