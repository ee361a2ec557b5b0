"""Payloads of the older worker: a table of their keys, and what the keys make together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wangp_cli.errors import RequestError, nearest
from wangp_cli.legacy.old_keys import IGNORED, NEUTRAL, READ_ELSEWHERE, RENAMED
from wangp_cli.legacy.value_parsers import ValueParser, parse_value, quote_value
from wangp_cli.tasks import TASKS

NESTS = ("full_orchestrator_payload", "orchestrator_details")
"""Keys under which a payload lies again, the weaker first."""
BOOKKEEPING = frozenset(
    """
    advanced_mode amount_of_motion attempts based_on child_generation_id completed_at create_as_generation
    created_at current_run_base_output_dir debug dimension_source error_message generation_mode
    generation_processed_at generation_source generation_started_at input_image_generation_ids
    is_first_join is_first_segment is_last_join is_last_segment join_index max_wait_time motion_mode
    orchestrator_run_id orchestrator_task_id orchestrator_task_id_ref original_common_args
    original_task_args output_location pair_shot_generation_id pair_shot_generation_ids
    parent_generation_id poll_interval poll_timeout random_seed run_id segment_image_download_dir
    selected_phase_preset_id shot_id shot_name show_input_images start_image_generation_id
    end_image_generation_id thumbnail_url tool_type travel_chain_details updated_at user_id vlm_device
    worker_id
    """.split()  # noqa: SIM905
)
"""Keys by which the older worker finds its own: without effect on a picture."""


@dataclass(frozen=True)
class MapsTo:
    """A key that is a field of ours."""

    field: str
    parse: ValueParser[Any]


@dataclass(frozen=True)
class CombinedKey:
    """A key that counts together with others; `field` is the one of ours that is mostly its doing."""

    parse: ValueParser[Any]
    field: str = ""


@dataclass(frozen=True)
class NeutralOnly:
    """A key of what is not served, at the values where it asks for nothing.

    Args:
        values: where it may stand.
        why: what it asks for otherwise, and what to do instead.
    """

    values: tuple[Any, ...]
    why: str = ""


@dataclass(frozen=True)
class IgnoredWithNotice:
    """A key that has no effect here, which people are told."""

    why: str


Key: TypeAlias = MapsTo | CombinedKey | NeutralOnly | IgnoredWithNotice
Parts: TypeAlias = dict[str, Any]


@dataclass(kw_only=True)
class UnpackedPayload:
    """A payload in our words and those that all old tasks share.

    Args:
        values: under our names, or old ones that mean the same everywhere.
        given_as: the key that each field of ours was said by.
        notices: what was left out, for people.
        is_old: whether the older worker wrote it.
        model: that it runs where nothing else names one.
    """

    values: dict[str, Any]
    given_as: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    is_old: bool = False
    model: str | None = None

    def set_field(self, ours: str, name: str, value: Any) -> None:
        """A value of a field, by the key it was said.

        Raises:
            RequestError: another key says something else.
        """
        for key, said in self.values.items():
            if RENAMED.get(key, key) == ours and said != value:
                other = self.given_as.get(key, key)
                raise RequestError(name, f"{quote_value(value)}, but {other} says {quote_value(said)}")
        self.values[ours], self.given_as[ours] = value, name


@dataclass(frozen=True, kw_only=True)
class Payload:
    """How one kind of payload is read.

    Args:
        task: the type of ours that it becomes.
        keys: what becomes of each key that means nothing, or something else, in other tasks.
        build: fields that parts make together; may tell what it left out.
        defaults: of the older worker, where they are not ours.
        model: that the older worker takes where none is named.
        pick: what a task that is one of many says of its own, from all that is said of the many.
    """

    task: str
    keys: Mapping[str, Key]
    build: Callable[[Parts, list[str]], dict[str, Any]]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    pick: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def unpack(self, settings: Mapping[str, Any]) -> UnpackedPayload:
        """The payload in our words.

        Raises:
            RequestError: names the key that is wrong, or that asks for what is not served.
        """
        found = UnpackedPayload(
            values={"type": self.task}, given_as=self._names(), is_old=True, model=self.model
        )
        parts: Parts = {}
        for name, value in flatten(self.pick(settings) if self.pick else settings).items():
            if name not in ("type", "task_type"):
                self._take(name, value, found, parts)
        for ours, made in self.build(parts, found.notices).items():
            if made not in (None, "", []):
                found.set_field(ours, found.given_as.get(ours, ours), made)
        taken = {RENAMED.get(name, name) for name in found.values}
        found.values |= {ours: value for ours, value in self.defaults.items() if ours not in taken}
        return found

    def _take(self, name: str, value: Any, found: UnpackedPayload, parts: Parts) -> None:
        match self.keys.get(name):
            case None:
                if name not in BOOKKEEPING:
                    self._check_known(name)
                    found.values[name] = value
                    found.given_as.pop(RENAMED.get(name, name), None)
            case MapsTo(ours, parse):
                found.set_field(ours, name, parse_value(name, parse, value))
            case CombinedKey(parse, ours):
                parts[name] = parse_value(name, parse, value)
                if ours:
                    found.given_as[ours] = name
            case NeutralOnly(allowed, why) if value not in allowed:
                raise RequestError(
                    name, f"{quote_value(value)} is not served", hint=why or f"leave {name} out"
                )
            case IgnoredWithNotice(why) if value not in ("", False):
                found.notices.append(f"{name}: {why}")

    def _names(self) -> dict[str, str]:
        """The key by which each field is usually said."""
        fields = [
            (key.field, name) for name, key in self.keys.items() if isinstance(key, MapsTo | CombinedKey)
        ]
        return {field: name for field, name in reversed(fields) if field}

    def _check_known(self, name: str) -> None:
        fields = TASKS[self.task].model_fields
        if name in READ_ELSEWHERE or name in IGNORED or name in NEUTRAL or RENAMED.get(name, name) in fields:
            return
        hint = nearest(name, [*self.keys, *fields, *RENAMED])
        raise RequestError(
            name if name.isprintable() else ascii(name), "there is no such key", hint=hint or None
        )


def flatten(settings: Mapping[str, Any]) -> dict[str, Any]:
    """What is said at the top, and below it what is said only in a nest; null says nothing.

    Raises:
        RequestError: a nest is no object.
    """
    found: dict[str, Any] = {}
    for nest in NESTS:
        inner = settings.get(nest)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise RequestError(nest, f"{quote_value(inner)} is no object")
        found |= flatten(inner)
    found |= {key: value for key, value in settings.items() if value is not None and key not in NESTS}
    return found
