"""Errors and error events in the form of the client's API."""
