"""Commands that inspect and stop a running server."""
