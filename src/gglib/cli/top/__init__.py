"""``gglib top``: a live view of a running server. Its values, rates, layout and keys are pure; ``app`` has the I/O."""
