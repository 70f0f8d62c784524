"""The kind of a model and its projector: printed by add, changed by set, shown by show."""

import json
from pathlib import Path
from typing import Any

from gglib.testing import write_tiny_encoder, write_tiny_gguf, write_tiny_projector

from .conftest import Home


def shown(home: Home, name: str = "tiny") -> dict[str, Any]:
    """Return a model as ``gglib show --json`` prints it."""
    model: dict[str, Any] = json.loads(home.ok("show", name, "--json"))
    return model


def model_in_own_directory(home: Home, *, projector: str | None = None) -> Path:
    """Write a chat model into a separate directory, with a projector beside it."""
    directory = home.path / "files"
    directory.mkdir()
    if projector is not None:
        write_tiny_projector(directory / projector)
    return write_tiny_gguf(directory / "eye-Q4_K_M.gguf")


def test_the_kind_is_set_and_taken_back(stocked: Home) -> None:
    """The user's kind overrides the header's and is shown as the user's; --auto returns to the header's."""
    for kind in ("embedding", "rerank", "chat"):
        stocked.ok("set", "tiny", f"--{kind}")
        assert (shown(stocked)["kind"], shown(stocked)["capabilities"]) == (kind, [kind])
        assert f"Capabilities: {kind} (set)\n" in stocked.ok("show", "tiny")
    stocked.ok("set", "tiny", "--ctx", "512")
    assert shown(stocked)["kind"] == "chat"
    stocked.ok("set", "tiny", "--auto")
    assert (shown(stocked)["kind"], shown(stocked)["capabilities"]) == (None, ["chat"])
    assert "Capabilities: chat\n" in stocked.ok("show", "tiny")


def test_two_kinds_at_once_are_refused(stocked: Home) -> None:
    """Contradictory options change nothing."""
    for switches in (("--embedding", "--rerank"), ("--chat", "--auto")):
        done = stocked.run("set", "tiny", *switches)
        assert done.returncode == 2
        assert "Use only one of --embedding, --rerank, --chat" in done.stderr
    assert stocked.run("add", str(stocked.model_file), "--chat", "--rerank").returncode == 2
    assert shown(stocked)["kind"] is None


def test_add_says_what_a_model_is_for(home: Home) -> None:
    """``add`` does not recommend rerankers or embedding models for chat; the user's kind applies immediately."""
    reranker = write_tiny_encoder(home.path / "judge.gguf", pooling_type=4, has_classifier=True)
    embedder = write_tiny_encoder(home.path / "vectors.gguf")
    assert home.ok("add", str(reranker)) == (
        "Added 'judge' (id 1). It is a reranker: POST /v1/rerank "
        "('gglib set --chat judge' serves it as a chat model).\n"
    )
    assert home.ok("add", str(embedder)).startswith(
        "Added 'vectors' (id 2). It is an embedding model: POST /v1/embeddings ("
    )
    assert home.refused("run", "judge", "hi").startswith("Model 'judge' does not chat. It is a reranker: ")
    assert "It is an embedding model" in home.ok("add", str(home.model_file), "--embedding")
    kinds = [(model["capabilities"], model["kind"]) for model in json.loads(home.ok("list", "--json"))]
    assert kinds == [(["rerank"], None), (["embedding"], None), (["embedding"], "embedding")]


def test_the_header_is_read_again(stocked: Home) -> None:
    """--auto reads the header again, so a model that an older gglib classified wrongly gets its right kind."""
    write_tiny_encoder(stocked.model_file, pooling_type=4, has_classifier=True)
    stocked.ok("set", "tiny", "--auto")
    assert shown(stocked)["capabilities"] == ["rerank"]
    stocked.model_file.unlink()
    stocked.ok("set", "tiny", "--auto")
    assert shown(stocked)["capabilities"] == ["rerank"]


def test_a_projector_beside_the_file_is_taken(home: Home) -> None:
    """``add`` takes a projector beside the file as ``import`` does, and prints it; the model then supports vision."""
    file = model_in_own_directory(home, projector="mmproj-F16.gguf")
    added = home.ok("add", str(file), "--name", "eye")
    assert added.splitlines()[1:] == ["It accepts images, with the projector mmproj-F16.gguf."]
    model = shown(home, "eye")
    assert (model["projector"], model["capabilities"]) == (
        str(file.with_name("mmproj-F16.gguf")),
        ["chat", "vision"],
    )
    assert f"Projector:    {file.with_name('mmproj-F16.gguf')}" in home.ok("show", "eye")


def test_a_projector_is_set_and_taken_away(home: Home) -> None:
    """``set`` adds or removes a model's projector, which changes vision; names, settings and files stay."""
    file = model_in_own_directory(home)
    projector = write_tiny_projector(home.path / "eyes.gguf")
    home.ok("add", str(file), "--name", "eye", "--ctx", "512", "--alias", "e")
    home.ok("set", "e", "--mmproj", str(projector))
    model = shown(home, "eye")
    assert (model["projector"], model["capabilities"]) == (str(projector), ["chat", "vision"])
    assert (model["context"], model["aliases"], model["paths"]) == (512, ["e"], [str(file)])
    home.ok("set", "e", "--mmproj", "none")
    model = shown(home, "eye")
    assert (model["projector"], model["capabilities"], model["context"]) == (None, ["chat"], 512)


def test_add_takes_the_projector_that_is_named_or_none(home: Home) -> None:
    """A projector given to add, or none, overrides the file that lies beside the model."""
    file = model_in_own_directory(home, projector="mmproj-F16.gguf")
    other = write_tiny_projector(home.path / "eyes.gguf")
    home.ok("add", str(file), "--name", "blind", "--mmproj", "none")
    assert shown(home, "blind")["projector"] is None
    home.ok("rm", "blind")
    home.ok("add", str(file), "--name", "eye", "--mmproj", str(other))
    assert shown(home, "eye")["projector"] == str(other)


def test_what_is_no_projector_is_refused(stocked: Home) -> None:
    """A model, a text file, a directory and a missing file are refused as projectors, and nothing changes."""
    text = stocked.path / "text.gguf"
    text.write_text("hello", encoding="utf-8")
    for path, reason in (
        (stocked.model_file, "it is a complete model (llama)"),
        (text, "not a GGUF file"),
        (stocked.path, "it is a directory"),
        (stocked.path / "none.gguf", "No such file or directory"),
    ):
        refused = stocked.refused("set", "tiny", "--ctx", "99", "--mmproj", str(path))
        assert refused.startswith(f"{path.name} cannot be a model's projector: {reason}")
        assert refused.endswith("name its mmproj file, or 'none'.")
    assert (shown(stocked)["projector"], shown(stocked)["context"]) == (None, None)


def test_a_projector_is_not_added_as_a_model(home: Home) -> None:
    """``add`` refuses a projector, with its kind and the right command in the message."""
    projector = write_tiny_projector(home.path / "mmproj-F16.gguf")
    assert home.refused("add", str(projector)) == (
        "mmproj-F16.gguf cannot be added: it is a projector (mmproj), which goes with a vision model; "
        "add that model's own file."
    )


def test_a_neighbour_that_is_no_projector_is_left_alone(home: Home) -> None:
    """A file with the name of a projector but other content would keep the model from loading, so add ignores it."""
    file = model_in_own_directory(home)
    file.with_name("mmproj-F16.gguf").write_text("an unfinished download", encoding="utf-8")
    assert "projector" not in home.ok("add", str(file), "--name", "blind")
    assert shown(home, "blind")["projector"] is None
