"""Pull targets that a user may enter."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gglib.core.errors import HubError, UnsafeNameError, VariantChoiceError
from gglib.core.file_names import safe_path, safe_repo
from gglib.library.variants.pull_target import PullTarget, read_target

HUB = "https://huggingface.co"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("o/n", PullTarget(repo="o/n")),
        (" o/n \n", PullTarget(repo="o/n")),
        ("o/n:Q4_K_M", PullTarget(repo="o/n", quantization="Q4_K_M")),
        ("o/n:q4_k_m", PullTarget(repo="o/n", quantization="q4_k_m")),
        ("o/n:some-stem", PullTarget(repo="o/n", quantization="some-stem")),
        ("o/n@v1", PullTarget(repo="o/n", revision="v1")),
        ("o/n@main", PullTarget(repo="o/n", revision="main")),
        ("o/n:Q8_0@v1", PullTarget(repo="o/n", quantization="Q8_0", revision="v1")),
        ("o/n:Q8_0@refs/pr/1", PullTarget(repo="o/n", quantization="Q8_0", revision="refs/pr/1")),
        ("o/n@refs/pr/1", PullTarget(repo="o/n", revision="refs/pr/1")),
        ("o/n/a.gguf", PullTarget(repo="o/n", file="a.gguf")),
        ("o/n/A.GGUF", PullTarget(repo="o/n", file="A.GGUF")),
        ("o/n/d/a.gguf@v1", PullTarget(repo="o/n", file="d/a.gguf", revision="v1")),
        ("o/n/d/a@2x.gguf", PullTarget(repo="o/n", file="d/a@2x.gguf")),
        ("o/n/d/a@2x.gguf@v1", PullTarget(repo="o/n", file="d/a@2x.gguf", revision="v1")),
        ("o/n:a-IQ3_M.gguf", PullTarget(repo="o/n", file="a-IQ3_M.gguf")),
        ("hf://o/n", PullTarget(repo="o/n")),
        ("HF://o/n/d/f.gguf", PullTarget(repo="o/n", file="d/f.gguf")),
        ("hf.co/o/n:Q8_0", PullTarget(repo="o/n", quantization="Q8_0")),
        ("huggingface.co/o/n", PullTarget(repo="o/n")),
        (f"{HUB}/o/n", PullTarget(repo="o/n")),
        (f"{HUB}/o/n/", PullTarget(repo="o/n")),
        (f"{HUB}/o/n?show_file_info=a.gguf", PullTarget(repo="o/n")),
        (f"{HUB}/o/n/tree/main", PullTarget(repo="o/n")),
        (f"{HUB}/o/n/tree/v1/BF16", PullTarget(repo="o/n", revision="v1")),
        ("https://hf.co/o/n:Q4_0", PullTarget(repo="o/n", quantization="Q4_0")),
        (f"{HUB}/o/n/resolve/main/d/a.gguf?download=true", PullTarget(repo="o/n", file="d/a.gguf")),
        (f"{HUB}/o/n/blob/v1/a.gguf", PullTarget(repo="o/n", file="a.gguf", revision="v1")),
        (
            f"{HUB}/o/n/resolve/refs%2Fpr%2F1/a.gguf",
            PullTarget(repo="o/n", file="a.gguf", revision="refs/pr/1"),
        ),
        ("https://example.com/d/a.gguf", PullTarget(url="https://example.com/d/a.gguf")),
        ("http://127.0.0.1:8/a%20b.gguf?x=1#y", PullTarget(url="http://127.0.0.1:8/a%20b.gguf?x=1")),
        ("HTTPS://example.com/a.gguf", PullTarget(url="https://example.com/a.gguf")),
    ],
)
def test_accepted_targets(text: str, target: PullTarget) -> None:
    """Accepted are gglib's own forms, those of Ollama and llama.cpp, pages of the hub, and URLs of any server."""
    assert read_target(text) == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The pull target is empty"),
        ("gemma", "'gglib search gemma'"),
        (":Q4_0", "the repository is missing"),
        ("o/n:", "after the colon"),
        ("o/n@", "after the @"),
        ("o/n@Q4_K_M", "write o/n:Q4_K_M"),
        ("o/n@q4_k_m", "write o/n:q4_k_m"),
        ("o/n@a b", "cannot be a revision"),
        ("o/n@v1:Q4_0", "cannot be a revision"),
        ("o/n/a.bin", "must end in .gguf"),
        ("o/n/d", "must end in .gguf"),
        ("../n", "is a local path"),
        ("/nope.gguf", "'gglib add /nope.gguf' adds a local file"),
        ("~/models/a.gguf", "is a local path"),
        ("o/n--m", "cannot be a repository"),
        ("ftp://example.com/a.gguf", "only https:// and http://"),
        ("https://", "it is not a valid URL"),
        ("https://[::1/a.gguf", "it is not a valid URL"),
        ("https://example.com:99999/a.gguf", "it is not a valid URL"),
        ("https://exa mple.com/a.gguf", "it is not a valid URL"),
        ("https://example.com/a\x1b.gguf", "it is not a valid URL"),
        ("https://example.com/a.zip", "must end in a file name"),
        ("https://example.com/", "must end in a file name"),
        ("https://user:secret@example.com/a.gguf", "with a user name or password"),
        (f"{HUB}/o", "that page is not a model page"),
        (f"{HUB}/datasets/o/n", "that page is not a model page"),
        (f"{HUB}/o/n/discussions", "that page is not a model page"),
        ("o/n:Q4\nX", "the quantization contains an invalid character"),
        ("o/n:Q4\u2028X@main", "the quantization contains an invalid character"),
        (f"{HUB}/o/n:Q4%0AX", "the quantization contains an invalid character"),
        (f"{HUB}/o/n/blob/main", "that page is not a model page"),
    ],
)
def test_invalid_target_is_refused_with_a_hint(text: str, message: str) -> None:
    """The error is one printable sentence."""
    with pytest.raises(VariantChoiceError) as refusal:
        read_target(text)
    assert message in str(refusal.value)
    assert str(refusal.value).isprintable()


def test_password_is_not_repeated() -> None:
    """A URL with a password is refused without repeating it."""
    with pytest.raises(VariantChoiceError) as refusal:
        read_target("https://user:secret@example.com/a.gguf")
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "o/n/../a.gguf",
            "o/n/-a.gguf",
            "o/n/con.gguf",
            "o/n:..\\a.gguf",
            "https://example.com/%2e%2e%5ca.gguf",
        ),
        *(
            f"{HUB}/o/n/resolve/main/..%2Fa.gguf",
            "https://example.com/a%0a.gguf",
            "https://example.com/.gguf",
        ),
    ],
)
def test_file_name_must_be_storable(text: str) -> None:
    """The name is validated before any request, also if a URL hides it."""
    with pytest.raises(UnsafeNameError):
        read_target(text)


@given(st.one_of(st.text(), st.text(alphabet="abQ4_:/@.guf-", max_size=30), st.from_regex(r"https?://\S+")))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """The result is a safe repository, perhaps with a safe file, or a URL; nothing else is raised."""
    target = None
    sentence = ""
    try:
        target = read_target(text)
    except HubError as error:
        sentence = str(error)
    assert sentence.isprintable()
    if target is None:
        return
    assert (target.repo is None) != (target.url is None)
    if target.repo is not None:
        safe_repo(target.repo)
    if target.file is not None:
        safe_path(target.file)
        assert target.quantization is None
