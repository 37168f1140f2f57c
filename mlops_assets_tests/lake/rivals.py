"""Processes that publish to one embedded lake at once: `python -m … FOLDER RIVALS SECONDS` prints what they did.

Every other write of each goes to a path that all of them share, so that they conflict.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import count
from pathlib import Path
from typing import Any

from mlops_assets.contract.errors import LakeError
from mlops_assets.lake.lake import Lake
from mlops_assets.lake.publishing import Publication
from mlops_assets.lake.settings import LakeSettings
from mlops_assets_tests.lake.factories import make_write, seeing

SHARED = "flights/shared"


def compete(folder: Path, *, number: int, rivals: int, seconds: float) -> list[dict[str, Any]]:
    lake = Lake.connect(LakeSettings.embedded(folder))
    (folder / f"ready-{number}").touch()
    while not all((folder / f"ready-{other}").exists() for other in range(rivals)):
        time.sleep(0.01)
    until, published = time.monotonic() + seconds, []
    for turn in count():
        if time.monotonic() > until:
            return published
        content = f"{number}-{turn}"
        path = SHARED if turn % 2 else f"flights/{number}/{turn:05}"
        done = insist(lake, {path: content.encode()}, number=number)
        published.append({"path": path, "content": content, "commit": done.commit, "attempts": done.attempts})
    raise AssertionError


def insist(lake: Lake, files: dict[str, bytes], *, number: int) -> Publication:
    """Publishes, and again if the others were always faster: giving up is an answer, not a fault."""
    while True:
        try:
            return lake.publish(make_write(run_id=f"rival{number}"), files=files, audit=seeing(files))
        except LakeError as error:
            if "gave up" not in str(error):
                raise


def main(folder: Path, rivals: int, seconds: float) -> None:
    children = []
    for number in range(rivals):
        pid = os.fork()
        if pid == 0:
            said = compete(folder, number=number, rivals=rivals, seconds=seconds)
            (folder / f"said-{number}.json").write_text(json.dumps(said))
            return
        children.append(pid)
    if any(os.waitpid(pid, 0)[1] for pid in children):
        raise SystemExit("a rival failed")
    said = [json.loads((folder / f"said-{number}.json").read_text()) for number in range(rivals)]
    sys.stdout.write(json.dumps([each for published in said for each in published]))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
