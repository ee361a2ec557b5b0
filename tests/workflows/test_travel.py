"""Travels from picture to picture: with a model that gives back what it is shown, and with tiny ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.conftest import Make
from tests.support.echo import Echo, use_echo
from tests.support.media_files import tone
from wangp_cli.media.clip import as_float, as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.base import Inputs, LoadedLora, Lora
from wangp_cli.runtime.intake.settings_file import load_settings_file
from wangp_cli.tasks.shot import Shot

Travel = Callable[..., Any]


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    """Four pictures of noise, the third wider than the others."""
    paths = []
    for index in range(4):
        rng = np.random.default_rng(index)
        width = 64 if index == 2 else 32
        write_image(tmp_path / f"{index}.png", rng.integers(0, 256, (1, 32, width, 3), dtype=np.uint8))
        paths.append(tmp_path / f"{index}.png")
    return paths


@pytest.fixture
def echo(make: Make, adapters: dict[str, Any]) -> Travel:
    """Travel with a model that gives back what it is shown."""
    use_echo(adapters)
    return lambda model, images, **said: make(model, type="travel", images=images, colour_match=0, **said)


def plan_of(made: Any) -> Any:
    return made.outcome.manifest["plan"]


def stands(frames: Any, frame: int, image: Path) -> bool:
    """Whether a picture is a frame of the video, but for rounding."""
    from wangp_cli.media.stills import read_image

    given = read_image(image)
    middle = (given.shape[2] - 32) // 2
    expected = as_uint8(given[0, :, middle : middle + 32, :3]).astype(int)
    return bool(np.abs(as_uint8(frames[frame]).astype(int) - expected).max() <= 1)


@pytest.mark.parametrize(
    ("said", "anchors", "total"),
    [
        ({"frames": 9, "overlap": 2}, [0, 8, 17, 26], 27),
        ({"frames": [9, 13, 5], "overlap": [2, 4]}, [0, 8, 21, 26], 27),
        ({"frames": 9}, [0, 8, 17, 26], 27),
        ({"frames": "0.5s", "overlap": 0}, [0, 8, 17, 26], 27),
        ({"frames": 9, "mode": "independent"}, [0, 8, 16, 24], 25),
        ({"frames": 9, "overlap": 4, "loop": True}, [0, 8, 17, 26], 35),
        ({"frames": 9, "mode": "independent", "loop": True}, [0, 8, 16, 24], 32),
    ],
)
def test_pictures_stand_where_the_plan_says(
    echo: Travel, images: list[Path], said: dict[str, Any], anchors: list[int], total: int
) -> None:
    made = echo("tiny_vace", images, **said)
    plan = plan_of(made)
    assert (plan["anchors"], plan["total"], len(made.frames)) == (anchors, total, total)
    assert all(stands(made.frames, at, image) for at, image in zip(anchors, images, strict=True))


def test_a_model_of_first_and_last_pictures_travels_in_independent_parts(
    echo: Travel, images: list[Path]
) -> None:
    made = echo("tiny_flf2v", images, frames=9, mode="independent")
    assert len(made.frames) == 25
    assert all(stands(made.frames, at, image) for at, image in zip([0, 8, 16, 24], images, strict=True))


def test_the_picture_between_independent_parts_is_the_one_the_later_draws(
    echo: Travel, images: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    decode = Echo.decode

    def worse_at_the_end(self: Echo, latents: Any, *rest: Any) -> Any:
        return decode(self, np.concatenate([latents[:-1], latents[-1:] / 2]), *rest)

    monkeypatch.setattr(Echo, "decode", worse_at_the_end)
    made = echo("tiny_flf2v", images, frames=9)
    assert [stands(made.frames, at, image) for at, image in zip([0, 8, 16, 24], images, strict=True)] == [
        True, True, True, False,
    ]  # fmt: skip


@pytest.fixture
def shown(adapters: dict[str, Any]) -> list[Inputs]:
    """What the model was given, run after run."""
    return use_echo(adapters).inputs


def test_svi_holds_on_to_each_picture_and_goes_on_from_the_frames_before(
    echo: Travel, images: list[Path], shown: list[Inputs]
) -> None:
    made = echo("tiny_i2v", images[:3], frames=9, mode="svi")
    assert "svi without a LoRA" in plan_of(made)["notices"][0]
    assert (plan_of(made)["anchors"], len(made.frames)) == ([0, 8, 17], 18)
    assert all(stands(made.frames, at, image) for at, image in zip([0, 8, 17], images[:3], strict=True))
    first, second = shown
    assert first.end
    assert first.motion is None
    assert second.anchor
    assert second.motion
    assert second.end
    assert np.array_equal(second.anchor.frames, first.end.frames)
    assert np.abs(as_float(second.motion.frames) - as_float(made.frames)[:9]).max() < 1 / 128
    assert len(second.end) == 4


def test_svi_continues_a_video_and_one_picture(
    echo: Travel, images: list[Path], shown: list[Inputs], tmp_path: Path
) -> None:
    given = np.random.default_rng(9).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    source = tmp_path / "before.mkv"
    write_video(source, [given], fps=Fraction(16), codec="ffv1")
    made = echo("tiny_i2v", [], video_source=source, frames=[5, 5], mode="svi")
    assert len(made.frames) == 22
    assert np.abs(as_uint8(made.frames[:12]).astype(int) - given).max() <= 1
    assert shown[0].anchor
    assert shown[0].motion
    assert np.array_equal(as_uint8(shown[0].anchor.frames[0]), given[-1])
    assert np.array_equal(as_uint8(shown[0].motion.frames), given[-9:])
    made = echo("tiny_i2v", images[:1], frames=[9, 9, 9], mode="svi", name="one")
    assert len(made.frames) == 27
    anchors = [inputs.anchor.frames for inputs in shown[2:] if inputs.anchor]
    assert len(anchors) == 3
    assert all(np.array_equal(anchor, anchors[0]) for anchor in anchors)


@pytest.mark.parametrize(
    ("model", "said", "message"),
    [
        ("tiny_vace", {}, "model 'tiny_vace' takes no anchor image"),
        ("tiny_flf2v", {}, "model 'tiny_flf2v' takes no anchor image"),
        ("tiny_i2v", {"images": []}, "--image: none, wanted 1 or more"),
    ],
)
def test_svi_is_for_image_to_video_models(
    echo: Travel, images: list[Path], model: str, said: dict[str, Any], message: str
) -> None:
    made = echo(model, said.pop("images", images[:2]), frames=9, mode="svi", **said)
    assert message in str(made.outcome.error)


def test_a_single_picture_begins_as_many_parts_as_there_are_lengths(echo: Travel, images: list[Path]) -> None:
    made = echo("tiny_vace", images[:1], frames=[9, 5], overlap=2)
    assert (plan_of(made)["anchors"], len(made.frames)) == ([0], 14)
    assert stands(made.frames, 0, images[0])


def test_a_model_of_first_pictures_begins_each_part_with_its_own(
    echo: Travel, images: list[Path], tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = (tiny_models / "models" / "tiny.yaml").read_text()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.yaml").write_text(entries.replace(" end,", ""))
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path))
    made = echo("tiny_i2v", images, frames=[9, 5, 5, 5])
    assert len(made.frames) == 24
    assert all(stands(made.frames, at, image) for at, image in zip([0, 9, 14, 19], images, strict=True))


def test_pictures_stand_inside_a_run_that_makes_several_parts(echo: Travel, images: list[Path]) -> None:
    made = echo("tiny_vace", images, frames=9, overlap=2, longest=21)
    plan = plan_of(made)
    assert [segment["portions"] for segment in plan["segments"]] == [[0, 1], [2]]
    assert all(stands(made.frames, at, image) for at, image in zip([0, 8, 17, 26], images, strict=True))


@pytest.fixture
def heard(adapters: dict[str, Any]) -> list[Shot]:
    """The runs of the model."""
    return use_echo(adapters).shots


def test_each_part_has_its_own_values(echo: Travel, images: list[Path], heard: list[Shot]) -> None:
    said = {"prompt": ["a red circle", "a blue square", "the red square"], "negative_prompt": ["x", "y", "z"]}
    echo(
        "tiny_vace", images, frames=5, part_seeds=[3, 1, 2], text_before="big:", text_after="on white", **said
    )
    assert [shot.prompt for shot in heard] == [f"big: {prompt} on white" for prompt in said["prompt"]]
    assert [shot.negative_prompt for shot in heard] == ["x", "y", "z"]
    assert [shot.seed for shot in heard] == [3, 1, 2]


def test_single_values_serve_all_parts(echo: Travel, images: list[Path], heard: list[Shot]) -> None:
    made = echo("tiny_vace", images, frames=5, negative_prompt="x", seed=9)
    assert {(shot.prompt, shot.negative_prompt, shot.seed) for shot in heard} == {("a red circle", "x", 9)}
    assert made.outcome.manifest["inputs"]["negative_prompt"] == "x"


def test_a_run_of_several_parts_has_the_words_of_all(
    echo: Travel, images: list[Path], heard: list[Shot]
) -> None:
    prompts = ["a red circle", "a blue square", "the red square"]
    echo("tiny_vace", images, frames=5, prompt=prompts, part_seeds=[3, 1, 2], longest=13)
    assert [shot.prompt for shot in heard] == ["a red circle a blue square", "the red square"]
    assert [shot.seed for shot in heard] == [3, 2]


@pytest.fixture
def active(monkeypatch: pytest.MonkeyPatch) -> list[list[tuple[str, str]]]:
    """The LoRAs of each run, by name, with their strengths."""
    found = []

    def set_loras(_: Echo, loras: Sequence[Lora]) -> list[LoadedLora]:
        found.append([(lora.path.name, str(lora.strength)) for lora in loras])
        return []

    monkeypatch.setattr(Echo, "set_loras", set_loras)
    return found


def lora_files(folder: Path) -> list[Path]:
    """Two small LoRAs."""
    paths = [folder / "a.safetensors", folder / "b.safetensors"]
    for path in paths:
        save_file({f"blocks.0.{path.name}.lora_A.weight": np.ones((1, 4), np.float32)}, path)
    return paths


def test_each_part_has_its_own_phases(
    echo: Travel, images: list[Path], tmp_path: Path, heard: list[Shot], active: list[Any], make: Make
) -> None:
    phases = [
        "steps=3 guidance_scale=2",
        {"steps": 4, "guidance_phases": 2, "switch_threshold": 800, "lora_multipliers": "1;0 0;0.5"},
        "sampler=euler flow_shift=7",
    ]
    loras = lora_files(tmp_path)
    made = echo(
        "tiny_vace",
        images,
        frames=5,
        part_phases=phases,
        loras=list(map(str, loras)),
        part_lora_factors="1 2",
    )
    assert made.outcome.error is None
    assert [(shot.steps, shot.guidance_scale, shot.guidance_phases) for shot in heard] == [
        (3, 2, 1), (4, 1, 2), (2, 1, 1),
    ]  # fmt: skip
    assert [(shot.sampler, shot.flow_shift) for shot in heard] == [("unipc", 3), ("unipc", 3), ("euler", 7)]
    a, b = (path.name for path in loras)
    assert active == [[(a, "1"), (b, "2")], [(a, "1;0"), (b, "0;1")], [(a, "1"), (b, "2")]]
    said = made.outcome.manifest["request"]["part_phases"]
    assert said[0] == {"steps": 3, "guidance_scale": 2.0}
    again = make(None, layers=(load_settings_file(made.path),), name="again", type="travel")
    assert again.outcome.manifest is not None
    assert again.outcome.manifest["request"]["part_phases"] == said
    assert heard[3:] == heard[:3]


def test_one_value_of_phases_serves_all_parts(echo: Travel, images: list[Path], heard: list[Shot]) -> None:
    echo("tiny_vace", images, frames=5, part_phases={"steps": 7})
    assert [shot.steps for shot in heard] == [7, 7, 7]


@pytest.mark.parametrize(
    ("phases", "message"),
    [
        (["steps=3"] * 2, "--part-phases: 2 values, wanted 1 or 3, one for each part"),
        (["steps=0"], "--part-phases: steps: 0 is too small, must be at least 1"),
        (["stps=3"], "--part-phases: stps: there is no such key"),
        (["steps"], "--part-phases: 'steps' is not KEY=VALUE, such as steps=8"),
        (["guidance_phases=2"], "--part-phases: number 0: switch_threshold: is needed for 2 phases"),
        (["lora_multipliers=1"], "--part-phases: number 0: lora_multipliers: 1 strengths for 0 LoRAs"),
        (
            ["steps=2", "guidance_phases=3 switch_threshold=900 switch_threshold2=500", "steps=2"],
            "--part-phases: number 1: guidance_phases: 3, but model 'tiny_vace' has at most",
        ),
    ],
)
def test_phases_that_no_part_can_have_are_refused(
    echo: Travel, images: list[Path], tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    phases: Any, message: str,
) -> None:  # fmt: skip
    entries = (tiny_models / "models" / "tiny.yaml").read_text()
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "tiny.yaml").write_text(
        entries.replace("    experts: 1\n", "    experts: 1\n    phases: 2\n")
    )
    monkeypatch.setenv("WANGP_CONFIG_DIR", str(tmp_path))
    made = echo("tiny_vace", images, frames=5, part_phases=phases)
    assert message in str(made.outcome.error)


def test_each_part_has_its_own_share_of_loras(
    echo: Travel, images: list[Path], tmp_path: Path, active: list[Any]
) -> None:
    a, b = (path.name for path in lora_files(tmp_path))
    loras = [f"{tmp_path / a}@0.5", str(tmp_path / b)]
    factors = ["1 0", "0.5 0.25", "0 0"]
    made = echo("tiny_vace", images, frames=5, loras=loras, part_lora_factors=factors)
    assert made.outcome.error is None
    assert active == [[(a, "0.5")], [(a, "0.25"), (b, "0.25")], []]
    assert made.outcome.manifest["request"]["part_lora_factors"] == factors


@pytest.mark.parametrize(
    ("model", "count"),
    [("tiny_vace", 0), ("tiny_vace", 2), ("tiny_i2v", 0), ("tiny_i2v", 2), ("tiny_flf2v", 2)],
)
def test_a_video_is_continued_and_stays(
    echo: Travel, images: list[Path], tmp_path: Path, model: str, count: int
) -> None:
    given = np.random.default_rng(9).integers(0, 256, (12, 32, 32, 3), dtype=np.uint8)
    tune = read_audio(tone(tmp_path / "s.wav", 1.0))
    source = tmp_path / "before.mkv"
    write_video(source, [given], fps=Fraction(12), codec="ffv1", audio=tune)
    made = echo(model, images[:count], video_source=source, frames=9, overlap=4)
    plan = plan_of(made)
    assert (len(made.frames), probe(made.path).fps) == (plan["total"], Fraction(12))
    kept = plan["segments"][0]["start"] - plan["segments"][0]["overlap"]
    assert np.array_equal(as_uint8(made.frames[:kept]), given[:kept])
    assert np.abs(as_uint8(made.frames[:12]).astype(int) - given).max() <= 1
    assert len(plan["anchors"]) == count
    assert all(
        stands(made.frames, at, image) for at, image in zip(plan["anchors"], images[:count], strict=True)
    )
    heard = read_audio(made.path)
    assert len(heard.samples) == round(plan["total"] / 12 * 16000)
    assert np.array_equal(heard.samples[:15000], tune.samples[:15000])
    assert not heard.samples[17000:].any()


@pytest.fixture
def plain(tmp_path: Path) -> list[Path]:
    """Three pictures, each of one colour."""
    for index, colour in enumerate([(200, 100, 100), (100, 200, 100), (100, 100, 200)]):
        write_image(tmp_path / f"{index}.png", np.full((1, 32, 32, 3), colour, np.uint8))
    return [tmp_path / f"{index}.png" for index in range(3)]


def colours(made: Any) -> list[list[int]]:
    means = np.asarray(as_float(made.frames)).mean(axis=(1, 2)) * 255
    return [[round(float(value)) for value in mean] for mean in means]


def test_parts_after_the_first_are_graded(echo: Travel, plain: list[Path]) -> None:
    made = colours(echo("tiny_vace", plain, frames=9, overlap=2, part_saturation=0.0, part_brightness=0.5))
    assert made[0] == [200, 100, 100]
    assert made[4] == [128, 128, 128]
    assert made[12] == [191, 191, 191]
    assert len(set(made[17])) == 1


def test_frames_of_the_part_before_are_shown_as_asked(
    echo: Travel, plain: list[Path], shown: list[Inputs]
) -> None:
    said = {
        "context_strength": 0.5,
        "context_brightness": -0.2,
        "fade_out": "1:0.5:0.5",
        "fade_in": "0.25:1:1",
    }
    made = echo("tiny_vace", plain, frames=9, overlap=4, **said)
    controls = [as_float(inputs.control.frames) for inputs in shown if inputs.control]
    first, second = (np.rint(frames.mean(axis=(1, 2)) * 255).astype(int).tolist() for frames in controls)
    assert plan_of(made)["segments"][1]["context"] == 4
    # Of seven unknown frames one fades in, all fade out.
    assert first[1] == [164, 114, 114]
    assert first[7] == [100, 200, 100]
    wanted = [round((value + 127.5) / 2 * 0.8) for value in first[5]]
    assert np.abs(np.array(second[0]) - wanted).max() <= 1
    assert second[3] == [100, 200, 100]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"context_strength": 1.5}, "--context-strength: 1.5 is too large, must be at most 1"),
        ({"context_brightness": -2}, "--context-brightness: -2 is too small, must be at least -1"),
        ({"fade_in": "half"}, "--fade-in: 'half' is not SHARE"),
        ({"part_saturation": -1}, "--part-saturation: -1 is too small, must be at least 0"),
    ],
)
def test_a_look_out_of_range_is_refused(
    echo: Travel, plain: list[Path], said: dict[str, Any], message: str
) -> None:
    assert message in str(echo("tiny_vace", plain, **said).outcome.error)


def test_the_sound_is_cut_to_the_picture(echo: Travel, images: list[Path], tmp_path: Path) -> None:
    made = echo("tiny_vace", images, frames=9, audio_source=tone(tmp_path / "s.wav", 5.0))
    assert len(read_audio(made.path).samples) == round(27 / 16 * 16000)


def test_size_and_bars_are_as_asked(echo: Travel, images: list[Path]) -> None:
    made = echo("tiny_vace", images, frames=9, size="48x32", fps="8", fit="pad")
    facts = probe(made.path)
    assert (facts.width, facts.height, facts.fps) == (48, 32, Fraction(8))
    assert not as_uint8(made.frames)[0, :, [0, -1]].any()


@pytest.mark.parametrize(
    ("model", "mode"), [("tiny_vace", "chained"), ("tiny_flf2v", "independent"), ("tiny_i2v", "svi")]
)
def test_a_real_model_travels_and_makes_the_same_again(
    make: Make, images: list[Path], model: str, mode: str
) -> None:
    made = make(model, type="travel", images=images[:3], frames=5, overlap=2, mode=mode)
    assert len(made.frames) == plan_of(made)["total"] == (9 if mode == "independent" else 10)
    again = make(None, layers=(load_settings_file(made.path),), name="again", type="travel")
    assert np.array_equal(made.frames, again.frames)
