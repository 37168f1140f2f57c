"""How much memory a contender's process took at its highest."""

from __future__ import annotations

import re
from pathlib import Path


def peak_mb() -> int:
    """The process's own peak, in MiB. ``getrusage`` would tell its parent's where that was higher at the fork."""
    (kilobytes,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="utf-8"))
    return int(kilobytes) // 1024
