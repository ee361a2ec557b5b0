"""Payloads of the older worker: one table of keys for each type, and the fields that keys make together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from wangp_cli.errors import RequestError, nearest
from wangp_cli.legacy.old_keys import IGNORED, NEUTRAL, READ_ELSEWHERE, RENAMED
from wangp_cli.legacy.unknown_keys import is_misspelt, unknown_keys_notice
from wangp_cli.legacy.value_parsers import ValueParser, parse_value, quote_value
from wangp_cli.tasks import TASKS

NESTS = ("full_orchestrator_payload", "orchestrator_details")
"""Keys under which a payload is nested; values of the later one win."""
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
"""Bookkeeping keys of the older worker, without effect on the result."""


@dataclass(frozen=True)
class MapsTo:
    """A key that gives the value of one field."""

    field: str
    parse: ValueParser[Any]


@dataclass(frozen=True)
class CombinedKey:
    """A key that decides fields together with other keys; `field` is the one it mainly decides."""

    parse: ValueParser[Any]
    field: str = ""


@dataclass(frozen=True)
class NeutralOnly:
    """A key of an unsupported feature: accepted only at values that do not use the feature.

    Args:
        values: the neutral values.
        why: the hint for other values.
    """

    values: tuple[Any, ...]
    why: str = ""


@dataclass(frozen=True)
class IgnoredWithNotice:
    """A key without effect here; a notice tells so."""

    why: str


@dataclass(frozen=True)
class NoEffect:
    """A key that has no effect in the older worker either, or only beside a switch that is refused.

    Args:
        parse: for the value, which is still checked.
        why: it has none.
    """

    parse: ValueParser[Any]
    why: str


Key: TypeAlias = MapsTo | CombinedKey | NeutralOnly | IgnoredWithNotice | NoEffect
Parts: TypeAlias = dict[str, Any]


@dataclass(kw_only=True)
class UnpackedPayload:
    """A payload with its own keys translated; keys that all old tasks share are still old.

    Args:
        values: by field, or by an old key that means the same in every task.
        given_as: the key by which each field was given.
        notices: what was ignored, for people.
        is_old: whether the older worker wrote it.
        model: the model to use if nothing else names one.
    """

    values: dict[str, Any]
    given_as: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    is_old: bool = False
    model: str | None = None

    def set_field(self, target: str, name: str, value: Any) -> None:
        """Set the field `target`, given by the key `name`.

        Raises:
            RequestError: another key gives another value.
        """
        for key, other_value in self.values.items():
            if RENAMED.get(key, key) == target and other_value != value:
                other = self.given_as.get(key, key)
                raise RequestError(name, f"{quote_value(value)}, but {other} says {quote_value(other_value)}")
        self.values[target], self.given_as[target] = value, name


@dataclass(frozen=True, kw_only=True)
class Payload:
    """How the payloads of one type are read.

    Args:
        task: the type of the translated task.
        keys: keys that only this type has, or that mean something else in other types.
        build: makes fields of the values of combined keys; may append notices.
        defaults: of the older worker, where they differ from those here.
        model: that the older worker uses if none is named.
        pick: selects the values of one task from the payload of the many tasks it belongs to.
    """

    task: str
    keys: Mapping[str, Key]
    build: Callable[[Parts, list[str]], dict[str, Any]]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    model: str | None = None
    pick: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None

    def unpack(self, settings: Mapping[str, Any]) -> UnpackedPayload:
        """Translate a payload.

        Raises:
            RequestError: names the key that is wrong or unsupported.
        """
        payload = UnpackedPayload(
            values={"type": self.task}, given_as=self._names(), is_old=True, model=self.model
        )
        parts: Parts = {}
        unknown: list[str] = []
        for name, value in flatten(self.pick(settings) if self.pick else settings).items():
            if name in ("type", "task_type"):
                continue
            if name not in self.keys and not self._is_known(name):
                if not _asks_for_nothing(name, value):
                    unknown.append(name)
            else:
                self._read_key(name, value, payload, parts)
        if unknown:
            payload.notices.append(unknown_keys_notice(unknown, self._names_of_keys))
        part_of = {key.field: name for name in parts if isinstance(key := self.keys[name], CombinedKey)}
        for target, made in self.build(parts, payload.notices).items():
            if made not in (None, "", []):
                payload.set_field(target, payload.given_as.get(target, part_of.get(target, target)), made)
        taken = {RENAMED.get(name, name) for name in payload.values}
        payload.values |= {target: value for target, value in self.defaults.items() if target not in taken}
        return payload

    def _read_key(self, name: str, value: Any, payload: UnpackedPayload, parts: Parts) -> None:
        match self.keys.get(name):
            case None:
                if name not in BOOKKEEPING:
                    payload.values[name] = value
                    payload.given_as.pop(RENAMED.get(name, name), None)
            case MapsTo(target, parse):
                payload.set_field(target, name, parse_value(name, parse, value))
            case CombinedKey(parse, target):
                parts[name] = parse_value(name, parse, value)
                if target:
                    payload.given_as[target] = name
            case NeutralOnly(allowed, why) if value not in allowed:
                raise RequestError(
                    name, f"{quote_value(value)} is not served", hint=why or f"leave {name} out"
                )
            case IgnoredWithNotice(why) if value not in ("", False, {}, []):
                payload.notices.append(f"{name}: {why}")
            case NoEffect(parse):
                parse_value(name, parse, value)

    def _names(self) -> dict[str, str]:
        """The key by which each field is usually given."""
        fields = [
            (key.field, name) for name, key in self.keys.items() if isinstance(key, MapsTo | CombinedKey)
        ]
        return {field: name for field, name in reversed(fields) if field}

    @property
    def _names_of_keys(self) -> list[str]:
        """Every name that a key may have."""
        return [*self.keys, *TASKS[self.task].model_fields, *RENAMED]

    def _is_known(self, name: str) -> bool:
        """Whether a key that is not in the table is known all the same.

        Raises:
            RequestError: it is misspelt.
        """
        if name in BOOKKEEPING or name in READ_ELSEWHERE or name in IGNORED or name in NEUTRAL:
            return True
        if RENAMED.get(name, name) in TASKS[self.task].model_fields:
            return True
        if is_misspelt(name, self._names_of_keys):
            key = name if name.isprintable() else ascii(name)
            raise RequestError(key, "there is no such key", hint=nearest(name, self._names_of_keys) or None)
        return False


def _asks_for_nothing(name: str, value: Any) -> bool:
    """Whether a key of a single run has its default value, or an empty one."""
    field = TASKS["generate"].model_fields.get(RENAMED.get(name, name))
    return value in ("", [], {}) or (field is not None and value == field.default)


def flatten(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Merge nested payloads: values at the top win, null counts as absent.

    Raises:
        RequestError: a nested payload is no object.
    """
    values: dict[str, Any] = {}
    for nest in NESTS:
        inner = settings.get(nest)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise RequestError(nest, f"{quote_value(inner)} is no object")
        values |= flatten(inner)
    values |= {key: value for key, value in settings.items() if value is not None and key not in NESTS}
    return values
