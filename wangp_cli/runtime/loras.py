"""Where a task's LoRA files are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import RequestError

if TYPE_CHECKING:
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.adapters import Strength
    from wangp_cli.tasks.render import Render


def locate_loras(task: Render, session: Session) -> list[tuple[Path, Strength]]:
    """Path and strength of each LoRA: a path as it is, a bare name from the LoRA folder.

    Raises:
        RequestError: a file is not there, or has strengths for more phases than the run.
    """
    folder = session.loras_dir
    return [(_locate(name, folder), _in_phases(task, name, strength)) for name, strength in task.strengths()]


def _in_phases(task: Render, name: str, strength: Strength) -> Strength:
    try:
        return strength.in_phases(task.guidance_phases, task.model_switch_phase)
    except ValueError as error:
        raise RequestError("loras", f"{name}: {error}") from None


def _locate(name: str, folder: Path) -> Path:
    tried = [Path(name).expanduser(), folder / name, folder / f"{name}.safetensors"]
    found = next((path for path in tried if path.is_file()), None)
    if found is None:
        known = ", ".join(sorted(str(p.relative_to(folder)) for p in folder.rglob("*.safetensors"))[:8])
        hint = (
            f"the LoRA folder {folder} has: {known}" if known else f"put LoRAs into {folder}, or give a path"
        )
        raise RequestError("loras", f"there is no file {name!r}", hint=hint)
    if found.suffix not in (".safetensors", ".sft"):
        raise RequestError("loras", f"{name!r} is not a safetensors file", hint="convert it to safetensors")
    return found
