"""Files that other processes may replace, lock or delete meanwhile."""
