"""Clients: which server, model and key they get, and how they are started."""
