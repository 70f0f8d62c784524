"""The web page: its files in ``page``, and how they are read and served."""
