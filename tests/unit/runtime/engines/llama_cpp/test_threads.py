"""How many threads an engine gets, and how long they spin."""

import pytest

from gglib.core.errors import EngineArgumentError
from gglib.runtime.engines.llama_cpp.threads import known_threads, planned_threads, wait_environment


@pytest.mark.parametrize(
    ("cores", "engines", "threads"),
    [(8, 1, 8), (8, 0, 8), (8, 3, 8), (8, 4, 6), (8, 6, 4), (8, 100, 1), (1, 1, 1), (2, 3, 2), (2, 6, 1)],
)
def test_threads_follow_from_cores_and_engines(cores: int, engines: int, threads: int) -> None:
    """Up to three engines have a thread for each core; more of them share three threads per core."""
    assert planned_threads((), cores=cores, engines=engines) == threads


@pytest.mark.parametrize("engines", range(1, 40))
def test_all_engines_keep_to_the_limit(engines: int) -> None:
    """All engines together have at most three threads per core, unless each has a single one."""
    threads = planned_threads((), cores=16, engines=engines)
    assert threads is not None
    assert threads * engines <= 48


def test_unknown_cores_leave_the_engine_its_default() -> None:
    """On a system whose cores are not read, the engine decides."""
    assert planned_threads((), cores=None, engines=1) is None
    assert known_threads((), None) is None


@pytest.mark.parametrize(
    ("arguments", "known"),
    [
        (("--threads", "3"), 3),
        (("-t", "3"), 3),
        (("--threads=3", "-t", "5"), 5),
        (("--threads", "-1"), None),
        (("--threads", "0"), None),
    ],
)
def test_threads_of_the_model_win(arguments: tuple[str, ...], known: int | None) -> None:
    """The model's own argument wins; below 1 it means the engine's default."""
    assert planned_threads(arguments, cores=8, engines=1) is None
    assert known_threads(arguments, None) == known


def test_threads_for_prompts_alone_do_not_count() -> None:
    """``--threads-batch`` sets the threads for prompts; the others are still planned."""
    assert planned_threads(("--threads-batch", "2"), cores=8, engines=1) == 8
    assert known_threads(("--threads-batch", "2"), 8) == 8


def test_invalid_arguments_are_refused() -> None:
    """An invalid argument is refused, as at every use."""
    with pytest.raises(EngineArgumentError):
        planned_threads(("--threads", "many"), cores=8, engines=1)


@pytest.mark.parametrize("engines", [2, 16])
def test_spinning_is_bounded(engines: int) -> None:
    """Briefly on x86; more iterations on processors whose iterations are shorter."""
    x86 = wait_environment({}, "x86_64", engines=engines)
    arm = wait_environment({"PATH": "/bin"}, "aarch64", engines=engines)
    assert x86.keys() == arm.keys() == {"GOMP_SPINCOUNT"}
    assert 0 < int(x86["GOMP_SPINCOUNT"]) < int(arm["GOMP_SPINCOUNT"]) < 300_000


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_threads_of_a_single_engine_wait_as_they_do_by_themselves(machine: str) -> None:
    """No other engine needs the core, and an early sleep may make the engine slower."""
    assert wait_environment({}, machine, engines=1) == {}


@pytest.mark.parametrize("name", ["GOMP_SPINCOUNT", "OMP_WAIT_POLICY"])
def test_the_users_own_variable_wins(name: str) -> None:
    """A variable that the user has set, even to nothing, is left alone."""
    assert wait_environment({name: ""}, "x86_64", engines=2) == {}
