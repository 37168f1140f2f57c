"""A server whose process may write no file larger than a limit: the full disk that every user may have.

Run as `python -m … ROOT LIMIT`.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

from lakefs_embedded import EmbeddedLakeFS
from lakefs_embedded_tests.plain_http import Http
from lakefs_embedded_tests.test_faults import check_refusals

if __name__ == "__main__":
    root, limit = Path(sys.argv[1]), int(sys.argv[2])
    with EmbeddedLakeFS.start(root) as server:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        check_refusals(Http(server), root)
    sys.stdout.write(json.dumps({"refused": True}) + "\n")
