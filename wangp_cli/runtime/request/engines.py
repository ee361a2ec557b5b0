"""Choose the engines of a task: those that it names, or the best whose weights are on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wangp_cli.errors import ModelError, RequestError, nearest
from wangp_cli.notices import Notice
from wangp_cli.runtime.weights.locate import present
from wangp_cli.tasks.engines import AUTO, EngineChoice
from wangp_cli.value_layers import Origin

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.catalogue import Catalogue
    from wangp_cli.models import ModelSpec
    from wangp_cli.runtime.session import Session
    from wangp_cli.tasks.task import Task


class ChosenEngines(NamedTuple):
    """The engines of a task.

    Args:
        values: name of each engine, by field.
        origin: of the names that replaced `auto`.
        notices: of those, and of restrictions of licences.
    """

    values: dict[str, str]
    origin: dict[str, Origin]
    notices: list[Notice]


def choose_engines(task: Task, session: Session) -> ChosenEngines:
    """The engine of each field of `task.engines()`; none of them is `auto`.

    Raises:
        RequestError: there is no such engine; names the field.
        ModelError: no model of the catalogue fits, and there is no method without weights.
    """
    chosen = ChosenEngines({}, {}, [])
    for field, choice in task.engines().items():
        name = getattr(task, field)
        if name != AUTO:
            engine = _named(field, name, choice, session.catalogue)
        else:
            engine, reason = _best(choice, session.catalogue, session.models_dir)
            chosen.origin[field] = Origin("machine", reason)
            chosen.notices.append(Notice(field=field, text=f"{engine}, {reason}"))
        chosen.values[field] = engine
        spec = None if engine == choice.builtin else session.catalogue.get(engine)
        if spec and spec.licence_note:
            text = f"licence of {engine}: {spec.licence}, {spec.licence_note}"
            chosen.notices.append(Notice(field=field, text=text))
    return chosen


def fitting(choice: EngineChoice, catalogue: Catalogue) -> list[ModelSpec]:
    """The supported models that fit a choice, the best first: by architecture, then in catalogue order."""
    models = [
        spec
        for spec in catalogue.models.values()
        if spec.kind == choice.kind
        and spec.status != "unsupported"
        and (not choice.architectures or spec.architecture in choice.architectures)
    ]
    order = choice.architectures
    return sorted(models, key=lambda spec: order.index(spec.architecture) if order else 0)


def _named(field: str, name: str, choice: EngineChoice, catalogue: Catalogue) -> str:
    """The canonical name of an engine."""
    if name == choice.builtin:
        return name
    known = [
        *([choice.builtin] if choice.builtin else []),
        *(spec.name for spec in fitting(choice, catalogue)),
    ]
    if name not in catalogue.names:
        hint = nearest(name, known) or f"one of auto, {', '.join(known)}"
        raise RequestError(field, f"there is no engine {name!r}", hint=hint)
    spec = catalogue.get(name)
    # A model that is not supported is refused with its own reason, where all models are.
    if spec.name not in known and (spec.kind != choice.kind or spec.status != "unsupported"):
        kind = spec.kind if spec.kind != choice.kind else f"{spec.architecture} {spec.kind}"
        raise RequestError(
            field, f"model {spec.name!r} cannot do this, its kind is {kind}", hint=", ".join(known)
        )
    return spec.name


class BestEngine(NamedTuple):
    """The engine that `auto` stands for.

    Args:
        name: of the method without weights, or of a model.
        is_here: it can be used at once, else its weights are missing.
        better: name of the model that would take its place if its weights were here.
    """

    name: str
    is_here: bool = True
    better: str | None = None


def best_engine(choice: EngineChoice, catalogue: Catalogue, models_dir: Path) -> BestEngine | None:
    """The engine that `auto` stands for on this machine; None if the catalogue has no model that fits."""
    models = [] if choice.by_name_only else fitting(choice, catalogue)
    if here := next((spec for spec in models if present(spec, models_dir)), None):
        return BestEngine(here.name)
    first = models[0].name if models else None
    if choice.builtin is not None:
        return BestEngine(choice.builtin, better=first)
    return BestEngine(first, is_here=False) if first else None


def _best(choice: EngineChoice, catalogue: Catalogue, models_dir: Path) -> tuple[str, str]:
    """The name of the engine that `auto` stands for, and why it is chosen."""
    best = best_engine(choice, catalogue, models_dir)
    if best is None:
        raise ModelError(
            f"the catalogue has no {choice.kind} of {' or '.join(choice.architectures)}",
            hint="wangp models add NAME FILE",
        )
    if best.name != choice.builtin:
        # Where its weights are missing, the run reports that before anything is made.
        return best.name, "the best whose weights are on this machine" if best.is_here else "the best"
    hint = f"; `wangp models fetch {best.better}` gets a better engine" if best.better else ""
    return best.name, f"which needs no weights{hint}"
