"""Flags of the older tools that go by other names now."""

from __future__ import annotations

from collections.abc import Sequence

RENAMED_FLAGS = {
    "--loras": "--lora",
    "--loras-multipliers": "--lora-multipliers",
    "--list-loras": "`wangp loras`",
    "--list-lora-presets": "`wangp loras presets`",
    "--lora-preset": "--settings-file",
    "--check-loras": "`wangp loras check`",
    "--fp16": "--dtype float16",
    "--bf16": "--dtype bfloat16",
    "--model-name": "--model",
    "--num-inference-steps": "--steps",
    "--video-length": "--frames",
    "--num-frames": "--frames",
    "--resolution": "--size",
    "--model-type": "--model",
    "--force-fps": "--fps",
    "--sample-solver": "--sampler",
    "--task-type": "the name of the command",
    "--control-net-weight": "--control-strength",
    "--repeat-generation": "--count",
    "--image-refs": "--image-ref",
    "--gpu": "--device",
    "--verbose": "--log-level",
    "--vae-config": "--vae-tiling",
    "--vae-precision": "--vae-dtype",
    "--tea-cache-level": "--cache magcache",
    "--tea-cache-start-perc": "--cache magcache",
    "--transformer-dtype-policy": "--dtype",
    "--preload-model": "--preload-policy start",
    **{
        f"--wgp-{old}": f"--{new}"
        for old, new in {
            "attention-mode": "attention",
            "compile": "compile",
            "profile": "profile",
            "vae-config": "vae-tiling",
            "boost": "boost",
            "transformer-quantization": "transformer-quantization",
            "transformer-dtype-policy": "dtype",
            "text-encoder-quantization": "text-encoder-quantization",
            "vae-precision": "vae-dtype",
            "mixed-precision": "mixed-precision",
            "preload-policy": "preload-policy",
            "preload": "preload",
        }.items()
    },
}
"""Flags of the older tools, and what to type instead."""


def refuse_renamed_flags(arguments: Sequence[str]) -> None:
    """Exit with 2 where a flag has another name now, and say which."""
    for argument in arguments:
        if argument == "--":
            return
        name = argument.split("=")[0]
        if name in RENAMED_FLAGS:
            from wangp_cli.runtime.events.messages import show_error

            show_error(f"{name}: there is no such flag any more", f"use {RENAMED_FLAGS[name]}")
            raise SystemExit(2)
