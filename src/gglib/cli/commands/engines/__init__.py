"""Commands that manage engines."""
