"""A validated task settled for its model: inputs checked, values final, output paths known."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.notices import Notice, unused_notices
from wangp_cli.runtime.loras.experts import pair_by_name
from wangp_cli.runtime.loras.select import LoraUse, find_loras, source_notices
from wangp_cli.runtime.request.check_apart import check_files_apart
from wangp_cli.runtime.request.check_codec import ODD_SIZES_CODEC, takes_other_codec
from wangp_cli.runtime.request.check_inputs import check_inputs, rate_notices, speech_notices
from wangp_cli.runtime.request.check_model import check_model, check_recamera
from wangp_cli.runtime.request.draft import Draft
from wangp_cli.runtime.request.engines import choose_engines
from wangp_cli.runtime.request.output_paths import (
    check_writable,
    plan_outputs,
    plan_plain_outputs,
    plan_tool_outputs,
)
from wangp_cli.runtime.request.request import RenderRequest, Request, ToolRequest
from wangp_cli.runtime.request.steps import (
    settle_dtypes,
    settle_frames,
    settle_rate,
    settle_seed,
    settle_size,
)
from wangp_cli.runtime.request.trained_range import trained_range_notices
from wangp_cli.runtime.request.unused_values import SettledRender, unused_values
from wangp_cli.tasks.fields import MAX_SEED, size_of
from wangp_cli.tasks.render import Render
from wangp_cli.tasks.tool import Processing, Tool
from wangp_cli.value_layers import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.task import Task
    from wangp_cli.value_layers import MergedLayers

TAKES_ODD_SIZES = ("h264-444", "ffv1")
"""Codecs of frames with an odd number of rows or columns."""


def settle(task: Task, merged: MergedLayers, session: Session) -> Request:
    """Check a task against its models and inputs, then settle the values of a render, and decide its outputs.

    Args:
        task: validated.
        merged: origins, checksums and addresses of its values.
        session: where it will run.

    Raises:
        RequestError: a value, an input file or the model does not fit; names the field.
        ModelError: the model is not supported, or a LoRA is broken.
        ConflictError: an output exists.
        NoSpaceError: the output folder cannot take the result.
    """
    engines = choose_engines(task, session)
    task = task.replace(**engines.values)
    merged = replace(merged, origin={**merged.origin, **engines.origin})
    models = {role: session.catalogue.get(name) for role, name in task.models().items()}
    for role, spec in models.items():
        _check_supported(spec)
        kind = task.model_kinds.get(role, spec.kind)
        if spec.kind != kind:
            raise RequestError(role, f"model {spec.name!r} is of kind {spec.kind}, wanted {kind}")
    if isinstance(task, Render):
        return _settle_render(task, merged, models, session, engines.notices)
    facts = check_inputs(task, [], merged.checksums, session.control.check_stopped)
    _check_manifest_folder(session)
    notices = [*map(Notice.parse, merged.notices), *engines.notices, *facts.notices]
    common: dict[str, Any] = {
        "origin": merged.origin,
        "models": models,
        "facts": facts,
        "addresses": merged.addresses,
        "models_dir": session.models_dir,
    }
    if isinstance(task, Processing):
        given = frozenset(name for name, origin in merged.origin.items() if origin.is_explicit)
        notices += task.check_inputs(facts.shapes, given)
        architectures = {role: spec.architecture for role, spec in models.items()}
        notices += unused_notices(task.unread_by(architectures), given)
        common["facts"] = facts = replace(facts, ends_before_damage=not task.reads_to_end)
    if isinstance(task, Tool):
        shape = task.result_shape(facts.shapes)
        if takes_other_codec(task, shape):
            width, height = shape.size
            task = task.replace(codec=ODD_SIZES_CODEC)
            common["origin"] = {**merged.origin, "codec": Origin("input", "odd size")}
            text = f"{ODD_SIZES_CODEC}, which takes the odd size {width}x{height}; not every player shows it"
            notices.append(Notice(field="codec", text=text))
        outputs = plan_tool_outputs(task, shape, session.writable, partial=facts.damage is not None)
        check_files_apart(task, outputs, [], session)
        return ToolRequest(task=task, outputs=outputs, notices=notices, shape=shape, **common)
    outputs = plan_plain_outputs(task, session.writable, partial=facts.damage is not None)
    check_files_apart(task, outputs, [], session)
    return Request(task=task, outputs=outputs, notices=notices, **common)


def _check_supported(spec: ModelSpec) -> None:
    if spec.status == "unsupported":
        raise ModelError(
            f"model {spec.name!r} is not supported: {spec.status_note}",
            hint="`wangp models` lists those that are",
        )


def _check_manifest_folder(session: Session) -> None:
    if session.manifest_path:
        check_writable("manifest_path", session.manifest_path.absolute().parent, session.writable)


def _settle_render(
    task: Render,
    merged: MergedLayers,
    models: Mapping[str, ModelSpec],
    session: Session,
    engine_notices: Sequence[Notice],
) -> RenderRequest:
    spec = models["model"]
    notices = [*engine_notices, *check_model(task, spec, session.catalogue)]
    task, of_pairs = pair_by_name(task, spec)
    notices += of_pairs
    loras = find_loras(task, merged.origin, spec, session)
    facts = check_inputs(
        task,
        [lora.path for lora in loras if lora.source.is_local],
        merged.checksums,
        session.control.check_stopped,
    )
    _check_manifest_folder(session)
    notices += facts.notices
    notices += task.check_shapes(facts.shapes, sized=merged.origin["size"].is_explicit)
    draft = Draft(
        task=task,
        spec=spec,
        facts=facts,
        origin=merged.origin,
        # The catalogue may know the model by another name than the task.
        values={"model": spec.name},
        notices=(*map(Notice.parse, merged.notices), *notices),
    )
    draft = settle_frames(settle_rate(draft))
    check_recamera(task, spec, facts, draft.frames)
    draft = settle_seed(settle_dtypes(settle_size(draft)))
    return _render_request(draft, models, loras, merged, session)


def _result_size(draft: Draft) -> tuple[int, int]:
    """Width and height of the result: new frames are fitted into an input whose size it keeps exactly."""
    task = draft.settled_task
    if not (task.splices or (task.keeps_size and draft.origin["size"].kind == "input")):
        return size_of(task.size)
    width, height = draft.facts.shapes[task.size_inputs[0]][0][:2]
    odd = (width % 2 or height % 2) and task.codec not in TAKES_ODD_SIZES
    return size_of(task.size) if odd and not task.splices else (width, height)


def _render_request(
    draft: Draft,
    models: Mapping[str, ModelSpec],
    loras: list[LoraUse],
    merged: MergedLayers,
    session: Session,
) -> RenderRequest:
    """The request of a draft whose values are final, with its output paths and the last notices."""
    task, spec, frames = draft.settled_task, draft.spec, draft.frames
    if task.seed + task.results - 1 > MAX_SEED:
        raise RequestError("seed", f"{task.seed} leaves no room for {task.results} results")
    size = _result_size(draft)
    outputs = plan_outputs(task, frames, size, session.writable, draft.plan)
    local_loras = [lora.path for lora in loras if lora.source.is_local]
    check_files_apart(task, outputs, local_loras, session)
    notices = [
        *draft.notices,
        *unused_values(SettledRender(task=task, spec=spec, frames=frames, plan=draft.plan), draft.origin),
        *rate_notices(task, draft.facts, draft.plan, draft.rate),
        *speech_notices(draft.facts, draft.plan, frames, draft.rate),
        *trained_range_notices(task, spec, draft.facts, frames, draft.plan),
        *source_notices(loras),
        *task.finishing_notices(size, frames, draft.rate, keeps=task.type if task.splices else None),
    ]
    return RenderRequest(
        task=task,
        origin=draft.origin,
        models=models,
        facts=draft.facts,
        frames=frames,
        size=size,
        plan=draft.plan,
        outputs=outputs,
        loras=loras,
        notices=notices,
        addresses=merged.addresses,
        models_dir=session.models_dir,
    )
