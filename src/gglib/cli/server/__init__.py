"""A running gglib, as the commands see it: its HTTP API, its state and its events."""
