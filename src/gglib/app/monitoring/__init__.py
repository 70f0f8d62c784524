"""What Prometheus and Grafana need to show a server: a scrape configuration and a dashboard."""
