"""What holds for all tests."""

from hypothesis import HealthCheck, settings

# No test depends on the machine's speed: the default deadline of 200 ms an example fails on a busy one, and so does the
# check for slow input generation.
settings.register_profile("gglib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gglib")
