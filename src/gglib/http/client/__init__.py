"""The client side: a connection pool, and how long a server may be silent."""
