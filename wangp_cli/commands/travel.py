"""`wangp travel`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

from wangp_cli.commands._bind import bind
from wangp_cli.commands._options import TaskOptions
from wangp_cli.commands._run import run_command
from wangp_cli.errors import RequestError
from wangp_cli.legacy import prompts
from wangp_cli.tasks.fields import Flag, Spec
from wangp_cli.tasks.travel import Travel

MAX_BYTES = 1 << 20


class PromptsFile(Spec):
    """Prompts from a file."""

    panel: ClassVar[str] = "Prompt"
    prompts_file: Annotated[
        Path | None,
        Flag("Text file with one prompt a line, one line for each part; lines after # are comments."),
    ] = None


class TravelOptions(TaskOptions, PromptsFile):
    """Options of `wangp travel`."""


def run_travel(values: dict[str, Any], options: TravelOptions) -> None:
    """Run one travel, its prompts from a file where one is named."""
    if options.prompts_file:
        if "prompt" in values:
            raise RequestError("--prompt", "not together with --prompts-file; give one of them")
        values = {**values, "prompt": read_prompts(options.prompts_file)}
    run_command("travel", values, options)


def read_prompts(file: Path) -> list[str]:
    """The prompts of a file, by the rules of all texts of prompts: comments, macros, one a line."""
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RequestError("--prompts-file", f"{file} has more than {MAX_BYTES} bytes")
        found = prompts(data.decode("utf-8-sig"), "G")
    except RequestError as error:
        raise error.named("--prompts-file") from None
    except OSError as error:
        raise RequestError("--prompts-file", f"cannot read {file}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise RequestError("--prompts-file", f"{file} is not UTF-8 text") from None
    if not any(found):
        raise RequestError("--prompts-file", f"{file} has no prompts in it")
    return found


travel = bind(Travel, run_travel, TravelOptions)
