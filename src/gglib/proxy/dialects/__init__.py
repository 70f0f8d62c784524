"""Errors and events in the form of the API that a client speaks."""
