"""Names of files that are safe and the same on every system."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 200
"""Most bytes of a file name; the rest is left for what partial files add."""
LONGEST_PATH = 1000
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)(\..*)?", re.IGNORECASE)


def name_fault(name: str) -> str:
    """What is wrong with the name of a file or folder from an untrusted source; empty if it is safe."""
    fault = ""
    if not name or name == "..":
        fault = "leads out of its folder" if name else "is empty"
    elif any(unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Zl", "Zp") for letter in name):
        fault = "holds a control character"
    elif re.search(r'[\\:*?"<>|]', name):
        fault = 'holds one of \\ : * ? " < > |'
    elif name.startswith(("~", ".")):
        fault = "starts with a dot or a tilde"
    elif name != name.rstrip(". "):
        fault = "ends in a dot or a space"
    elif name != name.lstrip():
        fault = "starts with a space"
    elif _RESERVED.fullmatch(name):
        fault = "is a reserved name on Windows"
    elif len(name.encode("utf-8", "replace")) > LONGEST:
        fault = f"is longer than {LONGEST} bytes"
    return fault


def path_fault(path: str) -> str:
    """What is wrong with a relative path with `/` from an untrusted source; empty if it is safe."""
    if path.startswith("/"):
        return "is absolute"
    if len(path) > LONGEST_PATH:
        return f"is longer than {LONGEST_PATH} characters"
    return next((fault for part in path.split("/") if (fault := name_fault(part))), "")
