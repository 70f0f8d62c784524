"""Names for a TAB: read without a trace."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from gglib.core.models import ModelSource, NewModel
from gglib.core.profiles import Profile
from gglib.db.catalog import SqliteCatalog
from gglib.db.completion_names import CompletionNames, read_completion_names


async def test_names_of_a_catalogue(
    path: Path, catalog: SqliteCatalog, new_model: Callable[..., NewModel]
) -> None:
    """Names in the order of ``list``, aliases, profiles with their models, repositories once; also beside a writer."""
    first = await catalog.add_model(new_model("b", aliases=("x", "y"), source=ModelSource(repo="o/r")))
    await catalog.add_model(new_model("a", source=ModelSource(repo="o/r")))
    await catalog.edit_profile("own", first.id, lambda _: Profile(name="own", model_id=first.id))
    await catalog.edit_profile("all", None, lambda _: Profile(name="all"))
    assert read_completion_names(path) == CompletionNames(
        names=("b", "a"), aliases=("x", "y"), profiles=(("all", None), ("own", "b")), repositories=("o/r",)
    )


async def test_reading_creates_no_file(path: Path, new_model: Callable[..., NewModel]) -> None:
    """No log beside a database that is not in use, and no database where there is none."""
    assert read_completion_names(path) == CompletionNames()
    assert not list(path.parent.iterdir())
    async with SqliteCatalog(path) as catalog:
        await catalog.add_model(new_model("a"))
    before = sorted(path.parent.iterdir())
    assert read_completion_names(path).names == ("a",)
    assert sorted(path.parent.iterdir()) == before


def test_other_format_has_the_names_that_it_has(path: Path) -> None:
    """A database of an older gglib has no profiles; a damaged one has nothing."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE names (spelling, position, model_id)")
        connection.execute("INSERT INTO names VALUES ('old', 0, 1)")
        connection.commit()
    assert read_completion_names(path) == CompletionNames(names=("old",))
    path.write_text("not a database", encoding="utf-8")
    assert read_completion_names(path) == CompletionNames()
