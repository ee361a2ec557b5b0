"""`wangp travel`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wangp_cli.commands._bind import bind
from wangp_cli.commands._run import EXTRA, PLAN, extra_option, report_errors, run_command
from wangp_cli.errors import RequestError
from wangp_cli.tasks.travel import Travel

MOST_BYTES = 1 << 20
PROMPTS_FILE = extra_option(
    "prompts_file",
    Path,
    "Text file with a prompt for each part, a line each.",
    "--prompts-file",
    panel="Prompt",
    metavar="FILE",
)


def run_travel(said: Mapping[str, Any], extra: Mapping[str, Any]) -> None:
    """Run one travel, its prompts from a file where one is named."""
    if file := extra.get("prompts_file"):
        with report_errors():
            if "prompt" in said:
                raise RequestError("--prompt", "not together with --prompts-file, give one of them")
            said = {**said, "prompt": _prompts(file)}
    run_command("travel", said, extra)


def _prompts(file: Path) -> list[str]:
    try:
        with file.open("rb") as stream:
            data = stream.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise RequestError("--prompts-file", f"{file} has more than {MOST_BYTES} bytes")
        lines = data.decode("utf-8-sig").splitlines()
    except OSError as error:
        raise RequestError("--prompts-file", f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError("--prompts-file", f"{file} is not UTF-8 text") from None
    found = [line.strip() for line in lines if line.strip()]
    if not found:
        raise RequestError("--prompts-file", f"{file} has no prompts in it")
    return found


travel = bind(Travel, run_travel, extra=[PROMPTS_FILE, PLAN, *EXTRA])
