"""A llama-server that follows a script: a real process with a real socket, and no model.

Standard library only, with few imports: it has to start faster than the server that it replaces.
"""
