"""Joins the cluster of a home again, in a process of its own: ``python -m gglib.app.cluster.rejoin_command HOME``.

A join takes many seconds, and needs modules that a server does without.
"""

import os
import sys
from collections.abc import Sequence

from gglib.app.cluster.home import ClusterHome
from gglib.app.cluster.joining import PartOptions, join
from gglib.app.settings import load_settings
from gglib.core.errors import GglibError


def main(arguments: Sequence[str]) -> None:
    """Join the cluster of a home again; ends with a sentence on stderr if that fails."""
    settings = load_settings({"home": arguments[0]}, os.environ, is_tolerant=True)
    home = ClusterHome(settings.home)
    part = home.read()
    if part is None:
        return
    try:
        join(settings, PartOptions(), part.address, home.token_file.read_text(), is_return=True)
    except (GglibError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
