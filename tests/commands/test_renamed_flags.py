"""Flags of the older tools."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner

from wangp_cli.commands._renamed_flags import replacement
from wangp_cli.legacy.old_keys import RENAMED
from wangp_cli.main import app
from wangp_cli.tasks.runtime import Runtime


@pytest.mark.parametrize(
    "flag",
    [
        "attention-mode", "compile", "profile", "vae-config", "boost", "transformer-quantization",
        "transformer-dtype-policy", "text-encoder-quantization", "vae-precision", "mixed-precision",
        "preload-policy", "preload",
    ],
)  # fmt: skip
def test_every_old_override_has_a_new_flag(flag: str) -> None:
    use = replacement(f"--wgp-{flag}")
    assert use
    assert use.removeprefix("--").replace("-", "_") in Runtime.model_fields


@pytest.mark.parametrize(
    ("flag", "use"),
    [
        ("--loras", "--lora"), ("--loras-multipliers", "--lora-multipliers"), ("--image-refs", "--image-ref"),
        ("--num-inference-steps", "--steps"), ("--resolution", "--size"), ("--force-fps", "--fps"),
        ("--model-type", "--model"), ("--vae-precision", "--vae-dtype"), ("--gpu", "--device"),
        ("--wgp-attention-mode", "--attention"), ("--task-type", "the name of the command"),
        ("--new-dim", "--size"), ("--unheard-of", None),
    ],
)  # fmt: skip
def test_a_flag_of_the_older_tools_has_its_replacement(flag: str, use: str | None) -> None:
    assert replacement(flag) == use


@pytest.mark.parametrize("key", sorted(RENAMED.keys() - {"task_type"}))
def test_every_renamed_key_has_a_flag_here(key: str) -> None:
    assert (replacement("--" + key.replace("_", "-")) or "").startswith("--")


@pytest.mark.parametrize(
    ("words", "use"),
    [
        (["generate", "x", "--resolution=64x64"], "use --size"),
        (["travel", "--num-inference-steps", "4"], "use --steps"),
        (["--list-loras"], "use `wangp loras`"),
    ],
)
def test_a_renamed_flag_is_refused_with_the_one_to_use(words: list[str], use: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 2
    assert "there is no such flag any more" in result.output
    assert use in result.output


def test_a_flag_that_exists_is_not_refused_for_a_key_of_that_name() -> None:
    assert "image" in RENAMED
    travel = typer.main.get_command(app).commands["travel"]  # type: ignore[attr-defined]
    assert any("--image" in param.opts for param in travel.params)
    result = CliRunner().invoke(app, ["travel", "--image", "missing.png", "--model", "none", "--dry-run"])
    assert "no such flag" not in result.output


def test_an_unknown_flag_is_refused_as_ever() -> None:
    result = CliRunner().invoke(app, ["generate", "x", "--unheard-of"])
    assert result.exit_code == 2
    assert "--unheard-of: there is no such option" in result.output
