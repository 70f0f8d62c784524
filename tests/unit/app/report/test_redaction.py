"""The redaction of reports: nothing private stays, whatever it looks like, and what helps does."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.app.report.gathering import source_words
from gglib.app.report.redaction import LEFT_OUT, ReportRedactor, numbered

WORDS = source_words()
NAMES = {
    **numbered("model", ("Big Secret Model:Q4_K_M", "tiny", "Ä-model")),
    **numbered("key", ("alice",)),
    "/home/alice": "~",
    "sk-alice-0123456789": "[key]",
}
REDACTOR = ReportRedactor(WORDS, NAMES)

secrets = st.one_of(
    st.text(string.ascii_letters + string.digits, min_size=10, max_size=40).filter(
        lambda text: text.lower() not in WORDS and any(map(str.isdigit, text))
    ),
    st.text(string.hexdigits, min_size=12, max_size=64).filter(lambda text: text.lower() not in WORDS),
    st.uuids().map(str),
    st.integers(10**9, 10**40).map(str),
    st.text(string.ascii_lowercase, min_size=3, max_size=12).map(lambda text: f"zq{text}xj"),
    st.text(st.characters(categories=["Lu", "Ll", "Lo"], min_codepoint=0xC0), min_size=2, max_size=12),
)
frames = st.sampled_from(
    (
        "{}",
        "the key {} is invalid",
        "http://user:{}@models.example:8000/v1",
        "https://{}/path?token={}",
        "token={}",
        'model="{}"',
        "/srv/{}/models/file.gguf",
        "{}: error",
        "['{}', '{}']",
        "Authorization: Bearer {}",
        "a@{}.example",
        "x{}",
        "\x1b[31m{}\x1b[0m",
        "-{}-",
        "\0{}\0",
    )
)


@given(secrets, frames)
def test_no_secret_stays(secret: str, frame: str) -> None:
    """Whatever a word is that gglib does not use itself, it is left out, wherever it is in a line."""
    shown = REDACTOR.text(frame.replace("{}", secret))
    assert secret.casefold() not in shown.casefold()


@given(st.sampled_from(sorted(NAMES)), frames)
def test_no_known_name_stays(name: str, frame: str) -> None:
    """Names of the home are replaced, also those that consist of ordinary words."""
    shown = REDACTOR.text(frame.replace("{}", name).replace("x" + name, f"x {name}"))
    assert name.casefold() not in shown.casefold()


@given(st.text())
def test_any_text(text: str) -> None:
    """Any text is redacted without an error, and twice is the same as once."""
    shown = REDACTOR.text(text)
    assert REDACTOR.text(shown) == shown


@pytest.mark.parametrize(
    "line",
    [
        "2026-11-30T13:08:48.123+01:00 INFO gglib: the settings were not reloaded",
        "2026-11-30 13:08:48,123 WARNING the model was unloaded after 600 s",
        "POST /v1/chat/completions 200 12ms 4.3 GB",
        "llama.cpp b11434, version 0.1.0, xllamacpp 2026.10.11549",
        "http://127.0.0.1:8080 is free",
        "[model 1] -> [model 2]: error",
        "context=4096 slots=4",
        "",
    ],
)
def test_what_helps_stays(line: str) -> None:
    """Times, routes, sizes, builds and gglib's own sentences are unchanged."""
    assert REDACTOR.text(line) == line


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("model big secret model:q4_k_m failed", "model [model 1] failed"),
        ("'tiny': loaded", "'[model 2]': loaded"),
        ("/home/alice/models", "~/models"),
        ("10.1.2.3 connected", f"{LEFT_OUT} connected"),
        ("http://10.1.2.3:80", LEFT_OUT),
        ("client 2001:470::1 and [2001:470:1::2]:80", f"client {LEFT_OUT} and [{LEFT_OUT}"),
        ("::1", LEFT_OUT),
        ("from 10:20:30:40:50:60", f"from {LEFT_OUT}"),
        ("zoe@box.example", LEFT_OUT),
        ("password=hunter2x", f"password={LEFT_OUT}"),
        ("password=zaphod=x", f"password={LEFT_OUT}"),
        ("(xyzzyq)", f"({LEFT_OUT})"),
    ],
)
def test_examples(line: str, shown: str) -> None:
    """What is replaced, and by what."""
    assert REDACTOR.text(line) == shown


def test_without_names() -> None:
    """A home without names has nothing to replace."""
    assert ReportRedactor(WORDS, {"": "[model 1]"}).text("the model") == "the model"
