"""Wan pipelines: settings, inputs, progress, cancellation and repeatability."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tests.support import tiny
from tests.support.wan import (
    BOTH_ENDS,
    EVERYTHING,
    INPUTS,
    NOTHING,
    camera,
    load,
    run,
)
from wangp_cli.errors import Cancelled, GenerationError, RequestError
from wangp_cli.pipelines.base import Inputs, Placement
from wangp_cli.pipelines.denoise.inputs import to_tensor
from wangp_cli.pipelines.memory import meter
from wangp_cli.pipelines.wan import load as wan_load
from wangp_cli.tasks.fields import size_of

KEEPS_START_FRAMES = ("ti2v", "diffusion_forcing")
"""Architectures whose start frames stay in the result even without denoising."""


@pytest.mark.parametrize("name", tiny.NAMES)
@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a blue square moves left"},
        {"negative_prompt": "grows"},
        {"seed": 8},
        {"flow_shift": 5.0},
        {"sampler": "euler"},
        {"sampler": "euler_ancestral"},
        {"sampler": "dpm++"},
        {"sampler": "causvid"},
        {"sampler": "lcm"},
        {"steps": 3},
        {"guidance_scale": 5.0},
    ],
    ids=lambda change: "-".join(str(value) for value in change.values()),
)
def test_every_setting_changes_the_result(loaded: Any, name: str, change: dict[str, Any]) -> None:
    pipeline, shot, inputs = loaded(name), tiny.shot_for(name), INPUTS[tiny.architecture(name)]
    assert not np.array_equal(run(pipeline, shot, inputs), run(pipeline, shot.replace(**change), inputs))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("i2v", {"start": tiny.clip(1, 9)}),
        ("i2v", {"start": tiny.clip(5, 1)}),
        ("i2v", {"end": tiny.clip(1, 9)}),
        ("i2v", {"end": tiny.clip(4, 2)}),
        ("i2v", {"end": None}),
        ("flf2v", {"start": tiny.clip(1, 9)}),
        ("flf2v", {"end": tiny.clip(1, 9)}),
        ("vace", {"start": tiny.clip(1, 9)}),
        ("vace", {"start": None}),
        ("vace", {"end": tiny.clip(1, 9)}),
        ("vace", {"control": tiny.clip(9, 9)}),
        ("vace", {"control": None, "mask": None}),
        ("vace", {"mask": tiny.clip(9, 9, channels=1)}),
        ("vace", {"mask": None}),
        ("vace", {"references": EVERYTHING.references[::-1]}),
        ("vace", {"references": EVERYTHING.references[:1]}),
        ("ti2v", {"start": tiny.clip(1, 9, size=64)}),
        ("ti2v", {"start": tiny.clip(5, 1, size=64)}),
        ("ti2v", {"start": None}),
        ("phantom", {"references": EVERYTHING.references[::-1]}),
        ("phantom", {"references": EVERYTHING.references[:1]}),
        ("phantom", {"references": (tiny.clip(1, 9), EVERYTHING.references[1])}),
        ("diffusion_forcing", {"start": tiny.clip(1, 9)}),
        ("diffusion_forcing", {"start": tiny.clip(5, 1)}),
        ("diffusion_forcing", {"start": None}),
        ("recam", {"control": tiny.clip(9, 9)}),
        ("recam", {"camera": camera("arc-right")}),
        ("recam", {"camera": camera("zoom-in")}),
        ("i2v_2_2", {"start": tiny.clip(1, 9)}),
        ("i2v_2_2", {"end": tiny.clip(1, 9)}),
        ("i2v_2_2", {"end": None}),
        ("animate", {"start": tiny.clip(1, 9)}),
        ("animate", {"start": tiny.clip(5, 9)}),
        ("animate", {"control": tiny.clip(9, 9)}),
        ("animate", {"mask": tiny.clip(9, 9, channels=1)}),
        ("animate", {"background": tiny.clip(9, 9)}),
        ("animate", {"background": None, "mask": None}),
        ("animate", {"face": tiny.clip(9, 9, size=20)}),
        ("animate", {"references": (tiny.clip(1, 9),)}),
        ("vace_2_2", {"control": tiny.clip(9, 9)}),
        ("vace_2_2", {"references": EVERYTHING.references[:1]}),
    ],
)
def test_every_input_changes_the_result(loaded: Any, name: str, change: dict[str, Any]) -> None:
    pipeline, shot = loaded(name), tiny.shot_for(name, guidance_scale=1.0)
    inputs = INPUTS[tiny.architecture(name)]
    plain = run(pipeline, shot, inputs)
    assert not np.array_equal(plain, run(pipeline, shot, replace(inputs, **change)))


@pytest.mark.parametrize("name", tiny.ACCEPTS)
def test_an_initial_clip_shows_more_the_lower_the_denoising_strength(loaded: Any, name: str) -> None:
    shot = tiny.shot_for(name, steps=4, guidance_scale=1.0)
    side, _ = size_of(shot.size)
    pipeline, clip = loaded(name), tiny.clip(9, 11, size=side)
    inputs = replace(INPUTS[name], initial=clip)
    from_noise = run(pipeline, shot, inputs)
    assert np.array_equal(from_noise, run(pipeline, shot, INPUTS[name]))
    half, quarter, none = (
        run(pipeline, shot.replace(denoising_strength=d), inputs) for d in (0.5, 0.25, 0.0)
    )
    vae = pipeline._vae
    latents = vae.encode(to_tensor(clip), [].append)
    itself = np.concatenate(list(vae.decode(latents, [].append)))
    assert np.array_equal(none, itself) or name in KEEPS_START_FRAMES
    apart = [np.abs(made - itself).mean() for made in (quarter, half, from_noise)]
    assert apart == sorted(apart)
    assert apart[0] > 0
    other = replace(inputs, initial=tiny.clip(9, 12, size=side))
    assert not np.array_equal(half, run(pipeline, shot.replace(denoising_strength=0.5), other))


def test_progress_counts_steps_and_latent_frames_of_an_initial_clip(loaded: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    inputs, shot = replace(EVERYTHING, initial=tiny.clip(9)), tiny.shot(steps=4, denoising_strength=0.5)
    run(loaded("vace"), shot, inputs, lambda *event: seen.append(event))
    assert [event for event in seen if event[0] == "denoise"] == [("denoise", 1, 2), ("denoise", 2, 2)]
    assert [event for event in seen if event[0] == "encode"][-1][1:] == (12, 12)


def test_loras_are_set_to_every_step_before_it_is_computed(
    checkpoint: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Any] = []
    pipeline = load(checkpoint("t2v"))
    monkeypatch.setattr(
        pipeline._adapters, "set_step", lambda step: order.append((step.index, step.steps, step.phase))
    )
    pipeline._networks[0].register_forward_pre_hook(lambda *_: order.append("called"))
    phases = {"guidance_phases": 2, "switch_threshold": 826.1, "sampler": "euler", "flow_shift": 5.0}
    run(pipeline, tiny.shot(steps=6, guidance_scale=1.0, **phases))
    assert order[::2] == [(0, 6, 0), (1, 6, 0), (2, 6, 0), (3, 6, 1), (4, 6, 1), (5, 6, 1)]
    assert set(order[1::2]) == {"called"}


def test_the_guidance_of_a_later_phase_changes_the_result(loaded: Any) -> None:
    phases = {"guidance_phases": 2, "switch_threshold": 826.1, "sampler": "euler", "flow_shift": 5.0}
    pipeline, shot = loaded("t2v"), tiny.shot(steps=6, **phases)
    plain = run(pipeline, shot)
    assert not np.array_equal(plain, run(pipeline, shot.replace(guidance2_scale=1.0)))
    assert np.array_equal(plain, run(pipeline, shot.replace(guidance2_scale=shot.guidance_scale)))
    assert not np.array_equal(
        run(pipeline, shot.replace(guidance2_scale=1.0)),
        run(pipeline, shot.replace(guidance2_scale=1.0, switch_threshold=600)),
    )


def test_the_same_request_gives_the_same_pixels(loaded: Any) -> None:
    pipeline, shot = loaded("vace"), tiny.shot()
    assert np.array_equal(run(pipeline, shot, EVERYTHING), run(pipeline, shot, EVERYTHING))


def test_an_image_and_a_clip_have_the_requested_shape(loaded: Any) -> None:
    pieces = []
    pipeline = loaded("t2v", exact=False)
    for frames in (1, 9):
        shot = tiny.shot(frames=frames, size="48x32")
        latents = pipeline.denoise(shot, pipeline.encode(shot, Inputs(), tiny.quiet), tiny.quiet)
        made = list(pipeline.decode(latents, tiny.quiet).frames)
        assert all(piece.dtype == np.float32 and piece.flags.c_contiguous for piece in made)
        assert all(piece.min() >= 0 and piece.max() <= 1 for piece in made)
        pieces.append([piece.shape for piece in made])
    assert pieces == [[(1, 32, 48, 3)], [(1, 32, 48, 3), (4, 32, 48, 3), (4, 32, 48, 3)]]


@pytest.mark.parametrize("name", ["vace", "ti2v"])
def test_faster_kernels_stay_within_60_db(loaded: Any, name: str) -> None:
    shot = tiny.shot_for(name, steps=4)
    exact, fast = (run(loaded(name, exact=exact), shot, INPUTS[name]) for exact in (True, False))
    error = np.mean((exact - fast).astype(np.float64) ** 2)
    assert not np.array_equal(exact, fast)
    assert 10 * np.log10(1 / error) >= 60


def test_progress_counts_to_its_total_in_every_stage(loaded: Any) -> None:
    seen: list[tuple[str, int, int]] = []
    run(loaded("vace"), tiny.shot(), EVERYTHING, lambda *event: seen.append(event))
    by_stage = {stage: [(done, total) for name, done, total in seen if name == stage] for stage, _, _ in seen}
    assert list(by_stage) == ["encode", "denoise", "decode"]
    for counts in by_stage.values():
        assert [done for done, _ in counts] == list(range(1, counts[-1][1] + 1))
        assert len({total for _, total in counts}) == 1
    assert by_stage["denoise"][-1] == (2, 2)


class Counted:
    """Counts the calls of a module's parts while it lives."""

    def __init__(self, *modules: Any) -> None:
        self.calls = 0
        self._hooks = [module.register_forward_hook(self._count) for module in modules]

    def _count(self, *_: Any) -> None:
        self.calls += 1

    def close(self) -> None:
        for hook in self._hooks:
            hook.remove()


@pytest.mark.parametrize("name", ["t2v", "vace"])
def test_a_second_call_encodes_nothing_again(checkpoint: Any, name: str) -> None:
    pipeline, shot = load(checkpoint(name), name), tiny.shot()
    counted = Counted(pipeline._architecture.parts.text_encoder.model, pipeline._vae.model.encoder)
    first = run(pipeline, shot)
    assert counted.calls == 2 + (3 if name == "vace" else 0)
    second = run(pipeline, shot.replace(seed=shot.seed))
    assert counted.calls == 2 + (3 if name == "vace" else 0)
    assert np.array_equal(first, second)


def test_without_guidance_there_is_one_pass_and_no_negative_prompt(checkpoint: Any) -> None:
    pipeline = load(checkpoint("t2v"))
    text, network = Counted(pipeline._architecture.parts.text_encoder.model), Counted(pipeline._networks[0])
    run(pipeline, tiny.shot(guidance_scale=1.0, steps=3))
    assert (text.calls, network.calls) == (1, 3)


def test_a_closed_pipeline_leaves_shared_parts_usable(checkpoint: Any) -> None:
    parts = tiny.Parts()
    first, second = load(checkpoint("t2v"), parts=parts), load(checkpoint("t2v"), parts=parts)
    before = run(second, tiny.shot())
    first.close()
    assert np.array_equal(before, run(second, tiny.shot()))


@pytest.mark.parametrize("stage", ["encode", "denoise", "decode"])
def test_a_call_after_a_cancelled_one_is_undisturbed(loaded: Any, stage: str) -> None:
    pipeline, shot = loaded("vace"), tiny.shot(steps=4)
    undisturbed = run(pipeline, shot, EVERYTHING)

    def cancel(name: str, done: int, total: int) -> None:
        if (name, done) == (stage, 2):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        run(pipeline, shot.replace(seed=1), EVERYTHING, cancel)
    assert np.array_equal(undisturbed, run(pipeline, shot, EVERYTHING))


def test_decoding_may_interleave_with_another_call(loaded: Any) -> None:
    pipeline, shot = loaded("vace"), tiny.shot()
    latents = pipeline.denoise(shot, pipeline.encode(shot, EVERYTHING, tiny.quiet), tiny.quiet)
    whole = np.concatenate(list(pipeline.decode(latents, tiny.quiet).frames))
    pieces = []
    for piece in pipeline.decode(latents, tiny.quiet).frames:
        pieces.append(piece)
        run(pipeline, shot.replace(frames=5, seed=1))
    assert np.array_equal(whole, np.concatenate(pieces))


@pytest.mark.parametrize(
    ("name", "inputs", "shot", "field"),
    [
        ("t2v", Inputs(start=tiny.clip(1)), {}, "start"),
        ("t2v", Inputs(), {"size": "40x32"}, "size"),
        ("t2v", Inputs(), {"frames": 8}, "frames"),
        ("t2v", Inputs(), {"frames": "2s"}, "frames"),
        ("t2v", Inputs(), {"seed": -1}, "seed"),
        ("i2v", Inputs(), {}, "start"),
        ("i2v", Inputs(start=tiny.clip(2)), {}, "start"),
        ("i2v", Inputs(start=tiny.clip(1, size=48)), {}, "start"),
        ("i2v", Inputs(start=tiny.clip(1), end=tiny.clip(3)), {}, "end"),
        ("i2v", Inputs(start=tiny.clip(1), references=(tiny.clip(1),)), {}, "references"),
        ("i2v", Inputs(anchor=tiny.clip(1), start=tiny.clip(1)), {}, "start"),
        ("i2v", Inputs(anchor=tiny.clip(2)), {}, "anchor"),
        ("i2v", Inputs(anchor=tiny.clip(1), motion=tiny.clip(4)), {}, "motion"),
        ("i2v", Inputs(anchor=tiny.clip(1), motion=tiny.clip(1)), {}, "motion"),
        ("i2v", Inputs(motion=tiny.clip(5)), {}, "start"),
        ("flf2v", Inputs(anchor=tiny.clip(1), end=tiny.clip(1)), {}, "anchor"),
        ("flf2v", Inputs(start=tiny.clip(1)), {}, "end"),
        ("vace", Inputs(control=tiny.clip(5)), {}, "control"),
        ("vace", Inputs(control=tiny.clip(9), mask=tiny.clip(5, channels=1)), {}, "mask"),
        ("vace", Inputs(control=tiny.clip(9), mask=tiny.clip(9)), {}, "mask"),
        ("vace", Inputs(mask=tiny.clip(9, channels=1)), {}, "mask"),
        ("vace", Inputs(references=(tiny.clip(2),)), {}, "references"),
        ("vace", Inputs(references=(tiny.clip(1, size=16),)), {}, "references"),
        ("vace", Inputs(start=tiny.clip(6), end=tiny.clip(5)), {}, "start"),
        ("vace", Inputs(end=tiny.clip(10)), {}, "end"),
        ("vace", Inputs(start=tiny.clip(0)), {}, "start"),
        ("ti2v", Inputs(start=tiny.clip(2, size=64)), {"size": "64x64"}, "start"),
        ("ti2v", Inputs(end=tiny.clip(1, size=64)), {"size": "64x64"}, "end"),
        ("ti2v", Inputs(), {"size": "64x48"}, "size"),
        ("phantom", Inputs(), {}, "references"),
        ("phantom", Inputs(references=(tiny.clip(1, size=16),)), {}, "references"),
        ("phantom", Inputs(control=tiny.clip(9)), {}, "control"),
        ("diffusion_forcing", Inputs(start=tiny.clip(2)), {}, "start"),
        ("diffusion_forcing", Inputs(end=tiny.clip(1)), {}, "end"),
        ("recam", Inputs(camera=camera("arc-left")), {}, "control"),
        ("recam", Inputs(control=tiny.clip(9)), {}, "camera"),
        ("recam", Inputs(control=tiny.clip(9), camera=camera("arc-left", 8)), {}, "camera"),
        ("recam", Inputs(control=tiny.clip(8), camera=camera("arc-left")), {}, "control"),
        ("t2v", Inputs(camera=camera("arc-left")), {}, "camera"),
        ("t2v", Inputs(initial=tiny.clip(5)), {"denoising_strength": 0.5}, "initial"),
        ("t2v", Inputs(), {"denoising_strength": 0.5}, "denoising_strength"),
    ],
)
def test_an_input_that_does_not_fit_is_refused_by_name(
    loaded: Any, name: str, inputs: Inputs, shot: dict[str, Any], field: str
) -> None:
    with pytest.raises(RequestError) as caught:
        loaded(name).encode(tiny.shot(**shot), inputs, tiny.quiet)
    assert caught.value.field == field


def test_a_catalogue_entry_can_accept_less_than_the_architecture(checkpoint: Any) -> None:
    spec = tiny.spec("i2v", accepts=frozenset({"start"}))
    pipeline = wan_load.load(spec, checkpoint("i2v"), Placement(), [], tiny.Parts(), tiny.quiet)
    with pytest.raises(RequestError, match="end: is not read by tiny_i2v"):
        pipeline.encode(tiny.shot(), BOTH_ENDS, tiny.quiet)


@pytest.mark.parametrize("change", [{"frames": 5}, {"size": "48x32"}, {"guidance_scale": 1.0}])
def test_conditioning_of_another_shot_is_refused(loaded: Any, change: dict[str, Any]) -> None:
    pipeline, shot = loaded("vace"), tiny.shot()
    conditioning = pipeline.encode(shot, NOTHING, tiny.quiet)
    with pytest.raises(ValueError, match="made for another"):
        pipeline.denoise(shot.replace(**change), conditioning, tiny.quiet)


def test_the_second_expert_makes_its_steps_alone(checkpoint: Any) -> None:
    pipeline = load(checkpoint("t2v_2_2"), "t2v_2_2")
    high, low = (Counted(network) for network in pipeline._networks)
    shot = tiny.shot_for("t2v_2_2", steps=4, guidance_scale=1.0, guidance2_scale=2.0)
    run(pipeline, shot)
    assert [length for _, length in shot.phase_spans] == [2, 2]
    assert (high.calls, low.calls) == (2, 4)
    run(pipeline, shot.replace(switch_threshold=0))
    assert (high.calls, low.calls) == (6, 4)


def test_latents_that_are_not_finite_are_not_decoded(loaded: Any) -> None:
    latents = torch.full((1, 16, 3, 4, 4), float("nan"))
    with pytest.raises(GenerationError, match="before decoding"):
        loaded("t2v").decode(latents, tiny.quiet)


@pytest.mark.parametrize("name", ["t2v", "i2v", "flf2v", "vace", "diffusion_forcing"])
def test_boost_computes_both_prompts_in_one_pass(checkpoint: Any, loaded: Any, name: str) -> None:
    passes: list[int] = []
    pipeline = load(checkpoint(name), name, boost=True)
    pipeline._networks[0].register_forward_hook(lambda *_: passes.append(1))
    found = run(pipeline, tiny.shot(), INPUTS[name])
    assert len(passes) == tiny.shot().steps
    assert abs(found - run(loaded(name, exact=False), tiny.shot(), INPUTS[name])).max() < 1e-4


def test_a_vae_of_sixteen_bits_is_near(checkpoint: Any, loaded: Any) -> None:
    found = run(load(checkpoint("t2v"), vae_dtype="bfloat16"), tiny.shot())
    assert 0 < abs(found - run(loaded("t2v", exact=False), tiny.shot())).max() < 0.1


def test_tiles_are_chosen_by_what_is_free(
    checkpoint: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline = load(checkpoint("t2v"), vae_tiling="auto")
    latents = torch.zeros(1, 16, 3, 40, 72)
    assert pipeline.tiles(latents) == [None, 512, 256, 128]
    needed = pipeline._vae.decoding_bytes(320, 576)
    monkeypatch.setattr(meter, "free", lambda _device: needed // 2)
    assert pipeline.tiles(latents) == [256, 128]
    assert "vae_tiling: 256" in caplog.text
    assert load(checkpoint("t2v"), vae_tiling="off").tiles(latents) == [None, 512, 256, 128]
    assert load(checkpoint("t2v"), vae_tiling=192).tiles(latents) == [192, 128]
