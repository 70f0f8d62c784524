"""Random sequences of commands, faults and the user's writes; ``scripts/check_files.py`` runs many more."""

import os
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gglib.hf.download.retries import Retries

from .expected_homes import MOST_CALLS, TARGETS, Target, World
from .tools import shared_tools

EXAMPLES = int(os.environ.get("GGLIB_FILES_EXAMPLES", settings().max_examples // 5))
STEPS = int(os.environ.get("GGLIB_FILES_STEPS", "8"))
SEED = os.environ.get("GGLIB_FILES_SEED")
"""A seed makes a run reproducible; without a seed, hypothesis remembers failing sequences."""
PHASES = (Phase.generate,) if "GGLIB_FILES_UNSHRUNK" in os.environ else tuple(Phase)

_RECORD_FAILURE = Retries.record_failure


def _record_failure_quickly(self: Retries, received_bytes: int, jitter: float) -> float | None:
    """Wait a hundredth of the retry delay of a download: with the full delay a refused file would take 40 s."""
    pause_s = _RECORD_FAILURE(self, received_bytes, jitter)
    return None if pause_s is None else pause_s / 100


homes = st.integers(0, 2)
targets = st.sampled_from(TARGETS)
numbers = st.integers(0, 5)
links = st.sampled_from([False, False, False, True])


class FilesHold(RuleBasedStateMachine):
    """Hypothesis chooses the operations."""

    @initialize(first=st.sampled_from([*TARGETS, None]), finishes=st.booleans())
    def begin(self, first: Target | None, *, finishes: bool) -> None:
        """Start with an empty home, or one model; at the end delete everything, or only check."""
        self.patience = patch.object(Retries, "record_failure", _record_failure_quickly)
        self.patience.start()
        shared = shared_tools()
        self.is_intact = False
        self.finishes = finishes
        self.world = World(shared.local, shared.zygote, shared.quick, shared.known)
        if first is not None:
            self.world.pull(self.world.expected(0), first)

    @rule(home=homes, wanted=targets, by_link=links)
    def pull(self, home: int, wanted: Target, *, by_link: bool) -> None:
        """Pull, or update."""
        self.world.pull(self.world.expected(home), wanted, by_link=by_link)

    @rule(
        number=numbers,
        broken=st.sampled_from([None, None, None, 0, 1, 2]),
        home=homes,
        is_pulled=st.booleans(),
    )
    def publish(self, number: int, broken: int | None, home: int, *, is_pulled: bool) -> None:
        """Publish a newer version, intact or truncated, and pull it or not."""
        wanted = TARGETS[number % len(TARGETS)]
        self.world.publish(wanted.repo, broken_file=broken)
        if is_pulled:
            self.world.pull(self.world.expected(home), wanted)

    @rule(home=homes, wanted=targets, file=numbers)
    def pull_refused(self, home: int, wanted: Target, file: int) -> None:
        """Pull while the hub refuses a file."""
        self.world.pull_refused(self.world.expected(home), wanted, file)

    @rule(home=homes, wanted=targets, file=numbers, sent_bytes=st.sampled_from([0, 1, 700, 1_499]))
    def pull_killed(self, home: int, wanted: Target, file: int, sent_bytes: int) -> None:
        """Kill a pull within a file."""
        self.world.pull_killed(self.world.expected(home), wanted, file, sent_bytes)

    @rule(
        home=homes,
        wanted=targets,
        number=st.integers(1, MOST_CALLS),
        mode=st.sampled_from(["kill", "half"]),
        what=st.sampled_from(["pull", "pull", "discard", "rm", "prune"]),
    )
    def killed_at_call(self, home: int, wanted: Target, number: int, mode: str, what: str) -> None:
        """Kill a command at a call that changes files."""
        argument, name = wanted.argument, wanted.name
        arguments = {
            "pull": ("pull", argument),
            "discard": ("pull", "--discard", argument),
            "rm": ("rm", name, "--files"),
            "prune": ("prune", "--yes"),
        }[what]
        self.world.killed_at_call(self.world.expected(home), arguments, number, mode)

    @rule(home=homes, wanted=targets, by_link=links)
    def discard(self, home: int, wanted: Target, *, by_link: bool) -> None:
        """Discard a pull."""
        self.world.discard(self.world.expected(home), wanted, by_link=by_link)

    @rule(home=homes, what=st.sampled_from(["inside", "outside", "forgotten", "folder"]))
    def add(self, home: int, what: str) -> None:
        """Add or import files."""
        expected = self.world.expected(home)
        if what == "forgotten":
            self.world.add_forgotten(expected)
        elif what == "folder":
            self.world.import_folder(expected)
        else:
            self.world.add(expected, is_inside=what == "inside")

    @rule(home=homes, number=numbers, with_files=st.booleans(), by_link=links)
    def remove(self, home: int, number: int, *, with_files: bool, by_link: bool) -> None:
        """Remove a model."""
        self.world.remove(self.world.expected(home), number, with_files=with_files, by_link=by_link)

    @rule(
        home=homes,
        number=numbers,
        ctx=st.sampled_from([512, 1024, 4096]),
        alias=st.sampled_from(["", "a", "b"]),
    )
    def set(self, home: int, number: int, ctx: int, alias: str) -> None:
        """Set a context or an alias."""
        if alias:
            self.world.set_alias(self.world.expected(home), number, alias)
        else:
            self.world.set_context(self.world.expected(home), number, ctx)

    @rule(home=homes, is_pruning=st.booleans())
    def look_after(self, home: int, *, is_pruning: bool) -> None:
        """Verify, or prune."""
        if is_pruning:
            self.world.prune(self.world.expected(home))
        else:
            self.world.verify(self.world.expected(home))

    @rule(
        home=homes,
        number=numbers,
        file=numbers,
        how=st.sampled_from(["over", "into", "beside", "delete"]),
        then=st.sampled_from(["", "rm", "update", "prune"]),
    )
    def write(self, home: int, number: int, file: int, how: str, then: str) -> None:
        """Write to a model's file as the user; often an operation on that model follows."""
        expected = self.world.expected(home)
        written = self.world.write(expected, number, file, how)
        if written is not None and then:
            self.world.check()
            self.world.go_on(expected, written, then)

    @rule(home=homes, wanted=targets, file=numbers, is_pulled=st.booleans())
    def put_at_target(self, home: int, wanted: Target, file: int, *, is_pulled: bool) -> None:
        """Put a file of the user's at the target path of a pull."""
        expected = self.world.expected(home)
        self.world.put_at_target(expected, wanted, file)
        if is_pulled:
            self.world.pull(expected, wanted)

    @rule(
        home=homes,
        is_moving=st.booleans(),
        number=numbers,
        then=st.sampled_from(["", "rm", "update", "prune"]),
    )
    def copy_or_move(self, home: int, number: int, then: str, *, is_moving: bool) -> None:
        """Copy or move a home; often an operation in the new place follows."""
        expected = self.world.move(home) if is_moving else self.world.copy(home)
        if expected is not None and expected.rows and then:
            self.world.check()
            self.world.go_on(expected, sorted(expected.rows)[number % len(expected.rows)], then)

    @invariant()
    def holds(self) -> None:
        """Check the invariants."""
        if hasattr(self, "world"):
            self.is_intact = False
            self.world.check()
            self.is_intact = True

    def teardown(self) -> None:
        """At the end everything can be deleted except the user's files."""
        if hasattr(self, "patience"):
            self.patience.stop()
        if not hasattr(self, "world"):
            return
        try:
            if self.is_intact and self.finishes:  # else there is a failure to be reported already
                self.world.finish()
        finally:
            self.world.close()


_SETTINGS = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=PHASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
TestFilesHold = pytest.mark.timeout(1800)(FilesHold.TestCase)
TestFilesHold.settings = _SETTINGS
if SEED is not None:
    TestFilesHold.settings = settings(_SETTINGS, database=None)
    TestFilesHold = seed(int(SEED))(TestFilesHold)
