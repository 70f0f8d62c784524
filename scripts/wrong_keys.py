"""Send ten thousand wrong keys: the long version of ``tests/integration/http_server/test_http_access.py``.

All refusals must be the same 401, byte for byte, apart from the date and the request id. Loopback only.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import uvloop
from tests.integration.http_server.access_run import KEY, wrong_keys
from tests.integration.proxy.support import proxy_running

from gglib.proxy import ProxyOptions
from gglib.testing import FakeRuntime


def main() -> int:
    """Print the distinct refusals with their counts, and return 1 unless there is exactly one, a 401."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys", type=int, default=10_000)
    options = parser.parse_args()
    seen = uvloop.run(run(options.keys, options.seed))
    for (status, code, _), count in seen.items():
        print(f"{count} x {status} {code}")
    return 0 if [refusal[0] for refusal in seen] == [401] else 1


async def run(keys: int, seed: int) -> dict[tuple[int, str, str], int]:
    """Send the requests to a proxy in this process."""
    async with proxy_running(FakeRuntime(), options=ProxyOptions(api_keys={"laptop": KEY})) as proxy:
        return await wrong_keys(proxy.port, keys, seed=seed)


if __name__ == "__main__":
    sys.exit(main())
