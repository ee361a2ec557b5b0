from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.support.matting_clips import MattingClip, matting_clip, mean_overlap, warped_mattes
from wangp_cli.errors import Cancelled, RequestError
from wangp_cli.matting.classic import ClassicMatter
from wangp_cli.matting.matter import Alpha
from wangp_cli.media.clip import Frames


def mattes(
    clip: MattingClip, keys: dict[int, int], max_size: int | None = None, backward_frames: int = 120
) -> Alpha:
    """Mattes from the true masks of frames, by the index that they are given for."""
    masks = {index: clip.mask(of) for index, of in keys.items()}
    matter = ClassicMatter(max_size=max_size, backward_frames=backward_frames)
    return np.concatenate(list(matter.mattes([clip.frames], masks)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 6])
def test_mattes_of_48_frames_fit_and_are_better_than_simpler_ways(seed: int) -> None:
    clip = matting_clip(seed, size=(128, 128))
    overlap = mean_overlap(mattes(clip, {0: 0}), clip.alpha)
    assert overlap > 0.8
    assert overlap > mean_overlap(np.broadcast_to(clip.alpha[:1], clip.alpha.shape), clip.alpha)
    assert overlap > mean_overlap(warped_mattes(clip), clip.alpha)


def test_alpha_has_the_size_and_number_of_the_frames_and_is_the_mask_in_the_key_frame() -> None:
    clip = matting_clip(1, 4, size=(61, 48))
    alpha = mattes(clip, {0: 0})
    assert alpha.shape == (4, 48, 61, 1)
    assert alpha.dtype == np.float32
    assert alpha.min() >= 0
    assert alpha.max() <= 1
    assert np.array_equal(alpha[0], clip.alpha[0])
    assert mean_overlap(alpha, clip.alpha) > 0.9


def test_larger_frames_are_followed_at_a_smaller_size_and_have_edges_of_their_own() -> None:
    clip = matting_clip(1, 4, size=(96, 96))
    alpha = mattes(clip, {0: 0}, max_size=48)
    assert alpha.shape == (4, 96, 96, 1)
    assert mean_overlap(alpha, clip.alpha) > 0.9


def test_a_later_key_mask_is_followed_backwards_too() -> None:
    clip = matting_clip(6, 9, size=(64, 64), speed=6)
    one, two = mattes(clip, {0: 0}), mattes(clip, {0: 0, 8: 8})
    assert np.array_equal(two[8], clip.alpha[8])
    assert np.abs(two - clip.alpha)[1:8].mean() < np.abs(one - clip.alpha)[1:8].mean()


def test_far_before_a_key_mask_there_is_no_way_back_and_the_mix_begins_slowly() -> None:
    clip = matting_clip(6, 8, size=(48, 48), speed=6)
    one, two = mattes(clip, {0: 0}), mattes(clip, {0: 0, 7: 7}, backward_frames=3)
    assert np.array_equal(two[:4], one[:4])
    changes = np.abs(two - one).mean(axis=(1, 2, 3))
    assert 0 < changes[4] < changes[6]


def test_neighbouring_key_masks_leave_nothing_between_them() -> None:
    clip = matting_clip(1, 3, size=(48, 48))
    assert np.array_equal(mattes(clip, {0: 0, 1: 1, 2: 2}), clip.alpha)


def test_mattes_do_not_depend_on_how_frames_are_cut_into_pieces() -> None:
    clip = matting_clip(1, 4, size=(48, 48))
    pieces = [clip.frames[:1], clip.frames[1:4]]
    parts = np.concatenate(list(ClassicMatter().mattes(pieces, {0: clip.mask(0)})))
    assert np.array_equal(parts, mattes(clip, {0: 0}))


def test_frames_are_followed_as_they_come() -> None:
    clip = matting_clip(1, 4, size=(48, 48))
    read = 0

    def frames() -> Iterator[Frames]:
        nonlocal read
        for frame in clip.frames:
            read += 1
            yield frame[None]

    stream = ClassicMatter().mattes(frames(), {0: clip.mask(0)})
    for index, _ in enumerate(stream):
        assert read <= index + 2


def test_the_way_back_can_be_stopped() -> None:
    clip = matting_clip(1, 4, size=(48, 48))
    seen = []

    def check() -> None:
        seen.append(1)
        if len(seen) == 2:
            raise Cancelled("stopped")

    stream = ClassicMatter(check=check).mattes([clip.frames], {0: clip.mask(0), 3: clip.mask(3)})
    with pytest.raises(Cancelled):
        list(stream)


def test_a_key_mask_after_the_last_frame_is_an_error() -> None:
    clip = matting_clip(1, 3, size=(48, 48))
    with pytest.raises(RequestError, match="at frame 5, but the frames end before it"):
        mattes(clip, {0: 0, 5: 2})


def test_an_empty_mask_is_an_error() -> None:
    clip = matting_clip(1, 2, size=(48, 48))
    with pytest.raises(RequestError, match="it is empty at frame 0"):
        list(ClassicMatter().mattes([clip.frames], {0: np.zeros((48, 48), np.float32)}))
