"""Plans as text for people."""

from __future__ import annotations

from wangp_cli.plan.model import KeptRange, Plan, Segment
from wangp_cli.plan.timeline import GuideSpan


def describe(plan: Plan) -> str:
    """A plan as lines of text: length, parts in order, places of images and guides, notices."""
    makes = sum(segment.generate for segment in plan.segments)
    runs = len(plan.segments)
    lines = [
        f"{_frame_count(plan.total)} at {plan.fps} fps, {float(plan.total / plan.fps):.2f} s; "
        f"the model makes {makes} in {runs} {'run' if runs == 1 else 'runs'}"
    ]
    lines += [
        _describe_kept(part) if isinstance(part, KeptRange) else _describe_segment(part)
        for part in plan.parts
    ]
    if plan.anchors:
        lines.append(f"images at frames {', '.join(map(str, plan.anchors))}")
    lines += [_describe_guide(guide) for guide in plan.guides]
    return "\n".join(lines + [f"note: {notice}" for notice in plan.notices])


def _describe_kept(part: KeptRange) -> str:
    return f"  {_frame_range(part)}  clip {part.clip}, frames {part.first}-{part.end - 1}"


def _describe_segment(part: Segment) -> str:
    facts = [f"segment {part.index}, made as {part.generate}"]
    facts += [f"{part.removed} removed"] if part.removed else []
    facts += [f"context {part.context}"] if part.context else []
    facts += [f"context after {part.context_after}"] if part.context_after else []
    facts += [f"crossfade {part.overlap}"] if part.overlap else []
    facts += [f"crossfade after {part.overlap_after}"] if part.overlap_after else []
    facts += [f"dropped {part.drop + part.trim}"] if part.drop + part.trim else []
    return f"  {_frame_range(part)}  {', '.join(facts)}"


def _describe_guide(guide: GuideSpan) -> str:
    last = "" if guide.last is None else str(guide.last)
    part = f", its frames {guide.first}-{last}" if guide.first or last else ""
    return f"video guide {guide.video} on frames {guide.start}-{guide.end - 1}{part}, {guide.timing}"


def _frame_range(part: KeptRange | Segment) -> str:
    place = f"{part.start}-{part.start + part.frames - 1}" if part.frames else f"at {part.start}"
    return f"{place:>13}"


def _frame_count(count: int) -> str:
    return f"{count} frame{'' if count == 1 else 's'}"
