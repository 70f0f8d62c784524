"""The server side: accepts connections and serves their requests. It has no knowledge of routes."""
