"""Keeps the gglib of a home alive."""

from gglib.nodes.ray.serve_keeper import ServedAddress, ServeKeeper


class FakeHome:
    """A home whose gglib a test starts and ends."""

    def __init__(self) -> None:
        self.starts = 0
        self.served: ServedAddress | None = None
        self.is_alive = False
        self.error: OSError | None = None

    def find(self) -> ServedAddress | None:
        """Return what the test has set."""
        return self.served

    def start(self) -> None:
        """Count the start."""
        self.starts += 1
        if self.error is not None:
            raise self.error
        self.is_alive = True

    def is_starting(self) -> bool:
        """Whether it was started and has not ended."""
        return self.is_alive

    def exit_reason(self) -> str:
        """Return a sentence."""
        return "The port is in use."


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now_s


def served(pid: int = 7, url: str | None = "http://a:1", problem: str = "") -> ServedAddress:
    """Return a gglib."""
    return ServedAddress(pid=pid, url=url, key="sk", problem=problem)


def test_one_that_runs_is_adopted() -> None:
    """Nothing is started."""
    home = FakeHome()
    home.served = served()
    keeper = ServeKeeper(home)
    keeper.step()
    assert (keeper.url, keeper.key, keeper.failure, home.starts) == ("http://a:1", "sk", "", 0)


def test_one_is_started_and_awaited() -> None:
    """Never two, however long the first one takes."""
    home, clock = FakeHome(), Clock()
    keeper = ServeKeeper(home, clock=clock)
    for _ in range(5):
        keeper.step()
        clock.now_s += 100
    assert (home.starts, keeper.url, keeper.failure) == (1, None, "It is starting.")
    home.served = served(url=None)
    keeper.step()
    assert (keeper.url, keeper.failure) == (None, "It is starting.")
    home.served = served()
    keeper.step()
    assert (home.starts, keeper.url) == (1, "http://a:1")


def test_one_that_is_starting_already_is_awaited() -> None:
    """An agent before this one started it."""
    home = FakeHome()
    home.is_alive = True
    keeper = ServeKeeper(home)
    keeper.step()
    assert home.starts == 0


def test_one_that_ends_is_started_again() -> None:
    """At once after a long life, and ever later if it keeps ending; the reason is known."""
    home, clock = FakeHome(), Clock()
    keeper = ServeKeeper(home, clock=clock)
    keeper.step()
    home.served = served()
    clock.now_s += 3600
    keeper.step()
    home.served, home.is_alive = None, False
    keeper.step()
    assert home.starts == 2
    home.is_alive = False
    keeper.step()
    assert (home.starts, keeper.failure) == (2, "The port is in use.")
    clock.now_s += 1
    keeper.step()
    assert home.starts == 3


def test_one_that_cannot_be_started() -> None:
    """The reason is known, and it is tried again."""
    home, clock = FakeHome(), Clock()
    home.error = OSError(2, "No such file or directory")
    keeper = ServeKeeper(home, clock=clock)
    keeper.step()
    assert keeper.failure == "gglib cannot be started (No such file or directory)."
    clock.now_s += 10
    keeper.step()
    assert home.starts == 2


def test_one_that_other_machines_cannot_reach_has_no_address() -> None:
    """The reason is known."""
    home = FakeHome()
    home.served = served(problem="It listens on 127.0.0.1.")
    keeper = ServeKeeper(home)
    keeper.step()
    assert (keeper.url, keeper.failure) == (None, "It listens on 127.0.0.1.")


def test_an_error_does_not_end_the_care() -> None:
    """The next look may succeed."""
    home = FakeHome()
    keeper = ServeKeeper(home)
    calls: list[int] = []

    def find() -> ServedAddress | None:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError
        keeper.stop()
        return served()

    home.find = find  # type: ignore[method-assign]
    keeper.run()
    assert keeper.url == "http://a:1"
