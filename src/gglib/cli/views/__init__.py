"""What commands print: tables, lines and progress. No I/O but the terminal."""
