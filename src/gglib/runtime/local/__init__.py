"""Engines as processes on this machine: started, monitored, logged and stopped."""
