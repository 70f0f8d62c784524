"""The scheduler's promises as invariants, over arbitrary interleavings of its events."""
