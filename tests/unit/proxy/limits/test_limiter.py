"""The meters of keys by name: replaced limits, and the restoration after a restart."""

from gglib.core.api_keys import ApiKey, KeyLimits
from gglib.core.history.usage import KeyUse
from gglib.proxy.limits.key_meter import KeyMeter
from gglib.proxy.limits.limiter import RateLimiter


def keys(**limits: KeyLimits) -> dict[str, ApiKey | str]:
    """Return keys with these limits."""
    return {name: ApiKey(key=f"SECRET-of-{name}", limits=own) for name, own in limits.items()}


def meter_of(limiter: RateLimiter, name: str) -> KeyMeter:
    """Return the meter of a key, which has one."""
    meter = limiter.meter(name)
    assert meter is not None
    return meter


def test_only_keys_with_limits_have_a_meter() -> None:
    """Plain strings are admin keys."""
    limiter = RateLimiter()
    limiter.set_keys({"root": "SECRET-of-root", **keys(alice=KeyLimits(rpm=1), bob=KeyLimits())})
    assert [limiter.meter(name) is not None for name in ("root", "alice", "bob", "carol", None)] == [
        False,
        True,
        False,
        False,
        False,
    ]


def test_use_stays_by_name_until_the_key_goes() -> None:
    """Also while its limits are removed."""
    limiter = RateLimiter()
    limiter.set_keys(keys(alice=KeyLimits(rpm=1)))
    meter_of(limiter, "alice").begin(0.0, 0)
    limiter.set_keys(keys(alice=KeyLimits()))
    assert limiter.meter("alice") is None
    limiter.set_keys(keys(alice=KeyLimits(rpm=2)))
    assert meter_of(limiter, "alice").use(0.0).requests == 1
    limiter.set_keys(keys(bob=KeyLimits(rpm=2)))
    limiter.set_keys(keys(alice=KeyLimits(rpm=2)))
    assert meter_of(limiter, "alice").use(0.0).requests == 0


def test_the_last_minute_is_restored() -> None:
    """Requests count from their start and tokens from their end, in any order; other keys are ignored."""
    limiter = RateLimiter()
    limiter.set_keys(keys(alice=KeyLimits(rpm=10, tpm=1000)))
    epoch_s = 1_800_000_000.0
    uses = [
        KeyUse(key="alice", started_at_s=epoch_s - 10, ended_at_s=epoch_s - 5, tokens=30),
        KeyUse(key="alice", started_at_s=epoch_s - 90, ended_at_s=epoch_s - 20, tokens=500),
        KeyUse(key="alice", started_at_s=epoch_s - 59, ended_at_s=epoch_s - 58, tokens=0, requests=2),
        KeyUse(key="bob", started_at_s=epoch_s - 1, ended_at_s=epoch_s, tokens=9),
    ]
    limiter.restore(uses, 7.0 - epoch_s)  # the clock of the requests says 7
    use = meter_of(limiter, "alice").use(7.0)
    assert (use.requests, use.tokens, use.running, use.reserved_tokens) == (3, 530, 0, 0)
    assert (use.requests_reset_s, use.tokens_reset_s) == (50.0, 55.0)
    use = meter_of(limiter, "alice").use(7.0 + 41.0)
    assert (use.requests, use.tokens) == (1, 30)
