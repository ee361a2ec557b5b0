"""Plan a travel between images: each segment of q frames adds exactly q frames."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from wangp_cli.errors import RequestError
from wangp_cli.grid import Grid
from wangp_cli.notices import Notice
from wangp_cli.plan.model import KeptRange, PlacedImage, Plan, Segment, broadcast
from wangp_cli.plan.travel_lengths import Mode, lengths_on_grid, seam_overlaps, segment_count

SVI_LATENTS = 2
"""Latent frames after the first that are encoded of the segment before; SVI is conditioned on the last of
them.

Source: Headless-Wan2GP."""


def plan_travel(  # noqa: PLR0913 - the numbers of one request
    images: int,
    frames: Sequence[int],
    overlaps: Sequence[int] = (0,),
    *,
    grid: Grid,
    fps: Fraction,
    mode: Mode = "chained",
    ends: bool = True,
    before: int = 0,
    loop: bool = False,
    longest: int | None = None,
    images_end_latents: bool = False,
) -> Plan:
    """Plan a video that passes `images` images.

    A chained segment begins with frames of the segment before, which it generates again: `overlap` of them
    are crossfaded, further ones that the model's grid needs are dropped. Frames of a continued video never
    change: the first segment is conditioned on them and drops all that it generates again. The video has as
    many frames as all segments together, and image k is the last frame of segment k - 1. An independent
    segment begins with its own image. Neighbours share that image, which the later one generates, so each
    segment after the first adds one frame less; this is the mode of image-to-video models.

    SVI segments are chained segments of image-to-video models: each is conditioned on an anchor image, which
    is the first generated frame and is dropped, and on the last latent frame of the segment before, with
    which it is crossfaded. If the model takes no end images, there is only one image.

    Args:
        images: count of images; 0 only if a video is continued.
        frames: of each segment, or one value for all; set on the model's grid. There is a segment for each
            pair of neighbours, one more to continue a video, one more to loop; from a single image, or a
            video alone, as many as there are values.
        overlaps: of each seam, or one value for all; a continued video has a seam in front too. Made even
            downwards, then limited to the shorter neighbour. 4 gives the lengths of SVI.
        grid: of the model.
        fps: of the output.
        mode: whether segments continue each other.
        ends: whether the model takes the image with which a segment ends. If it does not, segments are
            independent, each image begins one, and the seams are cuts: there are as many segments as images,
            and one more to continue a video.
        before: frames of the video to continue, which comes first in the output.
        loop: travel back to the first image. The frame that would repeat it at the end is cut off.
        longest: generate several segments in one run, with images inside, of at most this many frames.
        images_end_latents: the model draws an image well only as the last frame of a latent frame, so a run
            has no images at other places inside it.

    Raises:
        RequestError: too few images, or lists of the wrong length.
    """
    if mode == "svi" and not ends and images > (most := int(not before)):
        raise RequestError(
            "images",
            f"{images}, but SVI takes {most} with a model that takes no end image",
            hint="--mode independent, or a model that takes one",
        )
    segments = segment_count(images, len(frames), before, loop, ends)
    notices: list[Notice] = []
    lengths = lengths_on_grid(broadcast("frames", frames, segments, "segment"), grid, notices)
    neighbours = [before, *lengths] if before else lengths
    seams = seam_overlaps(mode, overlaps, neighbours, grid, notices)
    leads = seams if before else [0, *seams]
    runs = _runs(lengths, leads, grid, longest if mode == "chained" else None, images_end_latents)
    made: list[Segment] = []
    start = before
    for run in runs:
        sizes = [lengths[i] for i in run]
        offsets = _image_offsets(
            run[0], sizes, images, continued=before > 0, loop=loop and run[-1] == segments - 1
        )
        if mode == "independent":
            offsets = offsets if ends else [offset for offset in offsets if offset[1] == -1]
            segment = _independent(len(made), start, sizes[0], grid, offsets, ends=ends)
        elif mode == "svi":
            segment = _anchored(len(made), start, sizes[0], grid, offsets, before)
        else:
            segment = _chained(len(made), start, sum(sizes), leads[run[0]], grid, offsets)
        if loop and run[-1] == segments - 1:
            segment = segment.model_copy(update={"frames": segment.frames - 1, "trim": segment.trim + 1})
        if before and not made:
            segment = segment.limit_crossfade(before=0)
        _check_room(segment)
        made.append(segment.model_copy(update={"portions": tuple(run)}))
        start += segment.frames
    kept = (KeptRange(clip=0, first=0, end=before, start=0),) if before else ()
    anchors = _anchors(made, images)
    return Plan(
        total=start, fps=fps, segments=tuple(made), kept=kept, anchors=anchors, notices=tuple(notices)
    )


ImageOffset = tuple[int, int]
"""An image, and the count of new frames before its place; -1 is the frame before the first new one."""


def _runs(
    lengths: list[int], leads: list[int], grid: Grid, longest: int | None, images_end_latents: bool
) -> list[list[int]]:
    """The segments that each run of the model generates together."""
    runs: list[list[int]] = []
    for index, length in enumerate(lengths):
        if runs and longest:
            lead, before = leads[runs[-1][0]], sum(lengths[i] for i in runs[-1])
            # With context the run ends on the grid, so that the image before its last segment does not.
            ends_latent = not lead and grid.cover(before) == before
            if grid.cover(lead + before + length) <= longest and (ends_latent or not images_end_latents):
                runs[-1].append(index)
                continue
        runs.append([index])
    return runs


def _image_offsets(
    first: int, sizes: list[int], images: int, *, continued: bool, loop: bool
) -> list[ImageOffset]:
    """The image with which a run begins, then those at the ends of its segments."""
    offsets = [] if continued and first == 0 else [(first - continued, -1)]
    end = -1
    for offset, size in enumerate(sizes):
        end += size
        offsets.append((first + offset + (not continued), end))
    if loop:
        offsets[-1] = (0, end)
    return [(image, place) for image, place in offsets if 0 <= image < images]


def _chained(
    index: int, start: int, frames: int, overlap: int, grid: Grid, offsets: list[ImageOffset]
) -> Segment:
    first = offsets[:1] if offsets and offsets[0][1] == -1 else []
    # Without an overlap the run begins with the image, or with the last frame if there is no image.
    given = overlap or int(start > 0 and not first)
    generate = grid.cover(given + frames)
    spare = generate - given - frames
    # Frames that the grid needs are generated again from earlier ones, else trimmed at the end.
    reach = 0 < given <= start - spare
    context = given + spare if reach else given
    # The last frame of context is this image as the model generated it, so the image itself is placed there.
    pictures = [PlacedImage(image=image, at=max(context - 1, 0)) for image, _ in first]
    pictures += [PlacedImage(image=image, at=context + place) for image, place in offsets[len(first) :]]
    return Segment(
        index=index,
        frames=frames,
        generate=generate,
        context=context,
        drop=context - overlap,
        overlap=overlap,
        start=start,
        trim=0 if reach else spare,
        pictures=tuple(pictures),
    )


def _independent(
    index: int, start: int, length: int, grid: Grid, offsets: list[ImageOffset], *, ends: bool
) -> Segment:
    own = any(place == -1 for _, place in offsets)
    # If the segment before does not end with it, its own image is a new frame.
    shared = int(start > 0 and (ends or not own))
    generate = grid.cover(length)
    return Segment(
        index=index,
        frames=length - shared,
        generate=generate,
        context=0 if own else shared,
        # Models generate the first image better than the last, so the frame of the later segment is used.
        drop=0 if own else shared,
        overlap=shared if own else 0,
        start=start,
        trim=generate - length,
        pictures=tuple(PlacedImage(image=image, at=max(place, 0)) for image, place in offsets),
    )


def _anchored(
    index: int, start: int, frames: int, grid: Grid, offsets: list[ImageOffset], before: int
) -> Segment:
    own = [image for image, place in offsets if place == -1]
    if not start:
        pictures = [PlacedImage(image=image, at=max(place, 0)) for image, place in offsets]
        return Segment(
            index=index,
            frames=frames,
            generate=frames,
            context=0,
            drop=0,
            overlap=0,
            start=0,
            anchor=own[0],
            pictures=tuple(pictures),
        )
    if start <= grid.step:
        raise RequestError("video_source", f"{start} frames, SVI goes on from {grid.step + 1} or more")
    lead = 1 + grid.step
    generate = grid.cover(lead + frames)
    return Segment(
        index=index,
        frames=frames,
        generate=generate,
        context=min(SVI_LATENTS, (start - 1) // grid.step) * grid.step + 1,
        drop=1,
        overlap=grid.step,
        start=start,
        trim=generate - lead - frames,
        # A travel from one image has it as the anchor of all segments.
        anchor=own[0] if own else -1 if before else 0,
        pictures=tuple(PlacedImage(image=image, at=lead + place) for image, place in offsets if place >= 0),
    )


def _check_room(segment: Segment) -> None:
    places = [picture.at for picture in segment.pictures]
    if len(set(places)) < len(places) or segment.frames < 1:
        raise RequestError("frames", f"segment {segment.index} is too short for its images")


def _anchors(segments: list[Segment], images: int) -> tuple[int, ...]:
    places: dict[int, int] = {}
    for segment in segments:
        for picture in segment.pictures:
            places.setdefault(picture.image, segment.generate_start + picture.at)
    return tuple(places[image] for image in range(images))
