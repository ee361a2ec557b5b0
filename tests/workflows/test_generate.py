"""What `generate` makes of its inputs, with tiny models."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.conftest import Make
from tests.support.media_files import picture, tone, video
from wangp_cli.media.clip import Audio
from wangp_cli.media.facts import probe
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.runtime.intake.settings_file import load_settings_file


def mask(folder: Path, name: str, *, left: bool, frames: int = 5) -> Path:
    pixels = np.zeros((frames, 32, 32, 3), np.uint8)
    pixels[:, :, :16] = 255 * left
    pixels[:, :, 16:] = 255 * (not left)
    write_video(folder / f"{name}.mkv", [pixels], fps=Fraction(16), codec="ffv1")
    return folder / f"{name}.mkv"


def test_a_video_has_the_size_length_and_rate_asked_for(make: Make) -> None:
    made = make(size="48x32", frames=9, fps="24000/1001", codec="h264")
    facts = probe(made.path)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (48, 32, 9, Fraction(24000, 1001))
    assert (facts.codec, facts.primaries, facts.matrix, facts.transfer) == ("h264", "bt709", "bt709", "bt709")


def test_one_frame_makes_a_png(make: Make) -> None:
    made = make(frames=1)
    assert made.path.suffix == ".png"
    assert made.frames.shape == (1, 32, 32, 3)


@pytest.mark.parametrize("name", ["jpg", "webp"])
def test_pictures_come_in_the_format_asked_for(make: Make, name: str) -> None:
    assert make(frames=1, image_format=name).path.suffix == f".{name}"


def test_a_count_makes_results_with_consecutive_seeds_that_differ(make: Make) -> None:
    made = make(frames=1, count=3)
    seeds = [artifact.seed for artifact in made.outcome.artifacts]
    pixels = {Path(artifact.path).read_bytes() for artifact in made.outcome.artifacts}
    assert (seeds, len(pixels)) == ([7, 8, 9], 3)


def test_the_third_of_three_is_what_its_seed_alone_makes(make: Make) -> None:
    third = make(frames=1, count=3).outcome.artifacts[2]
    alone = make(frames=1, seed=9, name="alone")
    from wangp_cli.media.stills import read_image

    assert np.array_equal(read_image(third.path), alone.frames)


def test_the_same_request_makes_the_same_pixels(make: Make) -> None:
    assert np.array_equal(make(name="one").frames, make(name="two").frames)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "a blue square"}, {"seed": 8}, {"steps": 3}, {"flow_shift": 9.0},
        {"guidance_scale": 6.0}, {"sampler": "euler"}, {"sampler": "dpm++"},
    ],
    ids=str,
)  # fmt: skip
def test_every_value_changes_the_result(make: Make, change: dict[str, Any]) -> None:
    assert not np.array_equal(make(name="before").frames, make(name="after", **change).frames)


def test_every_way_to_guide_changes_the_result(make: Make) -> None:
    ways: list[dict[str, Any]] = [
        {}, {"cfg_zero": True}, {"apg": True}, {"skip_layers": [1]}, {"nag_scale": 5.0},
    ]  # fmt: skip
    guided = {"guidance_scale": 5.0, "negative_prompt": "blurry", "steps": 3}
    made = [make(name=f"n{number}", **guided | way) for number, way in enumerate(ways)]
    assert len({one.frames.tobytes() for one in made}) == len(ways)


def test_the_negative_prompt_counts_only_with_guidance(make: Make) -> None:
    def frames(name: str, negative: str, guidance: float) -> Any:
        return make(name=name, negative_prompt=negative, guidance_scale=guidance).frames

    assert np.array_equal(frames("a", "blurry", 1.0), frames("b", "green", 1.0))
    assert not np.array_equal(frames("c", "blurry", 5.0), frames("d", "green", 5.0))


@pytest.mark.parametrize("field", ["image_start", "image_end"])
@pytest.mark.parametrize("model", ["tiny_flf2v", "tiny_vace"])
def test_first_and_last_pictures_change_the_result(
    make: Make, tmp_path: Path, model: str, field: str
) -> None:
    both = {"image_start": picture(tmp_path, "first", 1), "image_end": picture(tmp_path, "last", 2)}
    before = make(model, name="before", **both)
    after = make(model, name="after", **both | {field: picture(tmp_path, "other", 3)})
    assert not np.array_equal(before.frames, after.frames)


def test_a_video_to_start_from_and_its_strength_change_the_result(make: Make, tmp_path: Path) -> None:
    one, two = (video(tmp_path, name, seed, frames=3) for seed, name in enumerate(("one", "two")))
    base: dict[str, Any] = {"video_initial": one, "denoising_strength": 0.5, "steps": 4}
    changes: list[dict[str, Any]] = [{}, {"video_initial": two}, {"denoising_strength": 0.75}]
    made = [make(name=f"n{n}", **base | change) for n, change in enumerate(changes)]
    assert len({one.frames.tobytes() for one in made}) == len(changes)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"denoising_strength": 0.5}, "denoising_strength: 0.5 needs a video to start from"),
        ({"video_initial": "v.mkv"}, "denoising_strength: 1 starts from noise"),
        ({"guidance_phases": 2}, "switch_threshold: is needed for 2 phases"),
        (
            {"guidance_phases": 3, "switch_threshold": 500, "switch_threshold2": 600},
            "switch_threshold2: 600.0 must be below switch_threshold, which is 500.0",
        ),
        ({"guidance_phases": 4}, "guidance_phases: 4 is too large, must be at most 3"),
        ({"sampler": "causvid", "steps": 10}, "steps: 10, but the sampler causvid has at most 9"),
        ({"sampler": "heun"}, "sampler: 'heun' is not one of"),
    ],
    ids=str,
)
def test_what_does_not_go_together_is_refused(make: Make, said: dict[str, Any], message: str) -> None:
    outcome = make(**said).outcome
    assert outcome.error is not None
    assert message in outcome.error.message.replace("--", "").replace("-", "_")
    assert outcome.exit_code == 2


def test_phases_are_told_with_the_steps_they_have(make: Make) -> None:
    phases = {"guidance_phases": 2, "switch_threshold": 826.1, "sampler": "euler", "flow_shift": 5.0}
    made = make(steps=6, guidance_scale=3.0, guidance2_scale=1.0, guidance3_scale=2.0, **phases)
    notices = [event.data["message"] for event in made.events if event.type == "log"]
    assert "phases: steps 1 to 3, steps 4 to 6" in notices
    assert "guidance3_scale: not used, there are two phases" in notices


def test_two_experts_run_in_phases_of_their_own(make: Make) -> None:
    made = make("tiny_t2v_2_2", name="both")
    high = make("tiny_t2v_2_2", name="high", switch_threshold=0)
    assert not np.array_equal(made.frames, high.frames)
    outcome = make("tiny_t2v_2_2", guidance_phases=1).outcome
    assert outcome.error is not None
    assert "guidance-phases: 1, but model 'tiny_t2v_2_2' needs 2" in outcome.error.message


def test_the_5b_model_makes_a_video_of_text_or_of_a_picture(make: Make, tmp_path: Path) -> None:
    text = make("tiny_ti2v", name="text").frames
    shown = [
        make("tiny_ti2v", name=f"p{n}", image_start=picture(tmp_path, f"p{n}", n)).frames for n in (1, 2)
    ]
    assert {frames.shape for frames in (text, *shown)} == {(5, 64, 64, 3)}
    assert len({frames.tobytes() for frames in (text, *shown)}) == 3


def test_the_start_picture_changes_what_i2v_makes(make: Make, tmp_path: Path) -> None:
    one = make("tiny_i2v", name="one", image_start=picture(tmp_path, "one", 1))
    two = make("tiny_i2v", name="two", image_start=picture(tmp_path, "two", 2))
    assert not np.array_equal(one.frames, two.frames)


def test_control_mask_references_and_strength_change_what_vace_makes(make: Make, tmp_path: Path) -> None:
    base = {
        "video_guide": video(tmp_path, "guide", 1),
        "video_mask": mask(tmp_path, "left", left=True),
        "image_refs": [picture(tmp_path, "a", 3), picture(tmp_path, "b", 4)],
    }
    changes: list[dict[str, Any]] = [
        {},
        {"video_guide": video(tmp_path, "guide2", 2)},
        {"video_mask": mask(tmp_path, "right", left=False)},
        {"image_refs": base["image_refs"][:1]},  # type: ignore[index]
        {"image_refs": base["image_refs"][::-1]},  # type: ignore[index]
        {"control_strength": 0.5},
    ]
    made = [make("tiny_vace", name=f"n{n}", **base | change) for n, change in enumerate(changes)]
    assert len({one.frames.tobytes() for one in made}) == len(changes)


def test_a_held_control_picture_and_mask_change_what_vace_makes(make: Make, tmp_path: Path) -> None:
    guide, half = picture(tmp_path, "guide", 1), tmp_path / "half.png"
    pixels = np.zeros((1, 32, 32, 3), np.uint8)
    pixels[:, :, :16] = 255
    write_image(half, pixels)
    made = [
        make("tiny_vace", name="a", image_guide=guide),
        make("tiny_vace", name="b", image_guide=guide, image_mask=half),
        make("tiny_vace", name="c", image_guide=picture(tmp_path, "guide2", 2)),
    ]
    assert len({one.frames.tobytes() for one in made}) == 3


@pytest.mark.parametrize(("model", "overlap"), [("tiny_vace", 5), ("tiny_i2v", 1)])
def test_a_continued_video_keeps_its_frames_and_grows(
    make: Make, tmp_path: Path, model: str, overlap: int
) -> None:
    source = video(tmp_path, "source", 1, frames=7)
    made = make(model, video_source=source, frames=9, size="32x32")
    assert len(made.frames) == 7 + 9 - overlap
    before = made.frames[:7].astype(np.float64) / np.iinfo(made.frames.dtype).max
    assert np.abs(before - read_video(source).frames / 255).max() < 1e-4


def test_a_continued_video_counts(make: Make, tmp_path: Path) -> None:
    one = make("tiny_vace", name="one", video_source=video(tmp_path, "one", 1), frames=9)
    two = make("tiny_vace", name="two", video_source=video(tmp_path, "two", 2), frames=9)
    assert not np.array_equal(one.frames[5:], two.frames[5:])


@pytest.mark.parametrize("seconds", [0.1, 2.0])
def test_sound_is_cut_or_padded_to_the_picture(make: Make, tmp_path: Path, seconds: float) -> None:
    made = make(audio_source=tone(tmp_path / "tone.wav", seconds), codec="h264", frames=9)
    sound = read_audio(made.path)
    heard = len(sound.samples) / sound.rate
    # AAC comes in packets of 1024 samples.
    assert heard == pytest.approx(9 / 16, abs=2 * 1024 / sound.rate)
    tail = np.abs(sound.samples[int(0.3 * sound.rate) : int(0.5 * sound.rate)]).max()
    assert (tail > 0.1) == (seconds > 1)


def test_a_continued_video_keeps_its_sound(make: Make, tmp_path: Path) -> None:
    samples = np.sin(np.arange(16000) / 10).astype(np.float32)[:, None] * 0.5
    source = video(tmp_path, "source", 1, audio=Audio(samples=samples, rate=16000))
    assert probe(make("tiny_vace", video_source=source, frames=9).path).audio_codec


def test_the_embedded_text_holds_what_wangp_reads_and_the_request(make: Make) -> None:
    made = make(frames=9, codec="h264")
    embedded = json.loads(read_comment(made.path) or "")
    assert "WanGP" in embedded["type"]
    assert {key: embedded[key] for key in ("model_type", "resolution", "video_length", "seed")} == {
        "model_type": "tiny_t2v", "resolution": "32x32", "video_length": 9, "seed": 7,
    }  # fmt: skip
    assert (embedded["num_inference_steps"], embedded["prompt"]) == (2, "a red circle")
    assert embedded["wangp"]["request"]["frames"] == 9
    assert embedded["wangp"]["origin"]["steps"] == "model tiny_t2v"


@pytest.mark.parametrize("said", [{"codec": "ffv1"}, {"codec": "h264"}, {"frames": 1}], ids=str)
def test_a_result_given_back_as_settings_makes_the_same_pixels(make: Make, said: dict[str, Any]) -> None:
    first = make(**said)
    again = make(None, layers=(load_settings_file(first.path),), name="again", prompt=None, seed=None)
    assert np.array_equal(first.frames, again.frames)
    assert again.outcome.manifest is not None
    assert again.outcome.manifest["origin"]["prompt"] == f"file {first.path.name}"


def test_the_second_of_two_given_back_makes_the_second_again(make: Make, tmp_path: Path) -> None:
    second = Path(make(frames=1, count=2).outcome.artifacts[1].path)
    again = make(None, layers=(load_settings_file(second),), name="again")
    from wangp_cli.media.stills import read_image

    assert again.outcome.artifacts[0].seed == 8
    assert np.array_equal(read_image(second), again.frames)


def test_the_request_in_the_manifest_makes_the_same_pixels(make: Make, tmp_path: Path) -> None:
    first = make("tiny_vace", video_guide=video(tmp_path, "guide", 1), image_refs=[picture(tmp_path, "a", 2)])
    line = (tmp_path / "made" / "manifests" / "run_history.jsonl").read_text().splitlines()[-1]
    (tmp_path / "line.json").write_text(line)
    again = make(None, layers=(load_settings_file(tmp_path / "line.json"),), name="again")
    assert np.array_equal(first.frames, again.frames)


@pytest.mark.parametrize("where", ["made", "."])
def test_an_input_that_changed_since_is_refused_by_name(make: Make, tmp_path: Path, where: str) -> None:
    (tmp_path / "made").mkdir()
    start = picture(tmp_path / where, "start", 1)
    first = make("tiny_i2v", image_start=start)
    picture(tmp_path / where, "start", 2)
    again = make(None, layers=(load_settings_file(first.path),), name="again")
    assert again.outcome.status == "rejected"
    assert "image_start" in str(again.outcome.error)
    assert "start.png" in str(again.outcome.error)


def lora(path: Path, seed: int) -> Path:
    """A LoRA on one matrix of the tiny models."""
    random = np.random.default_rng(seed)
    key = "diffusion_model.blocks.0.self_attn.q.lora_{}.weight"
    tensors = {
        key.format("A"): random.normal(size=(2, 48)).astype(np.float32),
        key.format("B"): random.normal(size=(48, 2)).astype(np.float32),
    }
    save_file(tensors, path)
    return path


def test_a_lora_comes_along_with_its_result_and_must_not_have_changed(make: Make, tmp_path: Path) -> None:
    plain = make(name="plain")
    file = lora(tmp_path / "style.safetensors", 1)
    styled = make(loras=[f"{file}@0.5"], name="styled")
    assert not np.array_equal(plain.frames, styled.frames)
    again = make(None, layers=(load_settings_file(styled.path),), name="again")
    assert np.array_equal(styled.frames, again.frames)
    lora(file, 2)
    changed = make(None, layers=(load_settings_file(styled.path),), name="changed")
    assert changed.outcome.status == "rejected"
    assert "style.safetensors" in str(changed.outcome.error)


def test_a_lora_is_strong_in_the_phases_it_is_said_for(make: Make, tmp_path: Path) -> None:
    file = lora(tmp_path / "style.safetensors", 1)
    said = {"plain": (), "high": (f"{file}@1;0",), "low": (f"{file}@0;1",), "off": (f"{file}@0;0",)}
    made = {name: make("tiny_t2v_2_2", name=name, loras=loras).frames for name, loras in said.items()}
    assert np.array_equal(made["plain"], made["off"])
    assert len({frames.tobytes() for frames in made.values()}) == 3
    high_alone = {"model": "tiny_t2v_2_2", "switch_threshold": 0}
    one, two = (
        make(name=name, loras=said[name.split("_")[0]], **high_alone) for name in ("plain_1", "low_1")
    )
    assert np.array_equal(one.frames, two.frames)


def test_the_manifest_says_what_was_made_of_what(make: Make, tmp_path: Path) -> None:
    made = make("tiny_i2v", image_start=picture(tmp_path, "start", 1), task_id=None)
    [line] = (tmp_path / "made" / "manifests" / "run_history.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert list(record) == sorted(record)
    assert set(record) >= {
        "run_id", "timestamp", "output_dir", "metadata_mode", "adapter_payload_hashes", "artifacts",
        "inputs", "status", "request", "origin", "versions",
    }  # fmt: skip
    assert record["status"] == "success"
    [artifact] = record["artifacts"]
    import hashlib

    assert artifact["sha256"] == hashlib.sha256(made.path.read_bytes()).hexdigest()
    assert artifact["path"] == str(made.path)
    assert record["request"]["image_start"] == "../start.png"
    assert list(record["inputs"]["checksums"]) == ["../start.png"]
    assert {"wangp", "torch", "diffusers", "python"} <= set(record["versions"])


def test_a_failure_leaves_a_line_without_artifacts(make: Make, tmp_path: Path) -> None:
    made = make(device="cuda:99")
    record = json.loads((tmp_path / "made" / "manifests" / "run_history.jsonl").read_text())
    assert made.outcome.status == "failed"
    assert record["status"] == "error"
    assert "artifacts" not in record
    assert record["error"]["kind"] == "resources"
    assert "cuda:99" in record["error"]["message"]


def test_a_continued_video_keeps_its_rate(make: Make, tmp_path: Path) -> None:
    source = video(tmp_path, "source", 1, fps=Fraction(24000, 1001))
    kept = make("tiny_vace", name="kept", video_source=source, frames=9)
    said = make("tiny_vace", name="said", video_source=source, frames=9, fps="16")
    assert (probe(kept.path).fps, probe(said.path).fps) == (Fraction(24000, 1001), Fraction(16))
    assert kept.outcome.manifest is not None
    assert kept.outcome.manifest["origin"]["fps"] == "rate of video_source"
