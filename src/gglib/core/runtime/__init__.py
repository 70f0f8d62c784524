"""A runtime's state, events and load progress, as values."""
