"""The scheduler's promises as invariants, over arbitrary interleavings of everything that can happen to it."""
