"""The request history in an SQLite file of its own. ``writer`` has the only writing connection; the rest reads."""
