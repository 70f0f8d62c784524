"""Who may ask what: keys, hosts, origins."""
