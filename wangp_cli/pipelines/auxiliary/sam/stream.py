"""Sessions of transformers' video models on a stream of frames, with bounded memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Frames

DROPPED = ("high_res_masks", "pred_masks")
"""What a session keeps of every frame and needs of the present one alone."""
MEMORY = ("maskmem_features", "maskmem_pos_enc")
"""What a session keeps of a frame as the memory of its objects."""


class FrameStream:
    """Stands in for a session's dictionary of frames, of which only the present one is there.

    The model asks for the number of frames to limit how many frames it looks back at. So it is exact up to
    `ahead`, and at least that from there on: what comes out is what a session of the whole clip gives.

    Args:
        frames: the clip in pieces `[T, H, W, 3]`, all of one size.
        pixels: makes a frame `[H, W, 3]` a picture that the model sees.
        ahead: the most frames that the model looks back at.

    Raises:
        RequestError: there are no frames.
    """

    def __init__(
        self, frames: Iterable[Frames], pixels: Callable[[NDArray[Any]], torch.Tensor], ahead: int
    ) -> None:
        self._source = (frame for piece in frames for frame in piece)
        self._pixels, self._ahead = pixels, ahead
        self._waiting: deque[NDArray[Any]] = deque()
        self._index = -1
        self._read()
        if not self._waiting:
            raise RequestError("video", "it has no frames")
        self.size = int(self._waiting[0].shape[0]), int(self._waiting[0].shape[1])
        """Height and width of the frames."""

    def indexes(self) -> Iterator[int]:
        """The index of every frame, which is the present one until the next index is asked for."""
        while self._waiting:
            self._picture = self._pixels(self._waiting.popleft())
            self._index += 1
            self._read()
            yield self._index

    def _read(self) -> None:
        wanted = max(1, self._ahead - self._index - 1)
        while len(self._waiting) < wanted and (frame := next(self._source, None)) is not None:
            self._waiting.append(frame)

    def __len__(self) -> int:
        return self._index + 1 + len(self._waiting)

    def __getitem__(self, index: int) -> torch.Tensor:
        if index != self._index:
            raise KeyError(index)
        return self._picture


def new_session(session_type: Callable[..., Any], model: Any, stream: FrameStream) -> Any:
    """A session of a model whose frames come from a stream.

    Args:
        session_type: the session class of the model.
        model: of transformers.
        stream: of the frames.
    """
    height, width = stream.size
    session = session_type(
        video_height=height,
        video_width=width,
        inference_device=model.device,
        inference_state_device=model.device,
        dtype=model.dtype,
    )
    session.processed_frames = stream
    return session


def forget(session: Any, index: int, config: Any) -> None:
    """Free what a session keeps of frames up to `index` and no later frame looks at.

    Args:
        session: of SAM 2 or SAM 3.
        index: the frame that was just computed.
        config: of the model that follows the objects.
    """
    oldest_memory = index + 2 - config.num_maskmem
    oldest_pointer = index + 2 - config.max_object_pointers_in_encoder
    for outputs in session.output_dict_per_obj.values():
        followed, marked = outputs["non_cond_frame_outputs"], outputs["cond_frame_outputs"]
        for old in [i for i in followed if i < min(oldest_memory, oldest_pointer)]:
            del followed[old]
        for i, kept in followed.items():
            _drop(kept, DROPPED + (MEMORY if i < oldest_memory else ()))
        # Of the frames that the object was marked in, the model takes the nearest ones, or all.
        count = config.max_cond_frame_num
        nearest = sorted(marked)[-count:] if count > 0 else marked
        for i, kept in marked.items():
            unreachable = i not in nearest and i < oldest_memory
            _drop(kept, DROPPED + (MEMORY if unreachable else ()))


def _drop(kept: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        kept.pop(name, None)
