"""Find and follow the objects that words name: SAM 3."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wangp_cli.errors import RequestError
from wangp_cli.media.clip import Frames
from wangp_cli.pipelines.auxiliary.sam.pixels import Preprocessing, masks_of
from wangp_cli.pipelines.auxiliary.sam.stream import FrameStream, forget, new_session


class TextFinder:
    """A loaded model with its tokenizer.

    The model's filters for duplicate objects, holes and specks need a kernel that transformers takes from a
    hub. They are switched off; duplicates are left out here.

    Args:
        model: `Sam3VideoModel`.
        session: its class of sessions.
        tokenizer: of its text encoder.
        preprocessing: how it wants its pictures.
    """

    def __init__(self, model: Any, session: Any, tokenizer: Any, preprocessing: Preprocessing) -> None:
        self.model = model
        self._session_of, self._tokenizer, self._preprocessing = session, tokenizer, preprocessing
        self._overlap = model.det_nms_thresh
        self._detect = model.run_detection
        model.det_nms_thresh = model.fill_hole_area = 0
        model.run_detection = self._detect_once

    def masks(self, frame: NDArray[Any], text: str) -> tuple[NDArray[np.float32], list[float]]:
        """Masks of the objects in one frame that the words name, the surest first.

        Args:
            frame: `[H, W, 3]`, any dtype of `Frames`.
            text: a short noun phrase, such as `red car`.

        Returns:
            float32 `[N, H, W]`, of zeros and ones, and the score of each, from 0 to 1.

        Raises:
            RequestError: no object has the score that the model asks for; the message names the best one.
        """
        model, wanted = self.model, self.model.score_threshold_detection
        tokens, attention = self._tokens(text)
        with torch.inference_mode():
            pixels = self._pixels(frame)[None].to(model.device)
            found = model.detector_model(pixel_values=pixels, input_ids=tokens, attention_mask=attention)
            scores = (found.pred_logits.sigmoid() * found.presence_logits.sigmoid())[0].float()
            if scores.max() <= wanted:
                raise RequestError(
                    "text",
                    f"nothing in the frame is {text!r}: the best score is {scores.max():.2f}, "
                    f"more than {wanted:g} is wanted",
                    hint="a plainer word, or --point X,Y",
                )
            order = scores.argsort(descending=True, stable=True)
            order = order[scores[order] > wanted]
            logits = found.pred_masks[0][order]
            kept = without_duplicates(logits > 0, self._overlap)
            masks = masks_of(logits[kept], frame.shape[0], frame.shape[1])
        return masks, scores[order][kept].tolist()

    def follow(self, frames: Iterable[Frames], text: str) -> Iterator[NDArray[np.float32]]:
        """One mask for each frame of a clip: all objects that the words name, also those that come later.

        The mask of a frame is known some frames after it (`hotstart_delay` of the model), because objects
        that were found by mistake are removed after they were seen.

        Args:
            frames: the clip in pieces `[T, H, W, 3]`, all of one size; read as masks are asked for.
            text: a short noun phrase.

        Returns:
            float32 `[H, W]`, of zeros and ones; zeros where there is no such object.
        """
        ahead = self.model.tracker_model.config.max_object_pointers_in_encoder
        stream = FrameStream(frames, self._pixels, ahead)
        session = self._session(stream, text)
        waiting: deque[Any] = deque()
        for index in stream.indexes():
            found = self.model(session, frame_idx=index)
            session.hotstart_removed_obj_ids.update(found.removed_obj_ids)
            self._forget(session, index)
            waiting.append(found)
            if len(waiting) >= max(1, self.model.hotstart_delay):
                yield self._all_objects(session, waiting.popleft(), stream.size)
        for found in waiting:
            yield self._all_objects(session, found, stream.size)

    def _pixels(self, frame: NDArray[Any]) -> torch.Tensor:
        return self._preprocessing.pixels(frame).to(self.model.dtype)

    def _tokens(self, text: str) -> tuple[torch.Tensor, torch.Tensor]:
        length = self.model.config.detector_config.text_config.max_position_embeddings
        if not text.strip():
            raise RequestError("text", "is empty")
        tokens = self._tokenizer(text, return_tensors="pt", padding="max_length", max_length=length)
        if (count := tokens.input_ids.shape[1]) > length:
            raise RequestError(
                "text", f"{count} tokens, the model takes {length}", hint="a short noun phrase"
            )
        return tokens.input_ids.to(self.model.device), tokens.attention_mask.to(self.model.device)

    def _session(self, stream: FrameStream, text: str) -> Any:
        session = new_session(self._session_of, self.model, stream)
        prompt = session.add_prompt(text)
        session.prompt_input_ids[prompt], session.prompt_attention_masks[prompt] = self._tokens(text)
        return session

    def _forget(self, session: Any, index: int) -> None:
        forget(session, index, self.model.tracker_model.config)
        for by_frame in (session.obj_id_to_tracker_score_frame_wise, session.suppressed_obj_ids):
            for old in [i for i in by_frame if i < index]:
                del by_frame[old]

    def _detect_once(self, *args: Any, **kwargs: Any) -> Any:
        """What the model detects in a frame, by prompt, without duplicates."""
        found = self._detect(*args, **kwargs)
        for prompt, objects in found.items():
            order = objects["scores"].argsort(descending=True, stable=True)
            kept = order[without_duplicates(objects["mask"][order] > 0, self._overlap)].sort().values
            found[prompt] = {name: values[kept] for name, values in objects.items()}
        return found

    def _all_objects(self, session: Any, found: Any, size: tuple[int, int]) -> NDArray[np.float32]:
        hidden = set(found.suppressed_obj_ids or ()) | session.hotstart_removed_obj_ids
        logits = [mask for number, mask in found.obj_id_to_mask.items() if number not in hidden]
        if not logits:
            return np.zeros(size, np.float32)
        union: NDArray[np.float32] = masks_of(torch.cat(logits), *size).max(axis=0)
        return union


def without_duplicates(masks: torch.Tensor, overlap: float) -> torch.Tensor:
    """Indexes of the masks that cover none of those before them by more than `overlap`, as IoU.

    Args:
        masks: bool `[N, h, w]`, the surest first.
        overlap: from 0 to 1; 0 keeps all, as the model's own filter does.
    """
    flat = masks.flatten(1).float()
    shared = flat @ flat.T
    areas = flat.sum(1)
    ratios = shared / (areas[:, None] + areas[None] - shared).clamp(min=1)
    kept: list[int] = []
    for index in range(len(masks)):
        if overlap <= 0 or not kept or ratios[index, kept].max() <= overlap:
            kept.append(index)
    return torch.tensor(kept, dtype=torch.long, device=masks.device)
