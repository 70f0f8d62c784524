"""Settings, and the composition of the adapters.

Modules import only what they need: a command that only reads the catalogue imports no server and no engine.
"""
