"""Engine options on the real engine: each works through gglib and shows its effect."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from gglib.testing import write_tiny_gguf, write_tiny_lora

if TYPE_CHECKING:
    from tests.e2e.conftest import Gglib
else:
    Gglib = object

pytestmark = pytest.mark.e2e
TRAINED = 512


@pytest.fixture(scope="module")
def model(gglib: Gglib) -> Path:
    """Write a model with heads of 32 elements into the shared server's home."""
    return write_tiny_gguf(gglib.home / "files" / "base.gguf", context_length=TRAINED, head_count=2)


@pytest.fixture(scope="module")
def base(gglib: Gglib, model: Path) -> str:
    """Return the answer of the model without options."""
    gglib.command("add", str(model), "--name", "base", "--engine-args", "--threads 1")
    return text_of(ask(gglib, "base"))


def copied(model: Path, name: str) -> Path:
    """Return a copy of the model."""
    copy = model.with_name(f"{name}.gguf")
    copy.write_bytes(model.read_bytes())
    return copy


def add(gglib: Gglib, model: Path, name: str, *words: str) -> None:
    """Add a copy of the model with options."""
    gglib.command("add", str(copied(model, name)), "--name", name, "--engine-args", "--threads 1", *words)


def ask(gglib: Gglib, name: str, prompt: str = "Hello", **fields: object) -> dict[str, Any]:
    """Return the response of a model to a chat."""
    body = {
        "model": name,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 16,
        "temperature": 0,
    }
    response = httpx2.post(
        f"{gglib.url}/v1/chat/completions", json=body | fields, timeout=60, trust_env=False
    )
    found: dict[str, Any] = response.json()
    assert response.status_code == 200, found
    return found


def text_of(response: dict[str, Any]) -> str:
    """Return the text of a response."""
    return str(response["choices"][0]["message"]["content"])


def log_of(gglib: Gglib, name: str) -> str:
    """Return the log of a model's engine."""
    return (gglib.home / "logs" / "engines" / f"{name}.log").read_text()


def test_adapters_change_the_answer(gglib: Gglib, model: Path, base: str) -> None:
    """A LoRA by its scale: with 0 it changes nothing."""
    lora = write_tiny_lora(gglib.home / "files" / "style, 1.gguf")  # a comma separates adapters
    add(gglib, model, "lora", "--lora", str(lora))
    add(gglib, model, "lora-off", "--lora", f"{lora}:0")
    assert text_of(ask(gglib, "lora")) != base
    assert text_of(ask(gglib, "lora-off")) == base


def test_several_adapters_add_up(gglib: Gglib, model: Path, base: str) -> None:
    """Opposite scales of the same adapter cancel each other."""
    lora = write_tiny_lora(gglib.home / "files" / "both.gguf")
    add(gglib, model, "cancelled", "--lora", f"{lora}:0.5", "--lora", f"{lora}:-0.5")
    assert text_of(ask(gglib, "cancelled")) == base


def test_a_draft_model_drafts(gglib: Gglib, model: Path, base: str) -> None:
    """The same weights draft what the model would say, so that the answer is the same."""
    add(gglib, model, "drafted", "--draft", str(copied(model, "draft")))
    response = ask(gglib, "drafted")
    assert text_of(response) == base
    assert response["timings"]["draft_n_accepted"] > 0


def test_a_template_from_a_file_makes_the_prompt(gglib: Gglib, model: Path) -> None:
    """It is longer than the model's own by a known text."""
    template = gglib.home / "files" / "long.jinja"
    template.write_text("{% for m in messages %}[{{ m.content }}]{% endfor %}", encoding="utf-8")
    add(gglib, model, "templated", "--template", str(template))
    # One token for each character, and one for the beginning.
    assert ask(gglib, "templated", "Hello")["usage"]["prompt_tokens"] == 1 + len("[Hello]")


def test_a_built_in_template_makes_the_prompt(gglib: Gglib, model: Path) -> None:
    """Its name is not taken for its text."""
    add(gglib, model, "vicuna", "--template", "vicuna")
    response = httpx2.post(
        f"{gglib.url}/apply-template",
        json={"model": "vicuna", "messages": [{"role": "user", "content": "Hello"}]},
        timeout=60,
        trust_env=False,
    )
    assert response.json()["prompt"] == "USER: Hello\nASSISTANT:"


def test_a_quantized_cache_is_used(gglib: Gglib, model: Path, base: str) -> None:
    """The engine serves with it; its type changes the numbers slightly, which 4 bits show."""
    add(gglib, model, "quantized", "--kv-type", "q4_0")
    ask(gglib, "base")
    assert text_of(ask(gglib, "quantized", "Hello " * 20)) != text_of(ask(gglib, "base", "Hello " * 20))


def test_yarn_serves_a_context_above_the_trained_one(gglib: Gglib, model: Path, base: str) -> None:
    """A prompt of more tokens than the model was trained for is answered; without YaRN it is refused."""
    words = "--rope-scaling yarn --rope-scale 4 --threads 1"
    gglib.command("add", str(copied(model, "long")), "--name", "long", "--ctx", "max", "--engine-args", words)
    prompt = "x" * (TRAINED + 100)
    response = ask(gglib, "long", prompt)
    assert response["usage"]["prompt_tokens"] > TRAINED
    body = {"model": "base", "messages": [{"role": "user", "content": prompt}], "max_tokens": 4}
    refused = httpx2.post(f"{gglib.url}/v1/chat/completions", json=body, timeout=60, trust_env=False)
    assert refused.status_code == 400


def test_the_environment_reaches_the_engine(gglib: Gglib, model: Path) -> None:
    """The variables of a model are those of its engine's process only."""
    add(gglib, model, "variables", "--env", "CUDA_VISIBLE_DEVICES=7", "--env", "GGML_TEST=a b")
    ask(gglib, "variables")
    environment = Path(f"/proc/{gglib.pid_of('variables')}/environ").read_bytes().split(b"\0")
    assert {b"CUDA_VISIBLE_DEVICES=7", b"GGML_TEST=a b"} <= set(environment)
