"""The one place where the adapters meet.

Two modules, because what only reads the catalogue should not wait for what serves to be imported.
"""
