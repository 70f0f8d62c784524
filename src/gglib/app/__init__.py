"""Settings, and the one place where the adapters meet.

Each module imports what it needs itself: a command that only reads the catalogue imports no server and no engine.
"""
