"""Follow objects that points, boxes or masks mark: SAM 2, and the tracker of SAM 3."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.matting.key_masks import check_key_masks
from wangp_cli.media.clip import Frames
from wangp_cli.pipelines.auxiliary.sam.pixels import Preprocessing, masks_of
from wangp_cli.pipelines.auxiliary.sam.prompts import ObjectPrompt
from wangp_cli.pipelines.auxiliary.sam.stream import FrameStream, forget, new_session


class Tracker:
    """A loaded model.

    Args:
        model: `Sam2VideoModel` or `Sam3TrackerVideoModel`.
        session: its class of sessions.
        preprocessing: how it wants its pictures.
    """

    def __init__(self, model: Any, session: Callable[..., Any], preprocessing: Preprocessing) -> None:
        self.model = model
        self._session_of = session
        self._preprocessing = preprocessing

    def masks(self, frame: NDArray[Any], prompts: Sequence[ObjectPrompt]) -> NDArray[np.float32]:
        """Masks of objects in one frame.

        Args:
            frame: `[H, W, 3]`, any dtype of `Frames`.
            prompts: one for each object.

        Returns:
            float32 `[N, H, W]`, of zeros and ones, in the order of `prompts`.

        Raises:
            RequestError: a prompt marks nothing or lies outside the frame.
        """
        return next(self.follow([frame[None]], prompts))

    def follow(
        self, frames: Iterable[Frames], prompts: Sequence[ObjectPrompt]
    ) -> Iterator[NDArray[np.float32]]:
        """Masks of objects in every frame of a clip, marked in its first one.

        Args:
            frames: the clip in pieces `[T, H, W, 3]`, all of one size; read as masks are asked for.
            prompts: one for each object.

        Returns:
            float32 `[N, H, W]`, of zeros and ones, for each frame.

        Raises:
            RequestError: there are no frames, or as for `masks`.
        """
        stream = self._stream(frames)
        height, width = stream.size
        session = self._session(stream)
        for prompt in prompts:
            prompt.check(width, height)
        for number, prompt in enumerate(prompts):
            inputs = prompt.inputs(width, height, self._preprocessing.side)
            session.add_point_inputs(session.obj_id_to_idx(number), 0, inputs)
        session.obj_with_new_inputs = list(range(len(prompts)))
        yield from self._track(session, stream)

    def follow_masks(
        self, frames: Iterable[Frames], key_masks: Mapping[int, NDArray[np.float32]]
    ) -> Iterator[NDArray[np.float32]]:
        """The mask of one object, which masks of some frames mark, in every frame of a clip.

        From the frame of each key mask on, the object is followed by that one and by those before.

        Args:
            frames: the clip in pieces `[T, H, W, 3]`, all of one size; read as masks are asked for.
            key_masks: float32 `[H, W]` in [0, 1] by index of the frame; one at frame 0 is needed.

        Returns:
            float32 `[H, W]` of zeros and ones, for each frame.

        Raises:
            RequestError: there are no frames, or as `Matter.mattes`.
        """
        stream = self._stream(frames)
        session = self._session(stream)
        check_key_masks(key_masks, stream.size[1], stream.size[0])
        session.obj_id_to_idx(0)

        def mark(index: int) -> None:
            if index in key_masks:
                session.add_mask_inputs(0, index, self._preprocessing.mask(key_masks[index]))
                session.obj_with_new_inputs = [0]

        count = 0
        for masks in self._track(session, stream, mark):
            count += 1
            yield masks[0]
        if late := [index for index in key_masks if index >= count]:
            raise RequestError(
                "mask", f"there is one at frame {max(late)}, but the frames end at {count - 1}"
            )

    def _stream(self, frames: Iterable[Frames]) -> FrameStream:
        ahead = self.model.config.max_object_pointers_in_encoder

        def pixels(frame: NDArray[Any]) -> torch.Tensor:
            return self._preprocessing.pixels(frame).to(self.model.dtype)

        return FrameStream(frames, pixels, ahead)

    def _session(self, stream: FrameStream) -> Any:
        return new_session(self._session_of, self.model, stream)

    def _track(
        self, session: Any, stream: FrameStream, mark: Callable[[int], None] | None = None
    ) -> Iterator[NDArray[np.float32]]:
        """Masks of every frame; `mark` may add inputs for a frame before it is computed."""
        for index in stream.indexes():
            with torch.inference_mode():
                if mark:
                    mark(index)
                found = self.model(session, frame_idx=index)
                masks = masks_of(found.pred_masks[:, 0], *stream.size)
                forget(session, index, self.model.config)
            yield masks
