"""Limits per API key: requests and tokens per minute, and requests at once. Pure, except for the scope of a request."""
