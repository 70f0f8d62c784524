"""The logs and the machine of a server over HTTP, and what Prometheus and Grafana need to show it."""
