"""Whole requests with a model that gives back what it is shown: the file is the plan, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.echo import loader
from tests.support.noop import register
from wangp_cli.media.audio import samples_at
from wangp_cli.media.clip import Audio, Frames, as_uint8
from wangp_cli.media.read_audio import read_audio
from wangp_cli.media.read_video import read_video
from wangp_cli.media.stills import write_image
from wangp_cli.media.write import write_video
from wangp_cli.runtime import bootstrap
from wangp_cli.runtime.execute import execute
from wangp_cli.value_layers import Layer

FPS, RATE, SIDE, GREY = Fraction(16), 8_000, 16, 128
LENGTHS = (9, 14, 23, 40)
PICTURES = 5
SHADES = [shade for shade in range(5, 250) if abs(shade - GREY) > 20]


class Studio:
    """A session whose model gives back what it is shown, clips with sound, pictures and a mask.

    Every frame of a clip has one shade, another than its neighbours and than what is unknown.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.session = bootstrap.start([lambda _: None], adapters={"wan": loader()})
        rng = np.random.default_rng(0)
        self.shades = [rng.permutation(SHADES)[:length] for length in LENGTHS]
        for index, shades in enumerate(self.shades):
            samples = rng.uniform(-0.5, 0.5, (len(shades) * RATE // 16, 1)).astype(np.float32)
            write_video(
                self.clip(index),
                [plain(shades)],
                fps=FPS,
                codec="ffv1",
                audio=Audio(samples=samples, rate=RATE),
            )
        for index in range(PICTURES):
            write_image(self.picture(index), plain([20 + 15 * index]))
        mask = np.zeros((1, SIDE, SIDE, 1), np.uint8)
        mask[:, :, SIDE // 2 :] = 255
        write_image(folder / "mask.png", mask)

    def clip(self, index: int) -> Path:
        """The file of a clip."""
        return self.folder / f"clip{index}.mkv"

    def picture(self, index: int) -> Path:
        """The file of a picture, whose shade is `20 + 15 * index`."""
        return self.folder / f"picture{index}.png"

    def make(self, request: dict[str, Any]) -> tuple[dict[str, Any], Frames, int]:
        """The plan of a request, the pixels of its file, and how many samples of sound that has."""
        said = {"model": "noop", "prompt": "x", "size": f"{SIDE}x{SIDE}", "codec": "ffv1", "seed": 1}
        said |= {"output": self.folder / "made.mkv", "overwrite": True, "colour_match": 0, "fps": "16"}
        outcome = execute(lambda: [Layer(kind="flag", values=said | request)], self.session)
        assert outcome.error is None, f"{outcome.error} for {request}"
        assert outcome.manifest is not None
        path = Path(outcome.artifacts[0].path)
        audio = read_audio(path) if request["type"] != "travel" else None
        return outcome.manifest["plan"], as_uint8(read_video(path).frames), len(audio.samples) if audio else 0


def plain(shades: Any) -> Frames:
    """Frames of one shade each."""
    return np.broadcast_to(
        np.asarray(shades, np.uint8)[:, None, None, None], (len(shades), SIDE, SIDE, 3)
    ).copy()


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One for all requests: what is loaded stays loaded."""
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in register(folder / "config").items():
            patch.setenv(name, value)
        patch.setenv("HOME", str(folder))
        patch.chdir(folder)
        found = Studio(folder)
        yield found
        found.session.pool.close()


def either(values: st.SearchStrategy[Any], count: int) -> st.SearchStrategy[list[Any]]:
    """One value for all, or one for each."""
    return st.sampled_from([1, count]).flatmap(lambda size: st.lists(values, min_size=size, max_size=size))


@st.composite
def joins(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of `join`."""
    loop = draw(st.booleans())
    clips = draw(st.lists(st.integers(0, 3), min_size=1 if loop else 2, max_size=4))
    count = len(clips) - (not loop)
    mode = draw(either(st.sampled_from(["insert", "replace"]), count))
    return {
        "type": "join",
        "clips": clips,
        "loop": loop,
        "mode": mode,
        "gap": draw(either(st.integers(0, 8 if "replace" in mode else 20), count)),
        "context": draw(either(st.integers(1, 12), count)),
        "bridging": draw(st.booleans()),
        "sound": draw(st.sampled_from(["crossfade", "silence"])),
    }


@st.composite
def travels(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of `travel`."""
    images, loop = draw(st.lists(st.integers(0, PICTURES - 1), min_size=1, max_size=4)), draw(st.booleans())
    count = len(images) - (not loop) if len(images) > 1 or loop else draw(st.integers(1, 3))
    single = len(images) == 1 and not loop
    frames = st.lists(st.integers(4, 30), min_size=count, max_size=count)
    return {
        "type": "travel",
        "images": images,
        "loop": loop,
        "mode": draw(st.sampled_from(["chained", "independent"])),
        "frames": draw(frames if single else either(st.integers(4, 30), count)),
        "overlap": draw(either(st.integers(0, 20), count - 1) if count > 1 else st.just([])),
    }


def cuts(draw: st.DrawFn, length: int, most: int) -> list[tuple[int, int]]:
    """First and last frames of portions with something between and beside them."""
    places = draw(st.sets(st.integers(0, length), min_size=2, max_size=2 * most))
    ordered = sorted(places)
    pairs = [(first, end - 1) for first, end in zip(ordered[::2], ordered[1::2], strict=False)]
    return [(0, length - 2)] if pairs == [(0, length - 1)] else pairs


@st.composite
def edits(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of `edit`."""
    video = draw(st.integers(0, 3))
    portions = cuts(draw, LENGTHS[video], 3)
    return {
        "type": "edit",
        "video": video,
        "portions": [f"{first}-{last}" for first, last in portions],
        "gap": draw(st.just([]) | either(st.integers(0, 20), len(portions))),
        "context": draw(st.integers(1, 12)),
        "keep_ends": draw(st.booleans()) and all(last - first > 1 for first, last in portions),
    }


@st.composite
def inpaints(draw: st.DrawFn) -> dict[str, Any]:
    """Requests of `inpaint`."""
    video, masked = draw(st.integers(0, 3)), draw(st.booleans())
    ((first, last),) = cuts(draw, LENGTHS[video], 1)
    whole = masked and draw(st.booleans())
    return {
        "type": "inpaint",
        "video": video,
        **({} if whole else {"portion": f"{first}-{last}"}),
        **({"image_mask": "mask.png"} if masked else {}),
        "frames": draw(st.integers(5, 40)),
        "context": draw(st.integers(1, 12)),
        "overlap": draw(st.integers(1, 12)),
    }


def with_files(studio: Studio, request: dict[str, Any]) -> dict[str, Any]:
    """The request with paths for numbers."""
    files = {"clips": studio.clip, "images": studio.picture, "video": studio.clip}
    return request | {
        name: [path(each) for each in value] if isinstance(value, list) else path(value)
        for name, path in files.items()
        if (value := request.get(name)) is not None
    }


REQUESTS = joins() | travels() | edits() | inpaints()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS)
def test_the_file_is_the_plan_for_a_model_that_gives_back_its_guide(
    studio: Studio, request: dict[str, Any]
) -> None:
    check_file_is_the_plan(studio, request)


@pytest.mark.slow
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(request=REQUESTS)
def test_500_files_are_their_plans(studio: Studio, request: dict[str, Any]) -> None:
    check_file_is_the_plan(studio, request)


def check_file_is_the_plan(studio: Studio, request: dict[str, Any]) -> None:
    """The file of a request has the frames of its plan, and audio as long as they are."""
    plan, frames, samples = studio.make(with_files(studio, request))
    assert len(frames) == plan["total"] == length_of(request, plan)
    given = request.get("clips", [request.get("video")])
    known: dict[int, int] = {}
    for part in plan["kept"]:
        shades = studio.shades[given[part["clip"]]][part["first"] : part["end"]]
        known |= {part["start"] + index: int(shade) for index, shade in enumerate(shades)}
    ends = dict(known)
    for segment in plan["segments"]:
        begins = segment["start"] - segment["overlap"] - segment["drop"]
        for picture in segment["pictures"]:
            known.setdefault(begins + picture["at"], 20 + 15 * request["images"][picture["image"]])
        for place, neighbour in zip(segment["bridging"], (-1, segment["frames"]), strict=False):
            known[begins + place] = ends[(segment["start"] + neighbour) % plan["total"]]
    for image, frame in zip(request.get("images", []), plan["anchors"], strict=True):
        assert known[frame] == 20 + 15 * image
    wanted = plain([known.get(frame, GREY) for frame in range(plan["total"])])
    if request.get("image_mask"):
        shades = plain(studio.shades[request["video"]])
        wanted[:, :, : SIDE // 2] = shades[:, :, : SIDE // 2]
    assert np.abs(wanted.astype(int) - frames).max() == 0
    assert samples == (0 if request["type"] == "travel" else samples_at(plan["total"], RATE, FPS))


def length_of(request: dict[str, Any], plan: dict[str, Any]) -> int:
    """How long the file must be, by the rule of its task alone."""
    if request["type"] == "join":
        joins = len(request["clips"]) - (not request["loop"])
        gaps, modes = each(request["gap"], joins), each(request["mode"], joins)
        inserted: int = sum(gap for gap, mode in zip(gaps, modes, strict=True) if mode == "insert")
        return sum(LENGTHS[clip] for clip in request["clips"]) + inserted
    if request["type"] == "inpaint":
        return LENGTHS[int(request["video"])]
    if request["type"] == "edit":
        ends = [[int(end) for end in portion.split("-")] for portion in request["portions"]]
        gone = [last - first + 1 - 2 * request["keep_ends"] for first, last in ends]
        gaps = each(request["gap"], len(gone)) if request["gap"] else gone
        return LENGTHS[request["video"]] + int(sum(gaps) - sum(gone))
    parts = len(plan["segments"])
    lengths: int = sum(max(5, count // 4 * 4 + 1) for count in each(request["frames"], parts))
    return lengths - (parts - 1 if request["mode"] == "independent" else 0) - (1 if request["loop"] else 0)


def each(values: list[Any], count: int) -> list[Any]:
    """One for each; a single value serves all."""
    return values * count if len(values) == 1 else values
