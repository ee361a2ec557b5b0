"""Step caches: what they skip, and that they change nothing where they skip nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.wan import INPUTS, load, ratios, run
from wangp_cli.errors import ModelError
from wangp_cli.pipelines.denoise.loop import draw_noise, noise_generator
from wangp_cli.pipelines.denoise.schedules import schedule
from wangp_cli.pipelines.denoise.step_cache import caching

SHOT = tiny.shot(steps=6)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A place for every call of a second block's feed-forward."""
    from diffusers.models.transformers import transformer_wan

    made: list[int] = []
    forward = transformer_wan.WanTransformerBlock.forward

    def counted(self: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(1)
        return forward(self, *args, **kwargs)

    monkeypatch.setattr(transformer_wan.WanTransformerBlock, "forward", counted)
    return made


@pytest.mark.parametrize("name", ["t2v", "vace", "diffusion_forcing", "animate"])
@pytest.mark.parametrize("cache", ["fbcache=0", "magcache=0"])
def test_a_cache_that_skips_nothing_changes_nothing(
    checkpoint: Any, loaded: Any, name: str, cache: str, tmp_path: Path
) -> None:
    ratios(tmp_path, f"tiny_{name}", [0.9] * 6)
    pipeline = load(checkpoint(name), name, exact=True, cache=cache, data_dir=tmp_path)
    assert np.array_equal(run(pipeline, SHOT, INPUTS[name]), run(loaded(name), SHOT, INPUTS[name]))


@pytest.mark.parametrize("cache", ["fbcache=10", "magcache=10"])
def test_a_cache_that_skips_computes_less_and_forgets_between_runs(
    checkpoint: Any, calls: list[int], cache: str, tmp_path: Path
) -> None:
    ratios(tmp_path, "tiny_t2v", [1.0] * 6)
    pipeline = load(checkpoint("t2v"), exact=True, data_dir=tmp_path)
    whole = run(pipeline, SHOT)
    every = len(calls)
    calls.clear()
    pipeline.reconfigure(load(checkpoint("t2v"), cache=cache, data_dir=tmp_path).placement)
    calls.clear()
    first = run(pipeline, SHOT)
    assert len(calls) < every
    assert not np.array_equal(first, whole)
    assert np.array_equal(run(pipeline, SHOT), first)
    pipeline.reconfigure(load(checkpoint("t2v")).placement)
    assert np.array_equal(run(pipeline, SHOT), whole)


@pytest.mark.parametrize("name", ["vace", "animate"])
@pytest.mark.parametrize("cache", ["fbcache=10", "magcache=10"])
def test_additions_between_skipped_blocks_count_once(
    checkpoint: Any, name: str, cache: str, tmp_path: Path
) -> None:
    ratios(tmp_path, f"tiny_{name}", [1.0] * 6)
    pipeline = load(checkpoint(name), name, cache=cache, data_dir=tmp_path)
    given, [network] = pipeline.encode(SHOT, INPUTS[name], tiny.quiet), pipeline._networks
    latents = draw_noise((1, 16, given.condition.latent_frames(3), 4, 4), noise_generator(0), "cpu")
    steps = schedule(SHOT, "cpu", experts=1, generator=noise_generator(0)).steps
    first, second = (step.timestep for step in steps[:2])
    with torch.inference_mode(), caching(pipeline.placement, f"tiny_{name}", [network], steps):
        whole, other, left_out = (
            given.condition.predict(network, latents, time, given.prompt) for time in (first, second, first)
        )
    assert torch.allclose(whole, left_out, atol=1e-5)
    assert not torch.allclose(whole, other, atol=1e-3)


def test_magcache_must_be_calibrated_before_anything_is_loaded(checkpoint: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="magcache was not calibrated for 'tiny_t2v'") as caught:
        load(tmp_path / "nothing", cache="magcache=0.06", data_dir=tmp_path)
    assert "--cache magcache=calibrate" in str(caught.value.hint)


def test_a_calibration_changes_nothing_and_is_read_by_the_next_run(
    checkpoint: Any, loaded: Any, tmp_path: Path
) -> None:
    pipeline = load(checkpoint("t2v"), exact=True, cache="magcache=calibrate", data_dir=tmp_path)
    assert np.array_equal(run(pipeline, SHOT), run(loaded("t2v"), SHOT))
    [found] = json.loads((tmp_path / "magcache" / "tiny_t2v.json").read_text())["ratios"]
    assert len(found) == SHOT.steps
    assert found[0] == 1.0
    assert all(0 < ratio < 10 for ratio in found)
    run(load(checkpoint("t2v"), cache="magcache=0.06", data_dir=tmp_path), SHOT)


def test_a_broken_file_of_ratios_is_named(checkpoint: Any, tmp_path: Path) -> None:
    (tmp_path / "magcache").mkdir()
    (tmp_path / "magcache" / "tiny_t2v.json").write_text('{"ratios": 3}')
    with pytest.raises(ModelError, match=r"tiny_t2v.json is broken"):
        load(checkpoint("t2v"), cache="magcache=0.06", data_dir=tmp_path)
