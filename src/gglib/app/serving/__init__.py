"""A running server: its parts, its address, what a reload changes, what stops it."""
