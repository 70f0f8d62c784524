"""A reference model of which home owns which file, checked against real homes, real SQLite and a local hub.

``World`` runs the operations that hypothesis chooses, updates the expected state of each home, and
compares. It knows only the output of the commands, not how gglib stores files.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.support.waiting import wait_until

from gglib.core.errors import InvalidGgufError
from gglib.core.models import ModelSummary
from gglib.gguf import read_model
from gglib.testing.local_hub import Fault, Host, LocalHub

from . import tiny
from .quick import Quick
from .world import (
    BIG,
    BIG_MMPROJ,
    MMPROJ,
    Q4,
    Q8,
    SHARDS,
    VISION,
    Done,
    FileState,
    Home,
    Hub,
    file_state,
    new_place,
)
from .zygote import Moment, Zygote

VERSIONS = 3
"""Per repository; the version after the last is the first again."""
MOST_HOMES = 3
MOST_CALLS = 150
ONE = "ada/one-GGUF"


@dataclass(frozen=True, slots=True)
class Target:
    """A target of ``gglib pull``."""

    argument: str
    """The TARGET argument of ``gglib pull``."""
    repo: str
    name: str
    """The name of its row."""
    files: tuple[str, ...]
    """In the order of its row."""


TARGETS = (
    Target(f"{VISION}:Q4_K_M", VISION, "eyes-Q4_K_M", (Q4, MMPROJ)),
    Target(f"{VISION}:Q8_0", VISION, "eyes-Q8_0", (Q8, MMPROJ)),
    Target(f"{BIG}:Q4_K_M", BIG, "big-Q4_K_M", (*SHARDS, BIG_MMPROJ)),
    Target(f"{ONE}:Q4_K_M", ONE, "one-Q4_K_M", ("one-Q4_K_M.gguf",)),
)


@dataclass(slots=True)
class Row:
    """The expected state of a model."""

    contents: tuple[str, ...] | None
    """The SHA-256 of each of its files; None once the user changed a file."""
    ctx: int | None = None
    aliases: frozenset[str] = frozenset()
    """The minimum set of aliases."""


@dataclass(slots=True)
class ExpectedHome:
    """The expected state of one home."""

    home: Home
    rows: dict[str, Row] = field(default_factory=dict)
    users: dict[Path, FileState] = field(default_factory=dict)
    """The user's own files, below the home and elsewhere."""
    kept: dict[Path, FileState] = field(default_factory=dict)
    """Files left by ``rm`` without ``--files``; they stay until a prune, or until a row uses their directory again."""
    may_be_unfinished: set[str] = field(default_factory=set)
    has_to_be_unfinished: set[str] = field(default_factory=set)
    link: Path | None = None
    """A symbolic link to the home."""


class World:
    """A hub, several homes, and the expected state of each."""

    def __init__(
        self, local: LocalHub, zygote: Zygote | None, quick: Quick, known: dict[tuple[str, str], list[Path]]
    ) -> None:
        self.place = new_place()
        self.quick = quick
        self.hub = Hub(local)
        self.zygote = zygote
        self._known = known
        """The paths of a target's files, relative to a home, by target and the hash of its content."""
        self._count = 0
        self.versions: dict[str, int] = {}
        self.files: dict[str, dict[str, bytes]] = {}
        self.is_broken: dict[str, bool] = {}
        local.clear_faults()
        local.forget_requests()
        for repo in (VISION, BIG, ONE):
            self.publish(repo, fresh=True)
        self.homes = [ExpectedHome(Home(self.place / "home-0", self.hub))]

    # --- the hub ---

    def publish(self, repo: str, *, fresh: bool = False, broken_file: int | None = None) -> None:
        """Publish the next version of a repository; ``broken_file``: the index of a file to truncate."""
        version = 1 if fresh else self.versions[repo] % VERSIONS + 1
        self.versions[repo] = version
        files = content_of(repo, version)
        self.is_broken[repo] = broken_file is not None
        if broken_file is not None:
            name = sorted(files)[broken_file % len(files)]
            files[name] = tiny.truncated(files[name])
        self.files[repo] = files
        if fresh:
            self.hub.local.add_repository(repo, files)
        else:
            self.hub.local.commit(repo, files)

    def rename(self, repo: str) -> None:
        """Publish the same content as another commit: a newer revision without new content."""
        self.hub.local.commit(repo, {"README.md": os.urandom(4)})

    def _wanted(self, target: Target) -> tuple[str, ...]:
        files = self.files[target.repo]
        return tuple(tiny.sha256(files[name]) for name in target.files)

    def _is_loadable(self, target: Target) -> bool:
        files, good = self.files[target.repo], content_of(target.repo, self.versions[target.repo])
        return all(files[name] == good[name] for name in target.files)

    # --- operations ---

    def expected(self, number: int) -> ExpectedHome:
        """Return the expected state of a home."""
        return self.homes[number % len(self.homes)]

    def command(self, expected: ExpectedHome, *arguments: str, by_link: bool = False) -> Done:
        """Run a command; the other homes must not change meanwhile."""
        with self._others_are_left_alone(expected):
            home = expected.home
            if by_link:
                home = self._linked(expected)
            done = home.run(*arguments)
        assert "Traceback" not in done.text, done.text
        return done

    def pull(self, expected: ExpectedHome, target: Target, *, by_link: bool = False) -> None:
        """Pull a target whose files are intact."""
        with self._others_are_left_alone(expected):
            done = self.quick.pull(self._linked(expected) if by_link else expected.home, target.argument)
        if done.returncode == 0:
            assert self._is_loadable(target), f"{target.argument} is cut short upstream, and was pulled"
            self._pulled(expected, target)
            return
        assert not self._is_loadable(target) or self._is_blocked(expected, target), done.text
        expected.may_be_unfinished.add(target.argument)
        expected.has_to_be_unfinished.discard(target.argument)  # complete, but not a model: discarded

    def pull_refused(self, expected: ExpectedHome, target: Target, file: int) -> None:
        """Pull a target while the hub refuses a file."""
        name = target.files[file % len(target.files)]
        rule = self.hub.local.inject_fault(Fault(status=403), file=name, host=Host.CDN)
        done = self.command(expected, "pull", target.argument)
        rule.end()
        if done.returncode == 0:
            self._pulled(expected, target)  # the file was not needed
            return
        expected.may_be_unfinished.add(target.argument)
        if not self._is_loadable(target):
            expected.has_to_be_unfinished.discard(target.argument)

    def pull_killed(self, expected: ExpectedHome, target: Target, file: int, sent_bytes: int) -> None:
        """Kill a pull when the hub has sent ``sent_bytes`` of a file."""
        if self.zygote is None:
            return
        name = target.files[file % len(target.files)]
        is_first = name == target.files[0]
        gate = self.hub.body_gate(name, sent_bytes, header_bytes=tiny.SIZE_BYTES if is_first else 0)
        with self._others_are_left_alone(expected):
            child = self.zygote.start(("pull", target.argument), expected.home.environment)
            wait_until(lambda: gate.has_been_reached or child.poll() is not None)
            child.kill()
            gate.release()
            text = "".join(child.communicate())
        assert "Traceback" not in text, text
        if child.returncode == 0:
            assert self._is_loadable(target)
            self._pulled(expected, target)
            return
        expected.may_be_unfinished.add(target.argument)
        if not self._is_loadable(target):  # another file may have been found to be cut short before the kill
            expected.has_to_be_unfinished.discard(target.argument)
        elif gate.has_been_reached:
            expected.has_to_be_unfinished.add(target.argument)
        self._may_have_ended(expected, target)

    def killed_at_call(
        self, expected: ExpectedHome, arguments: Sequence[str], number: int, mode: str
    ) -> None:
        """Kill a command at one of its calls that change files; then adopt the resulting state."""
        if self.zygote is None or not self.zygote.counts_calls:
            return
        before = self.quick.catalog_state(expected.home, is_opening=False).rows
        with self._others_are_left_alone(expected):
            moment = Moment(expected.home.path, number, mode)
            ended = self.zygote.run(tuple(arguments), expected.home.environment, moment)
        assert "Traceback" not in ended.text, ended.text
        target = next((one for one in TARGETS if one.argument in arguments), None)
        rows = self.quick.catalog_state(expected.home, is_opening=True).rows
        if arguments[0] == "pull" and target is not None and "--discard" not in arguments:
            expected.may_be_unfinished.add(target.argument)
            if not self._is_loadable(target):
                expected.has_to_be_unfinished.discard(target.argument)
            self._may_have_ended(expected, target)
        elif arguments[0] == "pull" and target is not None:
            expected.has_to_be_unfinished.discard(target.argument)
        elif arguments[0] == "rm" and arguments[1] not in rows:
            expected.rows.pop(arguments[1], None)
            self._end_updates(expected, before.get(arguments[1]))
        elif arguments[0] == "prune":
            expected.kept.clear()

    def discard(self, expected: ExpectedHome, target: Target, *, by_link: bool = False) -> None:
        """Discard a pull."""
        done = self.command(expected, "pull", "--discard", target.argument, by_link=by_link)
        assert done.returncode == 0 or target.argument not in expected.has_to_be_unfinished, done.text
        expected.may_be_unfinished.discard(target.argument)
        expected.has_to_be_unfinished.discard(target.argument)

    def add(self, expected: ExpectedHome, *, is_inside: bool) -> None:
        """Add a file of the user's."""
        self._count += 1
        name = f"mine-{self._count}"
        path = (expected.home.models if is_inside else self.place) / f"{name}.gguf"
        self._put(expected, path)
        done = self.command(expected, "add", str(path), "--mmproj", "none")
        assert done.returncode == 0, done.text
        expected.rows[name] = Row(contents=(expected.users[path].sha256,))

    def add_forgotten(self, expected: ExpectedHome) -> None:
        """Add a file that gglib wrote and no row names: a file left by ``rm`` without ``--files``."""
        rows = self.quick.catalog_state(expected.home, is_opening=False).rows
        used = {path for row in rows.values() for path in row.all_files}
        found = sorted(
            path
            for path in expected.home.models.rglob("*.gguf")
            if path not in used
            and path not in expected.users
            and not path.is_relative_to(expected.home.models / ".incoming")
        )
        if found:
            self._count += 1
            self.command(expected, "add", str(found[0]), "--name", f"again-{self._count}")
            row = self.quick.catalog_state(expected.home, is_opening=False).rows.get(f"again-{self._count}")
            if row is not None:
                expected.rows[f"again-{self._count}"] = Row(
                    contents=tuple(file_state(path).sha256 for path in row.all_files)
                )

    def import_folder(self, expected: ExpectedHome) -> None:
        """Import a folder of the user's."""
        self._count += 1
        folder = self.place / f"folder-{self._count}"
        path = folder / f"imported-{self._count}.gguf"
        self._put(expected, path)
        done = self.command(expected, "import", str(folder), "--yes")
        assert done.returncode == 0, done.text
        expected.rows[path.stem] = Row(contents=(expected.users[path].sha256,))

    def remove(self, expected: ExpectedHome, number: int, *, with_files: bool, by_link: bool = False) -> None:
        """Remove a row."""
        if not expected.rows:
            return
        name = sorted(expected.rows)[number % len(expected.rows)]
        row = self.quick.catalog_state(expected.home, is_opening=False).rows[name]
        before = {path: file_state(path) for path in row.all_files if path.exists()}
        done = self.command(expected, "rm", name, *(["--files"] if with_files else []), by_link=by_link)
        assert done.returncode == 0, done.text
        del expected.rows[name]
        self._end_updates(expected, row)
        if not with_files:
            gone = [path for path in before if not path.exists()]
            assert gone == [], f"'rm' without '--files' deleted {gone}"
            expected.kept |= {path: known for path, known in before.items() if path not in expected.users}

    @staticmethod
    def _end_updates(expected: ExpectedHome, removed: ModelSummary | None) -> None:
        """Record that ``rm`` discards the pending updates of its model."""
        if removed is not None:
            ended = {
                one.argument for one in TARGETS if removed.name == one.name or one.argument in removed.aliases
            }
            expected.has_to_be_unfinished -= ended

    def set_context(self, expected: ExpectedHome, number: int, ctx: int) -> None:
        """Set a model's context."""
        if expected.rows:
            name = sorted(expected.rows)[number % len(expected.rows)]
            done = self.command(expected, "set", name, "--ctx", str(ctx))
            assert done.returncode == 0, done.text
            expected.rows[name].ctx = ctx

    def set_alias(self, expected: ExpectedHome, number: int, alias: str) -> None:
        """Add an alias to a model's, unless it is taken."""
        if expected.rows:
            name = sorted(expected.rows)[number % len(expected.rows)]
            aliases = self.quick.catalog_state(expected.home, is_opening=False).rows[name].aliases
            wanted = [alias, *(one for one in aliases if one != alias)]
            done = self.command(expected, "set", name, *(word for one in wanted for word in ("--alias", one)))
            if done.returncode == 0:
                expected.rows[name].aliases = frozenset(wanted)

    def verify(self, expected: ExpectedHome) -> None:
        """Verify all models: files that the user did not change are good."""
        done = self.command(expected, "verify")
        if all(row.contents is not None for row in expected.rows.values()):
            assert done.returncode == 0, done.text

    def prune(self, expected: ExpectedHome) -> None:
        """Prune the files that no model uses; no unexplained file is left."""
        done = self.command(expected, "prune", "--yes")
        assert done.returncode == 0, done.text
        expected.kept.clear()
        left = self.unexplained(expected)
        assert left == [], f"no model or pull has {left}"

    # --- the user ---

    def go_on(self, expected: ExpectedHome, name: str, what: str) -> None:
        """Remove a model with its files, update it, or prune."""
        target = next((one for one in TARGETS if one.name == name), None)
        if what == "rm":
            self.remove(expected, sorted(expected.rows).index(name), with_files=True)
        elif what == "update" and target is not None:
            self.publish(target.repo)
            self.pull(expected, target)
        else:
            self.prune(expected)

    def write(self, expected: ExpectedHome, number: int, file: int, how: str) -> str | None:
        """Overwrite a model's file, modify it in place, add a file beside it, or delete it; return the model's name."""
        seen = self.quick.catalog_state(expected.home, is_opening=False).rows
        rows = {name: row for name, row in seen.items() if row.is_downloaded}
        if not rows:
            return None
        chosen = sorted(rows)[number % len(rows)]
        paths = rows[chosen].all_files
        path = paths[file % len(paths)]
        if how == "beside":
            self._count += 1
            self._put(expected, path.with_name(f"notes-{self._count}.txt"), b"notes %d" % self._count)
            return chosen
        if not path.is_file():
            return None
        changed = self._same_file(expected, path) if how == "into" else [path]
        if how == "into":
            path.chmod(0o644)
            with path.open("r+b") as opened:
                opened.seek(-8, os.SEEK_END)
                opened.write(os.urandom(8))
            for one in changed:
                expected.users[one] = file_state(one)
        elif how == "over":
            self._put(expected, path)
        else:
            path.unlink()
            expected.users.pop(path, None)
        for one in changed:
            expected.kept.pop(one, None)
        for name, row in rows.items():
            if set(row.all_files) & set(changed) and name in expected.rows:
                expected.rows[name].contents = None
        expected.may_be_unfinished.update(one.argument for one in TARGETS)
        return chosen

    def put_at_target(self, expected: ExpectedHome, target: Target, file: int) -> None:
        """Put a file of the user's at the target path of a pull."""
        places = self._places(target)
        path = expected.home.path / places[file % len(places)]
        if not path.exists():
            self._put(expected, path)

    def copy(self, number: int) -> ExpectedHome | None:
        """Copy a home, as ``cp -a`` does; return the copy."""
        if len(self.homes) < MOST_HOMES:
            old = self.expected(number)
            if old.home.path.exists():
                self._count += 1
                home = old.home.copied(self.place / f"copy-{self._count}")
                expected = self._translated(old, home)
                expected.may_be_unfinished |= old.has_to_be_unfinished
                expected.has_to_be_unfinished = set()
                self.homes.append(expected)
                return expected
        return None

    def move(self, number: int) -> ExpectedHome | None:
        """Move a home."""
        index = number % len(self.homes)
        old = self.homes[index]
        if old.home.path.exists():
            self._count += 1
            home = old.home.moved(self.place / f"moved-{self._count}")
            self.homes[index] = self._translated(old, home)
        return self.homes[index]

    # --- invariants ---

    def check(self) -> None:
        """Compare every home with its expected state."""
        for expected in self.homes:
            self._check_users(expected)
            self._check_home(expected)

    def finish(self) -> None:
        """Discard every pull, delete every model and prune: only the user's files are left."""
        for expected in self.homes:
            seen = self.quick.catalog_state(expected.home, is_opening=True)
            for argument in sorted(seen.unfinished):
                done = self.command(expected, "pull", "--discard", argument)
                assert done.returncode == 0, done.text
            for name in seen.rows:
                done = self.command(expected, "rm", name, "--files")
                assert done.returncode == 0, done.text
            self.command(expected, "prune", "--yes")
            assert self.unexplained(expected) == []
            self._check_users(expected)

    def close(self) -> None:
        """Delete all homes."""
        shutil.rmtree(self.place, ignore_errors=True)

    def _check_home(self, expected: ExpectedHome) -> None:
        seen = self.quick.catalog_state(expected.home, is_opening=False)
        assert set(seen.rows) == set(expected.rows), f"{sorted(seen.rows)}, not {sorted(expected.rows)}"
        for name, row in seen.rows.items():
            self._check_row(name, row, expected.rows[name])
        self._check_kept(expected, seen.rows.values())
        assert seen.unfinished <= expected.may_be_unfinished, f"{seen.unfinished} are unfinished"
        forgotten = expected.has_to_be_unfinished - seen.unfinished
        assert not forgotten, f"{forgotten} were forgotten"

    def _check_row(self, name: str, row: ModelSummary, wanted: Row) -> None:
        assert row.settings.context == wanted.ctx, f"the context of {name} is {row.settings.context}"
        assert set(row.aliases) >= wanted.aliases, f"the aliases of {name} are {row.aliases}"
        if wanted.contents is None:
            return
        found = tuple(file_state(path).sha256 if path.exists() else "gone" for path in row.all_files)
        assert found == wanted.contents, f"{name} has {row.all_files} of other versions"
        try:
            read_model(row.paths[0])
        except InvalidGgufError as error:
            raise AssertionError(f"{name} does not load: {error}") from error

    @staticmethod
    def _check_kept(expected: ExpectedHome, rows: Iterable[ModelSummary]) -> None:
        in_use = {path.parent for row in rows for path in row.all_files}
        expected.kept = {path: known for path, known in expected.kept.items() if path.parent not in in_use}
        for path, wanted in expected.kept.items():
            found = file_state(path) if path.exists() else None
            assert found == wanted, f"{path}, which 'rm' left, is {found}, not {wanted}"

    def _check_users(self, expected: ExpectedHome) -> None:
        for path, wanted in expected.users.items():
            found = file_state(path) if path.exists() else None
            assert found == wanted, f"the user's {path} is {found}, not {wanted}"

    def unexplained(self, expected: ExpectedHome) -> list[Path]:
        seen = self.quick.catalog_state(expected.home, is_opening=False)
        of_rows = {path for row in seen.rows.values() for path in row.all_files}
        directories = {path.parent for path in of_rows}
        is_pulling = bool(seen.unfinished)
        left = []
        for path in expected.home.file_states():
            is_manifest = path.name == ".gglib-version.json" and (
                path.parent in directories or any(user.parent == path.parent for user in expected.users)
            )
            is_coming = is_pulling and path.relative_to(expected.home.models).parts[0] == ".incoming"
            if not (
                path in of_rows
                or path in expected.users
                or is_manifest
                or is_coming
                or path == expected.home.models / ".home"
            ):
                left.append(path)
        return left

    # --- helpers ---

    def _pulled(self, expected: ExpectedHome, target: Target) -> None:
        rows = self.quick.catalog_state(expected.home, is_opening=False).rows
        name = next((name for name, row in rows.items() if target.argument in row.aliases), target.name)
        if name not in expected.rows:  # else it is a forgotten file that was added under another name
            assert name == target.name, f"{target.argument} is called {name}"
        known = expected.rows.get(name) or Row(contents=None)
        aliases = known.aliases | {target.argument}
        expected.rows[name] = replace(known, contents=self._wanted(target), aliases=aliases)
        expected.may_be_unfinished.discard(target.argument)
        expected.has_to_be_unfinished.discard(target.argument)

    def _may_have_ended(self, expected: ExpectedHome, target: Target) -> None:
        """Adopt the result of a killed pull: its row is unchanged, or the newest version."""
        rows = self.quick.catalog_state(expected.home, is_opening=True).rows
        row = next((row for row in rows.values() if target.argument in row.aliases), rows.get(target.name))
        if row is None:
            return
        found = tuple(file_state(path).sha256 if path.exists() else "gone" for path in row.all_files)
        known = expected.rows.get(row.name)
        if (known is None or found != known.contents) and found == self._wanted(target):
            self._pulled(expected, target)

    def _is_blocked(self, expected: ExpectedHome, target: Target) -> bool:
        places = {expected.home.path / place for place in self._places(target)}
        return bool(places & expected.users.keys())

    def _places(self, target: Target) -> list[Path]:
        """Return the paths of a target's files in any home."""
        key = (target.argument, tiny.sha256("".join(self._wanted(target)).encode()))
        if key not in self._known:
            home = Home(self.place / "learn", self.hub)
            done = self.quick.pull(home, target.argument)
            if done.returncode:
                return [Path("models") / target.repo / name for name in target.files]
            row = self.quick.catalog_state(home, is_opening=False).rows[target.name]
            self._known[key] = [path.relative_to(home.path) for path in row.all_files]
            home.erase()
        return self._known[key]

    def _put(self, expected: ExpectedHome, path: Path, content: bytes | None = None) -> None:
        self._count += 1
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = self.place / "draft"
        draft.write_bytes(tiny.model(f"user {self._count}") if content is None else content)
        draft.replace(path)
        expected.users[path] = file_state(path)

    def _same_file(self, expected: ExpectedHome, path: Path) -> list[Path]:
        inode = path.stat().st_ino
        return [
            one for one in expected.home.models.rglob("*") if one.is_file() and one.stat().st_ino == inode
        ]

    def _linked(self, expected: ExpectedHome) -> Home:
        if not expected.home.path.exists():
            return expected.home  # a dangling link is refused
        if expected.link is None or not expected.link.exists():
            self._count += 1
            expected.link = self.place / f"link-{self._count}"
            expected.link.symlink_to(expected.home.path)
        return replace(expected.home, path=expected.link)

    def _translated(self, old: ExpectedHome, home: Home) -> ExpectedHome:
        users = {}
        for path, known in old.users.items():
            is_inside = path.is_relative_to(old.home.path)
            new = home.path / path.relative_to(old.home.path) if is_inside else path
            users[new] = file_state(new) if is_inside else known
        return ExpectedHome(
            home,
            {name: replace(row) for name, row in old.rows.items()},
            users,
            {
                new: file_state(new)
                for new in (home.path / path.relative_to(old.home.path) for path in old.kept)
            },
            set(old.may_be_unfinished),
            set(old.has_to_be_unfinished),
        )

    @contextlib.contextmanager
    def _others_are_left_alone(self, expected: ExpectedHome) -> Iterator[None]:
        others = [one.home.path for one in self.homes if one is not expected]
        before = [_tree(path) for path in others]
        yield
        for path, tree in zip(others, before, strict=True):
            assert _tree(path) == tree, f"{path} was changed by a command of {expected.home.path}"


def content_of(repo: str, version: int) -> dict[str, bytes]:
    """Return the files of a repository's version; all versions of a file have one size."""
    if repo == VISION:
        return {
            Q4: tiny.model(f"q4 {version}"),
            Q8: tiny.model(f"q8 {version}"),
            MMPROJ: tiny.projector(f"mmproj {(version + 1) // 2}"),
        }
    if repo == BIG:
        shards = {
            name: tiny.model(f"shard {index} {version}", shard=(index, 2))
            for index, name in enumerate(SHARDS)
        }
        return {**shards, BIG_MMPROJ: tiny.projector(f"big {version}")}
    return {"one-Q4_K_M.gguf": tiny.model(f"one {version}")}


def _tree(path: Path) -> dict[str, tuple[int, int, int]]:
    """Return the model files below a home, by inode, size and time."""
    found = {}
    for directory, _, names in os.walk(path / "models"):
        for name in names:
            status = os.lstat(f"{directory}/{name}")
            found[f"{directory}/{name}"] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found
