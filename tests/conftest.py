"""What holds for all tests."""

import signal

from hypothesis import HealthCheck, settings

# No test depends on the machine's speed: the default deadline of 200 ms an example fails on a busy one, and so does the
# check for slow input generation.
settings.register_profile("gglib", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gglib")

# A shell ignores SIGINT in what it runs in the background, and its children inherit that: Ctrl-C would end no command
# that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
