"""The directories of the home."""

import stat
from pathlib import Path

import pytest

from gglib.app.settings import Settings, prepare_home
from gglib.core.errors import CatalogError


def test_home_is_private_to_its_owner(tmp_path: Path) -> None:
    """The home and its content are created with mode 0700, and creating them twice is allowed."""
    settings = Settings(home=tmp_path / "a" / "home")
    prepare_home(settings)
    prepare_home(settings)
    for directory in (settings.home, settings.models_dir, settings.log_dir, settings.run_dir):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_home_that_cannot_be_created_is_one_sentence(tmp_path: Path) -> None:
    """A file in place of the home is reported, with the remedy."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(CatalogError, match=r"cannot be used .*--home"):
        prepare_home(Settings(home=tmp_path / "file" / "home"))


def test_dangling_link_as_home_is_refused(tmp_path: Path) -> None:
    """Most likely its disk is not mounted: nothing is created in its place, and the sentence names both ends."""
    link, place = tmp_path / "home", tmp_path / "disk" / "home"
    link.symlink_to(place)
    with pytest.raises(
        CatalogError, match=rf"home {link} is a symlink to {place}, which does not exist: mount or create"
    ):
        prepare_home(Settings(home=link))
    assert not place.parent.exists()
