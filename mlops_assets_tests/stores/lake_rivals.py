"""One of several processes that publish at once: `python -m … FOLDER NUMBER SECONDS` prints what it
published.

It waits for a file `go` in FOLDER. Every other write goes to a path that all rivals share, so that they
conflict.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import count
from pathlib import Path

from mlops_assets.stores.lake import Lake
from mlops_assets.stores.settings import LakeSettings
from mlops_assets_tests.stores.lake_factories import make_write, seeing

SHARED = "flights/shared"


def main(folder: Path, number: int, seconds: float) -> None:
    lake = Lake.connect(LakeSettings.embedded(folder))
    (folder / f"ready-{number}").touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    until, published = time.monotonic() + seconds, []
    for turn in count():
        if time.monotonic() > until:
            break
        content = f"{number}-{turn}"
        path = SHARED if turn % 2 else f"flights/{number}/{turn:05}"
        files = {path: content.encode()}
        done = lake.publish(make_write(run_id=f"rival{number}"), files=files, audit=seeing(files))
        published.append({"path": path, "content": content, "commit": done.commit, "attempts": done.attempts})
    sys.stdout.write(json.dumps(published))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
