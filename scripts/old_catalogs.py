"""Makes a small catalogue of each format that this repository ever had, with the code of that time.

``python scripts/old_catalogs.py`` writes ``tests/integration/db/formats/format_N.sql`` and ``.json``: the database as
SQL, and what the gglib of its time read from it. ``test_formats.py`` migrates each of them with the current code. The
code of format N is the last commit before format N + 1, that of the newest one the working tree. To find a migration
that was edited after its release, the first commit of the format must create the same tables. No commit has format 4
alone. Run it when a migration is added; it needs the whole history of git.
"""

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMATS = ROOT / "tests" / "integration" / "db" / "formats"
MIGRATIONS = "src/gglib/db/migrations.py"
FILLER = Path(__file__).with_name("old_catalog_rows.py")
HOME_NAME = "/HOME"
"""Stands for the home in the files; the tests put theirs in its place."""


def git(*arguments: str) -> str:
    """Return the output of git."""
    return subprocess.run(
        ("git", "-C", os.fspath(ROOT), *arguments), check=True, capture_output=True, text=True
    ).stdout


def format_of(commit: str | None) -> int:
    """Return the number of migrations in the file of a commit; None: of the working tree."""
    text = (
        git("show", f"{commit}:{MIGRATIONS}") if commit else (ROOT / MIGRATIONS).read_text(encoding="utf-8")
    )
    found = re.search(r"^MIGRATIONS.*?= \((.*?)\)$", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise SystemExit(f"{commit}:{MIGRATIONS} has no tuple MIGRATIONS: adapt scripts/old_catalogs.py.")
    return len([name for name in found[1].split(",") if name.strip()])


def commits_by_format() -> dict[int, tuple[str, str]]:
    """Return the first and the last commit of each format; those of the newest one end with ``HEAD``."""
    first: dict[int, str] = {}
    for commit in git("log", "--reverse", "--format=%H", "--", MIGRATIONS).split():
        first.setdefault(format_of(commit), commit)
    following = list(first.values())[1:]
    last = [*(git("rev-parse", f"{commit}^").strip() for commit in following), "HEAD"]
    return {number: (commit, end) for (number, commit), end in zip(first.items(), last, strict=True)}


def first_that_starts(first: str, last: str, directory: Path) -> str:
    """Return the first commit from ``first`` on whose source can be imported: some changes are split into several."""
    for commit in (first, *git("rev-list", "--reverse", f"{first}..{last}").split()):
        tried = subprocess.run(
            (sys.executable, "-c", "import gglib.db"),
            env=environment_of(unpacked(commit, directory)),
            check=False,
            capture_output=True,
        )
        if tried.returncode == 0:
            return commit
    raise SystemExit(f"No commit between {first[:8]} and {last[:8]} starts.")


def unpacked(commit: str, directory: Path) -> Path:
    """Unpack the source of a commit below ``directory`` and return its path for imports."""
    target = directory / commit
    if not target.exists():
        target.mkdir()
        archive = subprocess.run(
            ("git", "-C", os.fspath(ROOT), "archive", commit, "src"), check=True, capture_output=True
        ).stdout
        subprocess.run(("tar", "-x", "-C", os.fspath(target)), input=archive, check=True)
    return target / "src"


def run_old(source: Path, *arguments: str) -> str:
    """Run Python with that source on its path, and return its output."""
    return subprocess.run(
        (sys.executable, *arguments),
        env=environment_of(source),
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout


def environment_of(source: Path) -> dict[str, str]:
    """Return the environment with that source on Python's path."""
    return os.environ | {"PYTHONPATH": os.fspath(source), "PYTHONDONTWRITEBYTECODE": "1"}


def schema_of(source: Path) -> str:
    """Return the tables that the migrations of that source create."""
    program = (
        "import sqlite3; from gglib.db.migrations import migrate;"
        "c = sqlite3.connect(':memory:', isolation_level=None); migrate(c);"
        "print(*(row[0] for row in c.execute('SELECT sql FROM sqlite_master ORDER BY name')), sep='\\n')"
    )
    # Comments and spaces may change: SQLite keeps them in the text of a table.
    return re.sub(r"--[^\n]*|\s+", " ", run_old(source, "-c", program))


def dump_of(database: Path) -> str:
    """Return the database as SQL."""
    with closing(sqlite3.connect(database)) as connection:
        version: int = connection.execute("PRAGMA user_version").fetchone()[0]
        return "\n".join((*connection.iterdump(), f"PRAGMA user_version = {version};", ""))


def write_format(number: int, source: Path) -> None:
    """Write the files of one format."""
    with tempfile.TemporaryDirectory(prefix="gglib-old-") as directory:
        home = Path(directory).resolve() / "home"
        (home / "models").mkdir(parents=True)
        rows = json.loads(run_old(source, os.fspath(FILLER), os.fspath(home)))
        for suffix, text in (
            ("sql", dump_of(home / "gglib.db")),
            ("json", json.dumps(rows, indent=1, ensure_ascii=True) + "\n"),
        ):
            file = FORMATS / f"format_{number}.{suffix}"
            file.write_text(text.replace(os.fspath(home), HOME_NAME), encoding="utf-8")


def main() -> None:
    """Write the files of each format, and check that no released migration was edited."""
    FORMATS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gglib-old-source-") as name:
        sources = Path(name)
        for number, (added, last) in commits_by_format().items():
            first = first_that_starts(added, last, sources)
            if schema_of(unpacked(first, sources)) != schema_of(unpacked(last, sources)):
                raise SystemExit(f"Migration {number} was edited between {first[:8]} and {last[:8]}.")
            if number < format_of(None):
                write_format(number, unpacked(last, sources))
            print(f"format {number}: {first[:8]}..{last[:8]}")
    write_format(format_of(None), ROOT / "src")


if __name__ == "__main__":
    main()
