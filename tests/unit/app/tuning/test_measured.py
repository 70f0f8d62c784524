"""The rounds of a measurement, and when one is clearly faster."""

import pytest

from gglib.app.tuning.measured import Measured, Turn, fitted_turn, gain, is_clearly_faster
from gglib.runtime.engines.rates import Rates

TURN = Turn(prompt_tokens=100, tokens=10)


def of(*turns_s: float) -> Measured:
    """Return a measurement whose rounds take these times, half of each for the prompt."""
    rounds = tuple(Rates(prompt_per_s=200 / turn_s, generated_per_s=20 / turn_s) for turn_s in turns_s)
    return Measured(rounds=rounds, turn=TURN)


def test_a_turn_is_the_prompt_and_the_generation() -> None:
    """Each by its own rate."""
    measured = Measured(rounds=(Rates(prompt_per_s=50, generated_per_s=5),), turn=TURN)
    assert measured.turn_s == 4.0
    assert measured.noise_s == 0


def test_medians_ignore_one_slow_round() -> None:
    """Of three, all count for the noise."""
    measured = of(1.0, 1.1, 3.0)
    assert measured.turn_s == pytest.approx(1.1)
    assert measured.noise_s == pytest.approx(1.0)
    assert measured.noise == pytest.approx(1 / 1.1)
    assert measured.prompt_per_s == pytest.approx(200 / 1.1)
    assert measured.generated_per_s == pytest.approx(20 / 1.1)


@pytest.mark.parametrize(
    ("turns_s", "slowest_s"),
    [((3, 1, 2), 3), ((9, 1, 2, 3), 9), ((1, 2, 3, 4, 9), 4), ((8, 9, 1, 2, 3, 4, 5, 6, 6, 6), 6)],
)
def test_the_slowest_fifth_does_not_count(turns_s: tuple[float, ...], slowest_s: float) -> None:
    """The fastest round always does."""
    measured = of(*turns_s)
    assert measured.slowest_s == pytest.approx(slowest_s)
    assert measured.fastest_s == pytest.approx(1)
    assert measured.noise_s == pytest.approx((slowest_s - 1) / 2)


def test_gains_are_shares_of_the_turn() -> None:
    """A slower one has a negative gain."""
    assert gain(of(0.75), of(1.0)) == pytest.approx(0.25)
    assert gain(of(2.0), of(1.0)) == pytest.approx(-1.0)


@pytest.mark.parametrize(
    ("after", "before", "is_clear"),
    [
        ((0.9, 0.9, 0.9), (1.0, 1.0, 1.0), True),
        ((0.99, 0.99, 0.99), (1.0, 1.0, 1.0), False),  # less than MIN_GAIN
        ((0.8, 0.9, 1.0), (1.0, 1.0, 1.0), False),  # one round is not faster
        ((0.8, 0.9, 0.99), (1.0, 1.0, 1.0), True),
        ((0.9, 0.9, 0.9), (0.9, 1.0, 1.1), False),
        ((0.9, 0.9, 0.9), (1.0, 9.0, 50.0), True),  # however much the slow one scatters
        ((0.9, 0.9, 0.9, 0.9, 5.0), (1.0, 1.0, 1.0), True),  # the slowest of five does not count
        ((0.9, 0.9, 0.9, 5.0, 5.0), (1.0, 1.0, 1.0), False),
        ((1.0, 1.0, 1.0), (1.0, 1.0, 1.0), False),
        ((2.0, 2.0, 2.0), (1.0, 1.0, 1.0), False),
    ],
)
def test_each_round_that_counts_has_to_be_faster(
    after: tuple[float, ...], before: tuple[float, ...], *, is_clear: bool
) -> None:
    """And the gain has to be worth an argument."""
    assert is_clearly_faster(of(*after), of(*before)) is is_clear


def test_more_rounds_are_added() -> None:
    """A change of the machine meanwhile becomes noise."""
    assert of(1.0, 1.0).with_rounds(of(2.0)).noise_s == 0.5


@pytest.mark.parametrize(
    ("context", "turn"),
    [
        (8192, Turn(prompt_tokens=512, tokens=64)),
        (512, Turn(prompt_tokens=440, tokens=64)),
        (128, Turn(prompt_tokens=88, tokens=32)),
        (64, Turn(prompt_tokens=40, tokens=16)),
        (4, Turn(prompt_tokens=1, tokens=2)),
    ],
)
def test_a_turn_fits_the_context(context: int, turn: Turn) -> None:
    """Of a small context, a quarter is generated."""
    assert fitted_turn(context, prompt_tokens=512, tokens=64) == turn
