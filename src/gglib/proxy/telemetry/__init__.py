"""Records of finished requests, for the access log and the metrics."""
