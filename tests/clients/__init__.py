"""Real client programs against a real gglib server: ``python -m tests.clients`` (``make test-clients``)."""
