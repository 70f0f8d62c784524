"""Importing models from other programs: directory trees as those programs create them, with real files."""

import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from gglib.core.errors import InvalidSettingError
from gglib.core.models import ModelSummary, NewModel
from gglib.db import SqliteCatalog
from gglib.gguf import read_model
from gglib.library.add import AddRequest, ModelFiles, add_model
from gglib.library.file_state import FileState, file_state
from gglib.library.importers.import_models import (
    ImportItem,
    ImportState,
    find_models,
    import_models,
)
from gglib.library.importers.sources import sources_of
from gglib.library.importers.walk import walk

Writer = Callable[..., Path]
NO_WAITERS = 65534
COMMIT = "2439f60ef33a0d46d85da5001d52aeda5b00ce9f"
OLDER = "bbc77c8132af1cc5cf678da3f1ddf2de43606d48"


def find(
    where: Path | str | None,
    known: Iterable[ModelSummary] = (),
    *,
    environ: Mapping[str, str] | None = None,
    home: Path | None = None,
) -> list[ImportItem]:
    """Scan the directories that the command would scan."""
    with tempfile.TemporaryDirectory() as empty:
        places = sources_of(None if where is None else str(where), environ or {}, home or Path(empty))
        return find_models(places, list(known), read_model)


def new_model(item: ImportItem) -> NewModel:
    """Return the model of an item to add."""
    assert item.state is ImportState.NEW, item
    assert item.model is not None
    return item.model


def reasons_of(items: Iterable[ImportItem]) -> dict[str, str | None]:
    """Return the reason for each skipped item."""
    return {item.name: item.reason for item in items if item.state is ImportState.SKIPPED}


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestFolder:
    def test_every_model_below_is_found(self, tmp_path: Path, write: Writer) -> None:
        """GGUF files in folders of any depth are found, with any case of the suffix; other files are not."""
        write(tmp_path / "a.gguf", 1)
        write(tmp_path / "x" / "y" / "B.GGUF", 2)
        (tmp_path / "x" / "notes.txt").write_text("hello")
        items = find(tmp_path)
        assert {item.name for item in items} == {"a", "B"}
        assert all(new_model(item).source.origin is None for item in items)

    def test_shards_are_one_model(self, tmp_path: Path, write_shards: Callable[[Path], list[Path]]) -> None:
        """A model in several files is found once, with all its files."""
        shards = write_shards(tmp_path)
        (item,) = find(tmp_path)
        assert new_model(item).paths == tuple(shards)

    def test_what_is_no_model_is_listed_with_the_reason(
        self, tmp_path: Path, write: Writer, write_header: Writer
    ) -> None:
        """Broken headers, later shards, projectors and adapters are skipped, each with a reason."""
        (tmp_path / "broken.gguf").write_bytes(b"not a model")
        write(tmp_path / "late-00002-of-00003.gguf")
        write_header(tmp_path / "mmproj-F16.gguf", "clip")
        write_header(tmp_path / "vision-tower.gguf", "clip")
        write_header(tmp_path / "style.gguf", "llama", "adapter")
        reasons = reasons_of(find(tmp_path))
        assert set(reasons) == {
            "broken.gguf",
            "late-00002-of-00003.gguf",
            "mmproj-F16.gguf",
            "vision-tower.gguf",
            "style.gguf",
        }
        assert "not a GGUF file" in (reasons["broken.gguf"] or "")
        assert "later shard" in (reasons["late-00002-of-00003.gguf"] or "")
        assert "projector" in (reasons["mmproj-F16.gguf"] or "")
        assert "projector" in (reasons["vision-tower.gguf"] or "")
        assert "LoRA" in (reasons["style.gguf"] or "")

    def test_a_projector_beside_its_model_comes_with_it(
        self, tmp_path: Path, write: Writer, write_header: Writer
    ) -> None:
        """The model has its projector and the vision capability; the projector is not a separate item."""
        write(tmp_path / "eye-Q4_K_M.gguf")
        projector = write_header(tmp_path / "mmproj-F16.gguf", "clip")
        (item,) = find(tmp_path)
        model = new_model(item)
        assert model.projector == projector
        assert model.facts.capabilities.vision

    @pytest.mark.parametrize("architecture", ["llama", None])
    def test_what_is_only_called_a_projector_stays_where_it_is(
        self, tmp_path: Path, write: Writer, write_header: Writer, architecture: str | None
    ) -> None:
        """A file with a projector's name that is another model, or broken, would prevent the model from loading."""
        write(tmp_path / "eye-Q4_K_M.gguf")
        if architecture is None:
            (tmp_path / "mmproj-F16.gguf").write_bytes(b"half a download")
        else:
            write_header(tmp_path / "mmproj-F16.gguf", architecture)
        (item,) = find(tmp_path)
        model = new_model(item)
        assert (model.projector, model.facts.capabilities.vision) == (None, False)

    def test_links_in_circles_end(self, tmp_path: Path, write: Writer) -> None:
        """A folder that contains itself, and a link to itself, are scanned once."""
        write(tmp_path / "a.gguf")
        (tmp_path / "again").symlink_to(tmp_path, target_is_directory=True)
        (tmp_path / "self").symlink_to(tmp_path / "self")
        (tmp_path / "self.gguf").symlink_to(tmp_path / "self.gguf")
        items = find(tmp_path)
        assert [item.name for item in items] == ["a", "self.gguf"]
        assert items[0].state is ImportState.NEW

    def test_a_folder_without_bounds_is_given_up(self, tmp_path: Path, write: Writer) -> None:
        """A scan of too many entries stops with a message."""
        write(tmp_path / "a.gguf")
        write(tmp_path / "b.gguf", 2)
        (fault,) = walk(tmp_path, max_entries=1).faults
        assert "more than 1 entries" in (fault.fault or "")

    def test_one_file_under_two_names_is_one_model(self, tmp_path: Path, write: Writer) -> None:
        """A symbolic or hard link to a file that was found already is not another model."""
        write(tmp_path / "a.gguf")
        os.link(tmp_path / "a.gguf", tmp_path / "b.gguf")
        (tmp_path / "c.gguf").symlink_to("a.gguf")
        items = find(tmp_path)
        assert [item.name for item in items if item.state is ImportState.NEW] == ["a"]
        assert reasons_of(items) == dict.fromkeys(("b.gguf", "c.gguf"), "it is the same file as 'a'")

    async def test_a_header_is_read_once(
        self, tmp_path: Path, write: Writer, write_header: Writer, catalog: SqliteCatalog
    ) -> None:
        """Further names of a file are not opened, whether it is a model, invalid, or in the catalogue already."""
        write(tmp_path / "a.gguf", 1)
        write_header(tmp_path / "style.gguf", "llama", "adapter")
        await add_model(AddRequest(path=write(tmp_path / "known" / "k.gguf", 2)), catalog, read_model)
        for name in ("a.gguf", "style.gguf", "known/k.gguf"):
            os.link(tmp_path / name, tmp_path / f"again-{Path(name).name}")
        read: list[Path] = []
        told_of: list[Path] = []

        def reading(path: Path) -> ModelFiles:
            read.append(path)
            return read_model(path)

        places = sources_of(str(tmp_path), {}, tmp_path)
        items = find_models(places, await catalog.list_models(), reading, told_of.append)
        assert sorted(path.name for path in read) == ["a.gguf", "again-style.gguf"]
        assert told_of == [tmp_path, *read]
        assert "LoRA" in (reasons_of(items)["style.gguf"] or "")
        assert len(items) == 6

    def test_shards_are_looked_at_wherever_they_are(
        self, tmp_path: Path, write_shards: Callable[[Path], list[Path]]
    ) -> None:
        """A first shard that is alone in one folder is a model in another folder with its second shard."""
        (tmp_path / "z").mkdir()
        first, _ = write_shards(tmp_path / "z")
        (tmp_path / "a").mkdir()
        os.link(first, tmp_path / "a" / first.name)
        alone, whole = find(tmp_path)
        assert (alone.state, whole.state) == (ImportState.SKIPPED, ImportState.NEW)

    async def test_what_is_known_is_not_found_again(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A model in the catalogue is recognized by its path, and by its file under another name."""
        write(tmp_path / "in" / "a.gguf")
        await import_models(find(tmp_path / "in"), catalog)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "b.gguf").symlink_to(tmp_path / "in" / "a.gguf")
        known = await catalog.list_models()
        for folder in ("in", "other"):
            (item,) = find(tmp_path / folder, known)
            assert (item.state, item.name) == (ImportState.KNOWN, "a")

    def test_a_name_that_is_taken_gets_a_number(self, tmp_path: Path, write: Writer) -> None:
        """Two files with one name, and a file with the name of an existing model, get different names."""
        write(tmp_path / "x" / "a.gguf", 1)
        write(tmp_path / "y" / "A.gguf", 2)
        items = find(tmp_path, [ModelSummary(id=1, name="other", aliases=("a",))])
        assert [item.name for item in items] == ["a-2", "A-3"]

    def test_a_name_that_would_be_an_id(self, tmp_path: Path, write: Writer) -> None:
        """A file whose name is only a number gets a name that the catalogue accepts."""
        write(tmp_path / "7.gguf")
        assert [item.name for item in find(tmp_path)] == ["model-7"]

    def test_what_is_no_folder_is_refused(self, tmp_path: Path) -> None:
        """The error for a path that is neither a known program nor a folder names the known programs."""
        with pytest.raises(InvalidSettingError, match="hf, ollama, lm-studio"):
            find(tmp_path / "none")
        with pytest.raises(InvalidSettingError, match="has no models"):
            find("ollama", home=tmp_path)


@pytest.fixture(name="become_nobody")
def make_become_nobody() -> Iterator[Callable[[], None]]:
    """Return a function that changes root, which no permission stops, to another user until the test ends."""
    user = os.geteuid()
    yield lambda: os.seteuid(NO_WAITERS) if user == 0 else None
    os.seteuid(user)


class TestForbidden:
    """A directory without read or search permission: some of its entries raise errors when they are accessed."""

    @pytest.fixture(name="shared", params=[0o000, 0o444])
    def make_shared(self, request: pytest.FixtureRequest) -> Iterator[Path]:
        """Return a directory that every user can reach; all directories below ``closed`` get the mode."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            root.chmod(0o755)
            closed = root / "closed"
            (closed / "models--ada--coder" / "snapshots" / COMMIT).mkdir(parents=True)
            (closed / "blobs").mkdir()
            (closed / "manifests").mkdir()
            (closed / "a.gguf").write_bytes(b"no")
            closed.chmod(request.param)
            yield root
            closed.chmod(0o755)

    def test_a_folder(self, shared: Path, become_nobody: Callable[[], None]) -> None:
        """The folder, or its visible entries, are reported as unreadable, without an unexpected error."""
        become_nobody()
        reasons = reasons_of(find(shared / "closed"))
        assert reasons
        assert all("Permission denied" in (reason or "") for reason in reasons.values())

    def test_a_cache_of_the_hub(self, shared: Path, become_nobody: Callable[[], None]) -> None:
        """The cache of another user is reported as unreadable."""
        become_nobody()
        items = find("hf", environ={"HF_HUB_CACHE": str(shared / "closed")})
        assert all("Permission denied" in (reason or "") for reason in reasons_of(items).values())

    def test_ollamas_own(self, shared: Path, become_nobody: Callable[[], None]) -> None:
        """The models of Ollama's service are reported as unreadable."""
        become_nobody()
        items = find("ollama", environ={"OLLAMA_MODELS": str(shared / "closed")})
        assert all("Permission denied" in (reason or "") for reason in reasons_of(items).values())

    def test_a_model_in_it(self, shared: Path, become_nobody: Callable[[], None]) -> None:
        """Its file is hidden, which does not mean missing; a missing file and an existing one are reported as such."""
        (shared / "b.gguf").touch()
        become_nobody()
        files = ("closed/a.gguf", "gone.gguf", "b.gguf/c.gguf", "b.gguf", "closed")
        assert [file_state(shared / name) for name in files] == [
            FileState.HIDDEN,
            FileState.GONE,
            FileState.GONE,
            FileState.HERE,
            FileState.GONE,
        ]


class HubCache:
    """The cache of the Hugging Face hub, as huggingface_hub fills it."""

    def __init__(self, root: Path, write: Writer) -> None:
        self.root = root
        self._write = write

    def add(self, commit: str, name: str, seed: int, repo: str = "ada/coder-GGUF") -> Path:
        """Add a file to a snapshot: a blob named by its hash, and a link to it."""
        directory = self.root / f"models--{repo.replace('/', '--')}"
        draft = self._write(directory / "blobs" / "draft", seed)
        blob = draft.rename(draft.with_name(sha256(draft)))
        path = directory / "snapshots" / commit / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.path.relpath(blob, path.parent))
        return path

    def name_main(self, commit: str, repo: str = "ada/coder-GGUF") -> None:
        """Set ``main`` to a commit."""
        ref = self.root / f"models--{repo.replace('/', '--')}" / "refs" / "main"
        ref.parent.mkdir(parents=True, exist_ok=True)
        ref.write_text(commit)


class TestHuggingFace:
    @pytest.fixture(name="cache")
    def make_cache(self, tmp_path: Path, write: Writer) -> HubCache:
        """Return a cache at its default path."""
        return HubCache(tmp_path / ".cache" / "huggingface" / "hub", write)

    def test_repository_revision_and_hash_are_known(self, cache: HubCache, tmp_path: Path) -> None:
        """A file is found under its readable name, with all the data of the cache."""
        path = cache.add(COMMIT, "sub/coder.Q4_K_M.gguf", 1)
        cache.name_main(COMMIT)
        (item,) = find("hf", home=tmp_path)
        model = new_model(item)
        assert (item.name, model.paths) == ("coder-Q4_K_M", (path,))
        assert (model.source.origin, model.source.repo) == ("huggingface", "ada/coder-GGUF")
        assert (model.source.revision, model.source.file) == (COMMIT, "sub/coder.Q4_K_M.gguf")
        assert model.hashes == (sha256(path),)
        assert not model.is_downloaded

    def test_the_snapshot_of_main_comes_first(self, cache: HubCache, tmp_path: Path) -> None:
        """The snapshot of ``main`` takes precedence; a file only in the older snapshot is found as well."""
        new = cache.add(COMMIT, "coder.gguf", 1)
        cache.name_main(COMMIT)
        cache.add(OLDER, "coder.gguf", 2)
        gone = cache.add(OLDER, "dropped.gguf", 3)
        items = find("hf", home=tmp_path)
        assert {new_model(item).paths[0] for item in items} == {new, gone}

    def test_a_blob_without_a_hash_for_a_name(self, tmp_path: Path, write: Writer) -> None:
        """Without links the file is in the snapshot itself, and its hash is unknown."""
        write(tmp_path / "hub" / "models--ada--coder" / "snapshots" / COMMIT / "coder.gguf")
        (item,) = find("hf", environ={"HF_HOME": str(tmp_path)})
        assert (new_model(item).hashes, new_model(item).source.repo) == ((), "ada/coder")

    def test_a_dangling_link_is_reported(self, cache: HubCache, tmp_path: Path) -> None:
        """A file whose blob was deleted is listed with the reason."""
        cache.add(COMMIT, "coder.gguf", 1).resolve().unlink()
        assert reasons_of(find("hf", home=tmp_path)) == {"coder.gguf": "its file is missing from the cache"}

    def test_a_cache_that_is_named_as_a_folder_is_known(self, cache: HubCache) -> None:
        """Importing the cache's folder by its path uses the data of the cache."""
        cache.add(COMMIT, "coder.gguf", 1)
        (item,) = find(cache.root)
        assert new_model(item).source.repo == "ada/coder-GGUF"

    def test_the_variables_are_huggingface_hubs(self, tmp_path: Path, write: Writer) -> None:
        """``HF_HUB_CACHE`` overrides ``HF_HOME``."""
        HubCache(tmp_path / "cache", write).add(COMMIT, "coder.gguf", 1)
        environ = {"HF_HUB_CACHE": str(tmp_path / "cache"), "HF_HOME": str(tmp_path / "missing")}
        assert len(find("hf", environ=environ)) == 1


class Ollama:
    """A models directory of Ollama."""

    def __init__(self, root: Path, write: Writer) -> None:
        self.root = root
        self._write = write

    def blob(self, seed: int) -> tuple[Path, str]:
        """Add a model's file; return it and its digest."""
        draft = self._write(self.root / "blobs" / f"draft-{seed}", seed)
        digest = sha256(draft)
        return draft.rename(draft.with_name(f"sha256-{digest}")), f"sha256:{digest}"

    def manifest(self, name: str, *layers: tuple[str, str], root: str = "manifests") -> Path:
        """Add a name: layers are kinds and digests."""
        path = self.root / root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(manifest_of(layers)))
        return path


def manifest_of(layers: Iterable[tuple[str, str]]) -> dict[str, object]:
    """Return a manifest in Ollama's format."""
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        "layers": [
            {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": 1}
            for kind, digest in layers
        ],
    }


LIBRARY = "registry.ollama.ai/library"


class TestOllama:
    @pytest.fixture(name="ollama")
    def make_ollama(self, tmp_path: Path, write: Writer) -> Ollama:
        """Return Ollama's directory of this user."""
        return Ollama(tmp_path / ".ollama" / "models", write)

    def test_a_name_and_its_tag(self, ollama: Ollama, tmp_path: Path) -> None:
        """A model has the name that ``ollama list`` shows; its blob is its file, with its hash."""
        blob, digest = ollama.blob(1)
        ollama.manifest(f"{LIBRARY}/llama3.2/1b", ("model", digest), ("template", "sha256:" + "0" * 64))
        (item,) = find("ollama", home=tmp_path)
        model = new_model(item)
        assert (item.name, model.paths, model.hashes) == ("llama3.2:1b", (blob,), (sha256(blob),))
        assert (model.source.origin, model.source.repo) == ("ollama", None)

    def test_two_names_of_one_file_are_one_model(self, ollama: Ollama, tmp_path: Path) -> None:
        """A second tag of the same blob becomes another name of the model."""
        _, digest = ollama.blob(1)
        for tag in ("1b", "latest"):
            ollama.manifest(f"{LIBRARY}/llama3.2/{tag}", ("model", digest))
        (item,) = find("ollama", home=tmp_path)
        assert (item.name, new_model(item).aliases) == ("llama3.2:1b", ("llama3.2:latest",))

    def test_other_owners_and_hosts_keep_their_names(self, ollama: Ollama, tmp_path: Path) -> None:
        """Names outside Ollama's library keep their owner; for models from the hub the repository is known."""
        ollama.manifest("registry.ollama.ai/ada/tiny/latest", ("model", ollama.blob(1)[1]))
        ollama.manifest("hf.co/ada/coder-GGUF/Q4_K_M", ("model", ollama.blob(2)[1]))
        items = {item.name: new_model(item) for item in find("ollama", home=tmp_path)}
        assert set(items) == {"ada/tiny:latest", "hf.co/ada/coder-GGUF:Q4_K_M"}
        assert items["hf.co/ada/coder-GGUF:Q4_K_M"].source.repo == "ada/coder-GGUF"

    def test_a_projector_layer_comes_with_the_model(self, ollama: Ollama, tmp_path: Path) -> None:
        """A model with a projector layer has the vision capability, with that blob."""
        projector, digest = ollama.blob(2)
        ollama.manifest(f"{LIBRARY}/llava/7b", ("model", ollama.blob(1)[1]), ("projector", digest))
        (item,) = find("ollama", home=tmp_path)
        assert new_model(item).projector == projector
        assert new_model(item).projector_sha256 == sha256(projector)

    def test_unusable_models_are_reported(self, ollama: Ollama, tmp_path: Path) -> None:
        """Adapters, several files, other formats, missing blobs and invalid manifests each have a reason."""
        digest = ollama.blob(1)[1]
        ollama.manifest(f"{LIBRARY}/adapted/1", ("model", digest), ("adapter", ollama.blob(2)[1]))
        ollama.manifest(f"{LIBRARY}/split/1", ("model", digest), ("model", ollama.blob(3)[1]))
        ollama.manifest(f"{LIBRARY}/cloud/1", ("license", digest))
        ollama.manifest(f"{LIBRARY}/missing/1", ("model", "sha256:" + "a" * 64))
        ollama.manifest(f"{LIBRARY}/hostile/1", ("model", "sha256:../../elsewhere"))
        (ollama.root / "manifests" / LIBRARY / "torn").mkdir()
        (ollama.root / "manifests" / LIBRARY / "torn" / "1").write_text('{"layers": [')
        reasons = reasons_of(find("ollama", home=tmp_path))
        assert {name: (reason or "").split()[-1] for name, reason in reasons.items()} == {
            "adapted:1": "support",
            "split:1": "shards",
            "cloud:1": "format",
            "missing:1": "readable",
            "hostile:1": "read",
            "torn:1": "read",
        }

    def test_the_newer_form_of_manifests(self, ollama: Ollama, tmp_path: Path) -> None:
        """Manifests that are linked blobs, and lists of one manifest per engine, are read."""
        blob, digest = ollama.blob(1)
        content = json.dumps(manifest_of([("model", digest)]))
        inner = ollama.root / "blobs" / f"sha256-{hashlib.sha256(content.encode()).hexdigest()}"
        inner.write_text(content)
        listing = {
            "mediaType": "application/vnd.ollama.manifest.list.v2+json",
            "manifests": [
                {"runner": "mlx", **manifest_of([("tensor", digest)])},
                {"runner": "llamacpp", "digest": inner.name.replace("-", ":")},
            ],
        }
        (ollama.root / "blobs" / "list").write_text(json.dumps(listing))
        path = ollama.root / "manifests-v2" / LIBRARY / "new" / "1b"
        path.parent.mkdir(parents=True)
        path.symlink_to(ollama.root / "blobs" / "list")
        (item,) = find("ollama", home=tmp_path)
        assert (item.name, new_model(item).paths) == ("new:1b", (blob,))

    def test_the_variable_says_where(self, tmp_path: Path, write: Writer) -> None:
        """``OLLAMA_MODELS`` is scanned, and its folder is recognized when given by path."""
        ollama = Ollama(tmp_path / "elsewhere", write)
        ollama.manifest(f"{LIBRARY}/a/1", ("model", ollama.blob(1)[1]))
        by_variable = find("ollama", environ={"OLLAMA_MODELS": str(ollama.root)})
        assert [item.name for item in by_variable] == [item.name for item in find(ollama.root)] == ["a:1"]


class TestLmStudio:
    @pytest.mark.parametrize("home", [".lmstudio", ".cache/lm-studio"])
    def test_folders_name_the_repository(self, tmp_path: Path, write: Writer, home: str) -> None:
        """A file in publisher and model folders has that repository as its source, wherever LM Studio's home is."""
        path = write(tmp_path / home / "models" / "ada" / "coder-GGUF" / "coder-Q4_K_M.gguf")
        (item,) = find("lm-studio", home=tmp_path)
        model = new_model(item)
        assert (model.paths, model.source.origin) == ((path,), "lm-studio")
        assert (model.source.repo, model.source.file) == ("ada/coder-GGUF", "coder-Q4_K_M.gguf")

    def test_a_home_that_was_moved(self, tmp_path: Path, write: Writer) -> None:
        """LM Studio's pointer file is followed."""
        write(tmp_path / "disk" / "models" / "ada" / "coder" / "a.gguf")
        (tmp_path / ".lmstudio-home-pointer").write_text(f"{tmp_path / 'disk'}\n")
        assert [item.name for item in find("lm-studio", home=tmp_path)] == ["a"]


class TestAll:
    async def test_all_places_at_once_and_only_once(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """Without an argument all known programs are scanned; added models are recognized the next time."""
        HubCache(tmp_path / ".cache" / "huggingface" / "hub", write).add(COMMIT, "hub.gguf", 1)
        ollama = Ollama(tmp_path / ".ollama" / "models", write)
        ollama.manifest(f"{LIBRARY}/llama/1", ("model", ollama.blob(2)[1]))
        write(tmp_path / ".lmstudio" / "models" / "ada" / "x" / "studio.gguf", 3)
        items = find(None, home=tmp_path)
        assert [(item.source, item.name) for item in items] == [
            ("hf", "hub"),
            ("ollama", "llama:1"),
            ("lm-studio", "studio"),
        ]
        added = await import_models(items, catalog)
        assert {item.state for item in added} == {ImportState.ADDED}
        again = find(None, await catalog.list_models(), home=tmp_path)
        assert {item.state for item in again} == {ImportState.KNOWN}
        assert {model.source.origin for model in await catalog.list_models()} == {
            "huggingface",
            "ollama",
            "lm-studio",
        }

    async def test_one_that_fails_keeps_no_other_out(
        self, tmp_path: Path, write: Writer, catalog: SqliteCatalog
    ) -> None:
        """A name that was taken since the list was shown is reported, and the rest is added."""
        write(tmp_path / "a.gguf", 1)
        write(tmp_path / "b.gguf", 2)
        items = find(tmp_path)
        await catalog.add_model(
            NewModel(name="a", paths=(Path("/other"),), size_bytes=1, facts=new_model(items[0]).facts)
        )
        failed, added = await import_models(items, catalog)
        assert (failed.state, added.state) == (ImportState.FAILED, ImportState.ADDED)
        assert "taken" in (failed.reason or "")
