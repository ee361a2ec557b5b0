"""Run Python code in a process of its own."""

from __future__ import annotations

import subprocess
import sys


def python(code: str, **more: object) -> subprocess.CompletedProcess[str]:
    """Run code and give what it printed; further arguments are of `subprocess.run`."""
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, **more
    )
