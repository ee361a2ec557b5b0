"""Flags of WanGP and of the older worker that have another name here."""

from __future__ import annotations

REPLACEMENTS = {
    "--list-loras": "`wangp loras`",
    "--list-lora-presets": "`wangp loras presets`",
    "--lora-preset": "--settings-file",
    "--check-loras": "`wangp loras check`",
    "--fp16": "--dtype float16",
    "--bf16": "--dtype bfloat16",
    "--new-dim": "--size",
    "--task-type": "the name of the command",
    "--gpu": "--device",
    "--tea-cache-level": "--cache magcache",
    "--tea-cache-start-perc": "--cache magcache",
    "--preload-model": "--preload-policy start",
}
"""Replacements of flags that were not keys of a task file; the table of renamed keys has the others."""


def replacement(flag: str) -> str | None:
    """The replacement of a flag of the older tools; None for a flag that they did not have."""
    if flag in REPLACEMENTS:
        return REPLACEMENTS[flag]
    # Imported here because only an unknown flag needs the tables.
    from wangp_cli.legacy.old_keys import RENAMED
    from wangp_cli.legacy.wgp_config import setting_of_key
    from wangp_cli.tasks import TASKS
    from wangp_cli.tasks.flags import flag_of

    key = flag.removeprefix("--").removeprefix("wgp-").replace("-", "_")
    field = RENAMED.get(key) or setting_of_key(key) or key
    options = (task_flag.option(field) for task in TASKS.values() if (task_flag := flag_of(task, field)))
    return next(options, None)
