"""A llama-server that does what a script says: a real process with a real socket, and no model.

Standard library only, and only what is needed: it has to start faster than the server that it stands for.
"""
