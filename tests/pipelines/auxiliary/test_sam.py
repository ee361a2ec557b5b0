"""SAM 2 and SAM 3 on tiny checkpoints, against the models of transformers called directly."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.nn import functional

from tests.support import tiny_sam
from wangp_cli.errors import ModelError, RequestError
from wangp_cli.pipelines.auxiliary.sam.pixels import SAM2_COLOURS, SAM3_COLOURS, Preprocessing
from wangp_cli.pipelines.auxiliary.sam.prompts import ObjectPrompt
from wangp_cli.pipelines.auxiliary.sam.segmenter import Segmenter
from wangp_cli.pipelines.auxiliary.sam.text import without_duplicates

HEIGHT, WIDTH = 48, 80
INSIDE, ELSEWHERE = (20.0, 24.0), (60.0, 10.0)
BOX = (10.0, 10.0, 30.0, 35.0)
COLOURS = {"sam2": SAM2_COLOURS, "sam3": SAM3_COLOURS}
SIDES = {"sam2": tiny_sam.SIDE2, "sam3": tiny_sam.SIDE3}


@pytest.fixture(scope="session")
def segmenters(sam_folders: dict[str, Path]) -> dict[str, Segmenter]:
    """The loaded checkpoints by kind."""
    return {kind: Segmenter(sam_folders[kind]) for kind in ("sam2", "sam3")}


def disc(frames: int) -> NDArray[np.uint8]:
    """A noisy red disc that moves right over blue."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = (x - 20 - 2 * np.arange(frames)[:, None, None]) ** 2 + (y - 24) ** 2
    clip = np.where((distance < 100)[..., None], [200, 40, 30], [20, 90, 160])
    return (clip + random.integers(0, 20, clip.shape)).astype(np.uint8)


def pieces(clip: NDArray[np.uint8], length: int = 3) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(clip), length):
        yield clip[start : start + length]


def stock_session(segmenter: Segmenter, model: Any, kind: Any, clip: NDArray[np.uint8]) -> Any:
    """A session of transformers with the whole clip."""
    name = "sam3" if segmenter.reads_text else "sam2"
    preprocessing = Preprocessing(SIDES[name], *COLOURS[name])
    session = kind(video_height=HEIGHT, video_width=WIDTH, dtype=torch.float32)
    for frame in clip:
        session.add_new_frame(preprocessing.pixels(frame))
    return session


def to_frames(logits: torch.Tensor) -> NDArray[np.float32]:
    """What the stock processors make of `[N, h, w]` logits."""
    resized = functional.interpolate(logits[:, None], (HEIGHT, WIDTH), mode="bilinear", align_corners=False)
    return np.asarray((resized[:, 0] > 0).float())


@pytest.mark.parametrize("kind", ["sam2", "sam3"])
def test_pictures_are_resized_and_normalised_as_by_the_stock_processors(kind: str) -> None:
    side, (mean, deviation) = SIDES[kind], COLOURS[kind]
    frame = disc(1)[0]
    got = Preprocessing(side, mean, deviation).pixels(frame)
    picture = Image.fromarray(frame).resize((side, side), Image.Resampling.BILINEAR)
    want = (np.asarray(picture) / 255 - np.array(mean)) / np.array(deviation)
    assert got.shape == (3, side, side)
    one_level = 1 / 255 / min(deviation)
    # Pillow rounds after each of its two passes.
    np.testing.assert_allclose(got.permute(1, 2, 0), want, atol=1.01 * one_level)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sam2", "sam3"])
def test_a_clip_in_pieces_gives_the_masks_of_a_stock_session_of_the_whole_clip(
    segmenters: dict[str, Segmenter], kind: str
) -> None:
    segmenter, side, clip = segmenters[kind], SIDES[kind], disc(18 if kind == "sam2" else 6)
    tracker = segmenter.tracker
    prompts = [
        ObjectPrompt(points=(INSIDE,), points_outside=(ELSEWHERE,)),
        ObjectPrompt(box=BOX, points=(INSIDE,)),
    ]
    got = np.stack(list(tracker.follow(pieces(clip), prompts)))

    session = stock_session(segmenter, tracker.model, tracker._session_of, clip)
    marked = [[(INSIDE, 1), (ELSEWHERE, 0)], [(BOX[:2], 2), (BOX[2:], 3), (INSIDE, 1)]]
    for number, points in enumerate(marked):
        places = torch.tensor([[[place for place, _ in points]]])
        places[..., 0] *= side / WIDTH
        places[..., 1] *= side / HEIGHT
        labels = torch.tensor([[[label for _, label in points]]], dtype=torch.int32)
        inputs = {"point_coords": places, "point_labels": labels}
        session.add_point_inputs(session.obj_id_to_idx(number), 0, inputs)
    session.obj_with_new_inputs = [0, 1]
    want = [to_frames(out.pred_masks[:, 0]) for out in tracker.model.propagate_in_video_iterator(session, 0)]
    np.testing.assert_array_equal(got, np.stack(want))
    assert 0 < got.mean() < 1
    assert len(np.unique(got.reshape(len(clip), -1), axis=0)) > 5


def test_a_short_clip_looks_back_as_far_as_a_stock_session(segmenters: dict[str, Segmenter]) -> None:
    segmenter, clip = segmenters["sam2"], disc(5)
    tracker = segmenter.tracker
    got = np.stack(list(tracker.follow(pieces(clip), [ObjectPrompt(points=(INSIDE,))])))
    session = stock_session(segmenter, tracker.model, tracker._session_of, clip)
    session.add_point_inputs(
        session.obj_id_to_idx(0), 0, ObjectPrompt(points=(INSIDE,)).inputs(WIDTH, HEIGHT, tiny_sam.SIDE2)
    )
    session.obj_with_new_inputs = [0]
    want = [to_frames(out.pred_masks[:, 0]) for out in tracker.model.propagate_in_video_iterator(session, 0)]
    np.testing.assert_array_equal(got, np.stack(want))


@pytest.mark.parametrize("kind", ["sam2", "sam3"])
def test_points_boxes_and_pixels_all_count(segmenters: dict[str, Segmenter], kind: str) -> None:
    segmenter, frame = segmenters[kind], disc(1)[0]
    tracker = segmenter.tracker
    prompts = [
        ObjectPrompt(points=(INSIDE,)),
        ObjectPrompt(points=(ELSEWHERE,)),
        ObjectPrompt(points=(INSIDE,), points_outside=(ELSEWHERE,)),
        ObjectPrompt(points=(INSIDE, ELSEWHERE)),
        ObjectPrompt(box=BOX),
        ObjectPrompt(box=(5.0, 5.0, 70.0, 45.0)),
    ]
    masks = tracker.masks(frame, prompts)
    mirrored = tracker.masks(frame[:, ::-1], prompts)
    assert masks.shape == (6, HEIGHT, WIDTH)
    different = {mask.tobytes() for mask in (*masks, *mirrored)}
    assert len(different) == 12


def test_key_masks_mark_their_frames_and_what_follows(segmenters: dict[str, Segmenter]) -> None:
    segmenter, clip = segmenters["sam2"], disc(8)
    first, second = np.zeros((2, HEIGHT, WIDTH), np.float32)
    first[10:30, 10:30] = second[:20, 50:] = 1
    one = np.concatenate(list(segmenter.mattes(pieces(clip), {0: first})))[..., 0]
    two = np.concatenate(list(segmenter.mattes(pieces(clip), {0: first, 4: second})))[..., 0]
    assert (one[0] * first).sum() / (np.maximum(one[0], first)).sum() > 0.8
    assert (two[4] * second).sum() / (np.maximum(two[4], second)).sum() > 0.8
    np.testing.assert_array_equal(one[:4], two[:4])
    assert all(not np.array_equal(a, b) for a, b in zip(one[4:], two[4:], strict=True))


def test_a_session_keeps_only_what_later_frames_look_at(segmenters: dict[str, Segmenter]) -> None:
    tracker = segmenters["sam2"].tracker
    sizes = []

    def session(**options: Any) -> Any:
        made.append(stock(**options))
        return made[-1]

    made: list[Any] = []
    stock, tracker._session_of = tracker._session_of, session
    try:
        for _ in tracker.follow(pieces(disc(19)), [ObjectPrompt(points=(INSIDE,))]):
            kept = made[0].output_dict_per_obj[0]
            entries = [*kept["cond_frame_outputs"].values(), *kept["non_cond_frame_outputs"].values()]
            tensors = [value for entry in entries for value in entry.values()]
            sizes.append(sum(tensor.numel() for tensor in tensors))
    finally:
        tracker._session_of = stock
    assert max(sizes[16:]) == min(sizes[16:])
    assert len(made[0].output_dict_per_obj[0]["non_cond_frame_outputs"]) == 15


def test_words_follow_as_a_stock_session_of_the_whole_clip(segmenters: dict[str, Segmenter]) -> None:
    segmenter, clip = segmenters["sam3"], disc(5)
    finder = segmenter.finder
    model = finder.model
    finder._overlap = 0.0  # Without the kernel the stock model keeps duplicates.
    got = np.stack(list(finder.follow(pieces(clip), "red circle")))
    finder._overlap = 0.1

    session = stock_session(segmenter, model, finder._session_of, clip)
    prompt = session.add_prompt("red circle")
    session.prompt_input_ids[prompt], session.prompt_attention_masks[prompt] = finder._tokens("red circle")
    stock = type(model).run_detection
    model.run_detection = lambda *args, **options: stock(model, *args, **options)
    want = []
    for out in model.propagate_in_video_iterator(session):
        hidden = out.suppressed_obj_ids | session.hotstart_removed_obj_ids
        shown = [to_frames(mask)[0] for number, mask in out.obj_id_to_mask.items() if number not in hidden]
        want.append(np.max([np.zeros((HEIGHT, WIDTH)), *shown], axis=0))
    model.run_detection = finder._detect_once
    np.testing.assert_array_equal(got, np.stack(want))
    assert got.any()
    assert session.hotstart_removed_obj_ids


def test_words_find_what_the_detector_is_sure_of(segmenters: dict[str, Segmenter]) -> None:
    segmenter, frame = segmenters["sam3"], disc(1)[0]
    finder = segmenter.finder
    masks, scores = finder.masks(frame, "red circle")
    tokens, attention = finder._tokens("red circle")
    pixels = Preprocessing(tiny_sam.SIDE3, *SAM3_COLOURS).pixels(frame)[None]
    with torch.inference_mode():
        out = finder.model.detector_model(pixel_values=pixels, input_ids=tokens, attention_mask=attention)
    sure = (out.pred_logits.sigmoid() * out.presence_logits.sigmoid())[0]
    best = int(sure.argmax())
    assert scores[0] == pytest.approx(float(sure[best]))
    assert scores == sorted(scores, reverse=True)
    np.testing.assert_array_equal(masks[0], to_frames(out.pred_masks[0, best][None])[0])
    np.testing.assert_array_equal(segmenter.first_mask(frame, text="red circle"), masks.max(axis=0))
    others = [finder.masks(frame, "red blob")[0], finder.masks(frame[:, ::-1], "red circle")[0]]
    assert all(not np.array_equal(masks[0], other[0]) for other in others)


def test_words_that_name_nothing_are_told_with_the_best_score(segmenters: dict[str, Segmenter]) -> None:
    with pytest.raises(RequestError, match=r"text: nothing in the frame is 'car': the best score is 0\.\d\d"):
        segmenters["sam3"].first_mask(disc(1)[0], text="car")


def test_masks_that_cover_a_surer_one_are_duplicates() -> None:
    masks = torch.zeros(4, 4, 4, dtype=torch.bool)
    masks[0, :2] = masks[1, :2, :3] = masks[2, 3] = masks[3, 1:3] = True
    assert without_duplicates(masks, 0.1).tolist() == [0, 2]
    assert without_duplicates(masks, 0.5).tolist() == [0, 2, 3]
    assert without_duplicates(masks, 0.0).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"points": [(80, 3)]}, "points: 80,3 is outside the frame of 80x48"),
        ({"points": [INSIDE], "points_outside": [(3, -1)]}, "points_outside: 3,-1 is outside the frame of"),
        ({"box": (10, 10, 5, 20)}, "box: 10,10,5,20 is empty"),
        ({"box": (10, 10, 81, 20)}, "box: 10,10,81,20 is outside the frame of 80x48"),
        ({"points_outside": [INSIDE]}, "points: none on the object, and no box"),
        ({}, "points: none on the object, and no box"),
        ({"text": "disc", "box": BOX}, "text: given together with points or a box"),
        ({"text": "disc"}, "text: SAM 2 takes points and boxes only"),
    ],
)
def test_a_prompt_that_marks_nothing_is_refused(
    segmenters: dict[str, Segmenter], values: dict[str, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        segmenters["sam2"].first_mask(disc(1)[0], **values)


def test_text_beyond_the_length_of_the_model_is_refused(segmenters: dict[str, Segmenter]) -> None:
    with pytest.raises(RequestError, match="text: 22 tokens, the model takes 16"):
        segmenters["sam3"].first_mask(disc(1)[0], text="a very long description")


@pytest.mark.parametrize(
    ("masks", "words"),
    [
        ({}, "mask: there is none for the first frame"),
        ({0: np.eye(40, 80)}, "mask: 80x40 at frame 0, but the frames are 80x48"),
        ({0: np.ones((48, 80))}, "mask: it covers the whole frame at frame 0"),
        ({0: np.eye(48, 80), 5: np.eye(48, 80)}, "mask: there is one at frame 5, but the frames end at 1"),
    ],
)
def test_key_masks_that_cannot_be_used_are_refused(
    segmenters: dict[str, Segmenter], masks: dict[int, Any], words: str
) -> None:
    with pytest.raises(RequestError, match=words):
        list(segmenters["sam2"].mattes([disc(2)], masks))


def test_a_folder_of_another_model_is_named(sam_folders: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is not a folder"):
        Segmenter(tmp_path / "none")
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        Segmenter(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "vitmatte"}')
    with pytest.raises(ModelError, match="holds a model of type vitmatte; sam2_video or sam3_video"):
        Segmenter(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "sam2_video", "auto_map": {"AutoModel": "a.B"}}')
    with pytest.raises(ModelError, match="refers to unknown code"):
        Segmenter(tmp_path)


def test_weights_that_miss_a_part_are_refused(sam_folders: dict[str, Path], tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    shutil.copytree(sam_folders["sam2"], tmp_path, dirs_exist_ok=True)
    tensors = load_file(tmp_path / "model.safetensors")
    kept = {name: value for name, value in tensors.items() if not name.startswith("memory_encoder")}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"missing keys: memory_encoder"):
        Segmenter(tmp_path).first_mask(disc(1)[0], points=[INSIDE])
    (tmp_path / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match=r"model\.safetensors"):
        Segmenter(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelError, match="has no safetensors file"):
        Segmenter(tmp_path)


def test_sam_3_without_its_tokenizer_is_refused(sam_folders: dict[str, Path], tmp_path: Path) -> None:
    shutil.copytree(sam_folders["sam3"], tmp_path, dirs_exist_ok=True)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelError, match=r"tokenizer\.json is missing"):
        Segmenter(tmp_path)
