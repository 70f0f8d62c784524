"""What happened: finished requests, their search, and the usage added up from them. Values and rules only."""
