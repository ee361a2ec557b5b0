"""Videos and images made larger, by a filter and by a network of the ESRGAN family."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import save_file

from tests.conftest import Made, Make
from tests.support.esrgan import random_compact, shapes
from tests.support.planned_videos import clip
from wangp_cli.finishing.grain import add_grain
from wangp_cli.media.clip import Frames, as_float, as_uint8
from wangp_cli.media.facts import probe
from wangp_cli.media.match import colour_statistics
from wangp_cli.media.metadata import read_comment
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.resize import fit
from wangp_cli.media.stills import read_image, write_image
from wangp_cli.media.write import write_video
from wangp_cli.pipelines.auxiliary.esrgan import EsrganUpscaler

MODEL = """models:
  tiny-esrgan:
    title: Tiny
    kind: upscaler
    architecture: esrgan
    licence: CC0-1.0
    source: {{file: {file}}}
"""


@pytest.fixture
def upscaler(config: Path) -> EsrganUpscaler:
    """The network of the model `tiny-esrgan` of the catalogue."""
    network = random_compact()
    save_file(network.state_dict(), config / "tiny.safetensors")
    (config / "models" / "upscalers.yaml").write_text(MODEL.format(file=config / "tiny.safetensors"))
    return EsrganUpscaler(network)


def upscale(make: Make, video: Path, **values: Any) -> Any:
    return make(None, type="upscale", video=video, **values)


def inputs_of(made: Made) -> dict[str, Any]:
    assert made.outcome.manifest is not None
    inputs: dict[str, Any] = made.outcome.manifest["inputs"]
    return inputs


def test_a_video_becomes_larger_and_keeps_rate_frames_and_sound(make: Make, tmp_path: Path) -> None:
    video = clip(tmp_path, "a", 20, fps=24, sound=True)
    made = upscale(make, video, factor="1.5", engine="lanczos")
    facts = probe(made.path)
    assert (facts.width, facts.height, facts.frames, facts.fps) == (48, 48, 20, Fraction(24))
    assert np.array_equal(read_audio(made.path).samples, read_audio(video).samples)
    expected = fit(as_float(read_video(video).frames), 48, 48, "stretch")
    assert np.abs(as_float(made.frames) - expected).max() < 1e-4
    artifact = made.outcome.artifacts[0]
    assert (artifact.width, artifact.frames, artifact.fps) == (48, 20, "24")


def test_a_network_of_the_catalogue_serves_and_is_named(
    make: Make, tmp_path: Path, upscaler: EsrganUpscaler
) -> None:
    write_image(tmp_path / "a.png", shapes(40, 30))
    made = upscale(make, tmp_path / "a.png", factor="3")
    expected = fit(upscaler.upscale(shapes(40, 30)), 120, 90, "stretch")
    assert np.array_equal(made.frames, as_uint8(expected))
    assert inputs_of(made)["engines"] == {"engine": "tiny-esrgan"}
    assert json.loads(read_comment(made.path) or "")["wangp"]["request"]["engine"] == "tiny-esrgan"
    # The same size again needs no network.
    same = upscale(make, tmp_path / "a.png", factor="1", name="same")
    assert np.array_equal(same.frames, shapes(40, 30))
    assert inputs_of(same)["engines"] == {}


def test_a_result_of_a_render_is_upscaled_by_the_network(make: Make, upscaler: EsrganUpscaler) -> None:
    plain = make(name="plain").frames
    made = make(name="large", spatial_upsampling="2", upscaler="tiny-esrgan")
    expected = np.concatenate([upscaler.upscale(frame[None]) for frame in plain])
    assert np.abs(as_float(made.frames) - expected).max() < 0.01
    assert inputs_of(made)["engines"] == {"upscaler": "tiny-esrgan"}
    assert {event.data["stage"] for event in made.events if event.type == "task.stage"} >= {"decode", "write"}
    filtered = make(name="filtered", spatial_upsampling="lanczos2")
    assert "engines" not in inputs_of(filtered)
    assert not np.allclose(as_float(filtered.frames), expected, atol=0.05)


def test_images_keep_their_bits_and_their_alpha(make: Make, tmp_path: Path) -> None:
    deep = np.random.default_rng(0).random((1, 16, 16, 4), np.float32)
    write_image(tmp_path / "a.png", deep, bits=16)
    made = upscale(make, tmp_path / "a.png")
    assert (made.frames.shape, made.frames.dtype) == ((1, 32, 32, 4), np.dtype(np.uint16))
    assert np.abs(as_float(made.frames) - fit(deep, 32, 32, "stretch")).max() < 1e-3


def test_a_video_with_alpha_keeps_it(make: Make, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 4), dtype=np.uint8)
    write_video(tmp_path / "a.mkv", [pixels], fps=Fraction(16), codec="ffv1")
    assert upscale(make, tmp_path / "a.mkv").frames.shape == (3, 32, 32, 4)
    refused = upscale(make, tmp_path / "a.mkv", codec="h264", name="b").outcome
    assert refused.error is not None
    assert "alpha" in refused.error.message


def test_colours_are_matched_before_frames_become_larger_and_grain_comes_last(
    make: Make, tmp_path: Path
) -> None:
    video, image = clip(tmp_path, "a", 3), np.full((1, 8, 8, 3), [[200, 90, 60]], np.uint8)
    write_image(tmp_path / "warm.png", image)
    values = {"image_start": tmp_path / "warm.png", "saturation": 0.5}
    matched = upscale(make, video, name="matched", **values).frames
    means = [colour_statistics(frame[None]).mean for frame in matched]
    plain = [colour_statistics(frame[None]).mean for frame in read_video(video).frames]
    assert all(one[1] > other[1] + 5 for one, other in zip(means, plain, strict=True))
    grained = upscale(make, video, name="g", film_grain_intensity=0.1, seed=5, **values).frames
    expected: list[Frames] = [
        add_grain(as_float(frame[None]), index, seed=5, intensity=0.1) for index, frame in enumerate(matched)
    ]
    assert np.abs(as_float(grained) - np.concatenate(expected)).max() < 1e-3


@pytest.mark.slow
def test_a_batch_of_a_hundred_lines_loads_the_network_once(
    run: Any, tiny_env: dict[str, str], config: Path, tmp_path: Path, upscaler: EsrganUpscaler
) -> None:
    for index in range(4):
        write_image(tmp_path / f"{index}.png", shapes(16, 16, seed=index))
    lines = [{"type": "upscale", "video": f"{n % 4}.png", "name": f"{n}"} for n in range(100)]
    (tmp_path / "tasks.jsonl").write_text("\n".join(map(json.dumps, lines)))
    done = run("batch", "tasks.jsonl", env=tiny_env | {"WANGP_CONFIG_DIR": str(config)}, code=0)
    kinds = [event["type"] for event in done.events]
    assert kinds.count("task.completed") == 100
    assert kinds.count("model.loaded") == 1
    made = read_image(next(tmp_path.rglob("7.png")).parent / "7.png")
    assert np.array_equal(made, as_uint8(upscaler.upscale(shapes(16, 16, seed=3))))
