"""``python -m gglib.testing.scripted_server``: the default script with a command line of llama-server's."""

import sys

from gglib.testing.scripted_server.process import main

if __name__ == "__main__":
    main(sys.argv[1:])
