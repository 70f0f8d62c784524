"""``add``: the name of the model, what is refused, and what is stored."""

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from gglib.core.errors import InvalidGgufError, InvalidSettingError, ModelExistsError
from gglib.core.models import GgufFacts
from gglib.library.add import (
    AddRequest,
    ModelFiles,
    add_model,
    default_name,
)
from gglib.testing import FakeCatalog


@dataclass(frozen=True)
class Files:
    """The result of a reader."""

    facts: GgufFacts
    paths: tuple[Path, ...]
    size_bytes: int = 7


def reads(path: Path) -> ModelFiles:
    """Stand in for the header reader: every file is a llama in one piece."""
    return Files(GgufFacts(architecture="llama"), (path,))


@pytest.fixture(name="file")
def make_file(tmp_path: Path) -> Path:
    """Return a file that exists."""
    path = tmp_path / "My Model.Q4_K_M.gguf"
    path.write_bytes(b"GGUF")
    return path


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("SmolLM2-135M-Instruct.Q4_1.gguf", "SmolLM2-135M-Instruct-Q4_1"),
        ("qwen2.5-7b-instruct-q4_k_m.gguf", "qwen2.5-7b-instruct-q4_k_m"),
        ("gemma-3.IQ2_XXS.GGUF", "gemma-3-IQ2_XXS"),
        ("big-00001-of-00003.gguf", "big"),
        ("big.BF16-00002-of-00002.gguf", "big-BF16"),
        ("a  strange (name).gguf", "a-strange-name"),
        ("no-ending", "no-ending"),
        (".hidden.gguf", "hidden"),
        ("größe.gguf", "größe"),
        ("हिन्दी.gguf", "हिन्दी"),
        ("தமிழ் 7B.Q4_K_M.gguf", "தமிழ்-7B-Q4_K_M"),
        ("Me\u0301lodie.gguf", "M\u00e9lodie"),
        ("q\u0323\u0307.gguf", "q\u0323\u0307"),
        ("क\u200dष.gguf", "कष"),
        ("\u0301x.gguf", "x"),
        ("a - b.gguf", "a-b"),
        ("cafe\udcff.gguf", "cafe"),
        ("e\u0302\u0323" + "q\u0323" * 60 + ".gguf", "\u1ec7" + "q\u0323" * 49),
    ],
)
def test_name_is_derived_from_the_file(file_name: str, name: str) -> None:
    """Ending, shard number and odd characters go; versions with dots stay; the quantization stays readable."""
    assert default_name(Path(file_name)) == name


@pytest.mark.parametrize(
    ("file_name", "sentence"),
    [
        ("7.gguf", r"7\.gguf cannot be added as '7', which would be taken for an id: .* with --name NAME\."),
        ("\u0667.gguf", "which would be taken for an id"),
        ("---.gguf", r"under its own name, which has no letter: .* with --name NAME\."),
    ],
)
async def test_a_derived_name_that_cannot_be_used_asks_for_another(
    tmp_path: Path, file_name: str, sentence: str
) -> None:
    """With the option that sets it."""
    path = tmp_path / file_name
    path.touch()
    with pytest.raises(InvalidSettingError, match=sentence):
        await add_model(AddRequest(path=path), FakeCatalog(), reads)
    assert (await add_model(AddRequest(path=path, name="seven"), FakeCatalog(), reads)).name == "seven"


async def test_names_are_stored_composed(file: Path) -> None:
    """A name and an alias that were entered in NFD are found in NFC."""
    added = await add_model(
        AddRequest(path=file, name="Me\u0301lodie", aliases=("e\u0301",)), FakeCatalog(), reads
    )
    assert (added.name, added.aliases) == ("M\u00e9lodie", ("\u00e9",))


@pytest.mark.parametrize("is_directory", [True, False])
async def test_name_that_is_not_utf8_is_refused(tmp_path: Path, *, is_directory: bool) -> None:
    """The file or its directory: no JSON could carry the path. The sentence can be printed."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.gguf")
    path = odd / "a.gguf" if is_directory else odd
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"GGUF")
    with pytest.raises(InvalidGgufError) as caught:
        await add_model(AddRequest(path=path), FakeCatalog(), reads)
    shown = str(path).replace("\udce9", r"\udce9")
    assert str(caught.value) == (
        f"{shown} cannot be added: its name is not UTF-8; rename the file or its directory."
    )
    assert str(caught.value).isprintable()


async def test_shard_that_is_not_utf8_is_refused(file: Path) -> None:
    """All files of a model are checked."""

    def split(path: Path) -> ModelFiles:
        return Files(GgufFacts(architecture="llama"), (path, path.with_name("b\udcff.gguf")))

    with pytest.raises(InvalidGgufError, match="not UTF-8"):
        await add_model(AddRequest(path=file), FakeCatalog(), split)


async def test_nul_in_a_path_is_an_error() -> None:
    """A client that posts a NUL gets a response, not a crash."""
    with pytest.raises(InvalidGgufError, match=r"a\\x00b cannot be added: no file can have this name\."):
        await add_model(AddRequest(path=Path("/a\0b")), FakeCatalog(), reads)


async def test_arguments_reach_the_store(file: Path) -> None:
    """Names, facts and size are stored, under the absolute path."""
    store = FakeCatalog()
    added = await add_model(AddRequest(path=file, aliases=("m",)), store, reads)
    assert (added.name, added.aliases, added.size_bytes) == ("My-Model-Q4_K_M", ("m",), 7)
    assert added.paths == (file,)
    assert (await store.list_models()) == [added]


async def test_relative_path_becomes_absolute(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is started elsewhere finds the file."""
    monkeypatch.chdir(file.parent)
    added = await add_model(AddRequest(path=Path("..") / file.parent.name / file.name), FakeCatalog(), reads)
    assert added.paths == (file,)


async def test_link_keeps_its_own_name(file: Path) -> None:
    """Caches keep readable links to files that are named by a hash: the link is what is added."""
    link = file.with_name("readable.gguf")
    link.symlink_to(file)
    added = await add_model(AddRequest(path=link), FakeCatalog(), reads)
    assert (added.name, added.paths) == ("readable", (link,))


async def test_later_shard_adds_the_whole_model(tmp_path: Path) -> None:
    """For any named shard, the model has all of them, the first one first."""
    shards = tuple(tmp_path / f"big-0000{number}-of-00002.gguf" for number in (1, 2))
    for shard in shards:
        shard.write_bytes(b"GGUF")
    files = Files(GgufFacts(architecture="llama"), shards)
    added = await add_model(AddRequest(path=shards[1]), FakeCatalog(), lambda _: files)
    assert (added.name, added.paths) == ("big", shards)


async def test_projector_is_refused(file: Path) -> None:
    """The error says that a projector is not a model."""
    projector = Files(GgufFacts(architecture="clip"), (file,))
    with pytest.raises(InvalidGgufError, match="projector"):
        await add_model(AddRequest(path=file), FakeCatalog(), lambda _: projector)


async def test_broken_file_is_named_with_the_reason(file: Path) -> None:
    """The reader's phrase becomes a sentence that names the file."""

    def fails(_: Path) -> ModelFiles:
        raise InvalidGgufError("its header holds nothing")

    with pytest.raises(InvalidGgufError) as raised:
        await add_model(AddRequest(path=file), FakeCatalog(), fails)
    assert str(raised.value) == "My Model.Q4_K_M.gguf cannot be added: its header holds nothing."


async def test_same_file_and_taken_name_are_different_errors(file: Path) -> None:
    """The same file again names its model; another file with a taken name says how to name it."""
    store = FakeCatalog()
    await add_model(AddRequest(path=file, name="m"), store, reads)
    with pytest.raises(ModelExistsError, match="is already in the catalogue as 'm'"):
        await add_model(AddRequest(path=file, name="m"), store, reads)
    other = file.with_name("other.gguf")
    other.write_bytes(b"GGUF")
    with pytest.raises(ModelExistsError, match="--name"):
        await add_model(AddRequest(path=other, name="m"), store, reads)
    assert len(await store.list_models()) == 1


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        (GgufFacts(architecture="clip"), "projector"),
        (GgufFacts(architecture="llama", kind="mmproj"), "projector"),
        (GgufFacts(architecture="llama", kind="adapter"), "LoRA"),
    ],
)
async def test_companions_are_refused(file: Path, facts: GgufFacts, what: str) -> None:
    """A projector and an adapter are refused, each with its kind."""
    with pytest.raises(InvalidGgufError, match=what):
        await add_model(AddRequest(path=file), FakeCatalog(), lambda path: Files(facts, (path,)))


async def test_facts_of_a_download_reach_the_store(file: Path) -> None:
    """Hashes, and that gglib may delete the file, are kept."""
    request = AddRequest(path=file, hashes=("a" * 64,), is_downloaded=True)
    added = await add_model(request, FakeCatalog(), reads)
    assert (added.hashes, added.is_downloaded) == (("a" * 64,), True)


async def test_special_file_is_not_opened(tmp_path: Path) -> None:
    """Opening a pipe would wait for its writer: in a server for ever."""
    pipe = tmp_path / "pipe.gguf"
    os.mkfifo(pipe)

    def never(path: Path) -> ModelFiles:
        raise AssertionError(path)

    with pytest.raises(InvalidGgufError, match="not a regular file"):
        await add_model(AddRequest(path=pipe), FakeCatalog(), never)
