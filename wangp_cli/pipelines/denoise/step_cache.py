"""Step caches: transformer blocks are skipped in steps where their output would change little."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffusers import FirstBlockCacheConfig, MagCacheConfig
from diffusers.hooks import HookRegistry
from diffusers.hooks._helpers import TransformerBlockMetadata, TransformerBlockRegistry
from diffusers.hooks.first_block_cache import _FBC_BLOCK_HOOK
from diffusers.hooks.hooks import CacheContext, _set_cache_context
from diffusers.hooks.mag_cache import _MAG_CACHE_BLOCK_HOOK

from wangp_cli.errors import ModelError
from wangp_cli.files.atomic import write_atomic
from wangp_cli.tasks.runtime import CALIBRATE

if TYPE_CHECKING:
    from wangp_cli.pipelines.base import Placement
    from wangp_cli.pipelines.denoise.steps import Step

log = logging.getLogger(__name__)


def check(placement: Placement, model: str) -> None:
    """Check that a step cache has what it needs to know of a model.

    Raises:
        ModelError: MagCache has no ratios for the model; it must be calibrated first.
    """
    if placement.cache and placement.cache.startswith("magcache") and not _calibrates(placement):
        _read(placement, model)


@contextmanager
def caching(
    placement: Placement, model: str, networks: Sequence[Any], steps: Sequence[Step]
) -> Iterator[None]:
    """A context in which networks skip blocks by the placement's step cache.

    Every pass of a step has its own cache state. A calibration writes its ratios when all steps are done.

    Args:
        placement: cache name and threshold.
        model: name in the catalogue, by which ratios are stored.
        networks: transformers of diffusers.
        steps: of the run.

    Raises:
        ModelError: the cache must be calibrated first.

    Source: first-block cache, ParaAttention; MagCache, Ma et al. 2025, arXiv:2506.09045.
    """
    if not placement.cache:
        yield
        return
    with ExitStack() as stack:
        for expert, network in enumerate(networks):
            count = sum(step.expert == expert for step in steps)
            _describe_blocks(network)
            network.enable_cache(_config(placement, model, expert, count))
            stack.callback(network.disable_cache)
            stack.enter_context(_separate_passes(network))
            stack.enter_context(_restore_block_residuals(network))
        yield
        if _calibrates(placement):
            _write(placement, model, [_measured(network) for network in networks])


def _config(placement: Placement, model: str, expert: int, steps: int) -> Any:
    name, _, threshold = str(placement.cache).partition("=")
    if name == "fbcache":
        return FirstBlockCacheConfig(threshold=float(threshold))
    if _calibrates(placement):
        # One step more than the run has: diffusers clears what was measured at the last step.
        return MagCacheConfig(calibrate=True, num_inference_steps=steps + 1)
    ratios = _read(placement, model)
    return MagCacheConfig(
        threshold=float(threshold), num_inference_steps=max(1, steps), mag_ratios=ratios[expert % len(ratios)]
    )


@contextmanager
def _separate_passes(network: Any) -> Iterator[None]:
    """Give each pass of a step its own cache state, by its number in the step."""
    now, passes = None, 0

    def enter(_network: Any, _args: Any, kwargs: Any) -> None:
        nonlocal now, passes
        time = float(kwargs["timestep"].float().sum())
        passes = passes + 1 if time == now else 0
        now = time
        _set_cache_context(network, CacheContext(f"pass {passes}"))

    handle = network.register_forward_pre_hook(enter, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
        _set_cache_context(network, None)


def _describe_blocks(network: Any) -> None:
    """Register a block class that diffusers does not know; all Wan blocks return the hidden states."""
    kind = type(network.blocks[0])
    if kind not in TransformerBlockRegistry._registry:
        TransformerBlockRegistry.register(kind, TransformerBlockMetadata(return_hidden_states_index=0))


@contextmanager
def _restore_block_residuals(network: Any) -> Iterator[None]:
    """Keep additions between blocks, such as VACE's, from being added twice when blocks are skipped.

    The cached output that the first block returns then holds them already, so the last block gets that output
    unchanged.
    """
    first, last = network.blocks[0], network.blocks[-1]
    cached: Any = None

    def remember(_block: Any, _args: Any, output: Any) -> None:
        nonlocal cached
        cached = output

    def restore(block: Any, args: Any) -> Any:
        return (cached, *args[1:]) if _is_skipped(block) else args

    handles = [first.register_forward_hook(remember), last.register_forward_pre_hook(restore)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _is_skipped(block: Any) -> bool:
    registry = HookRegistry.check_if_exists_or_initialize(block)
    hook = registry.get_hook(_FBC_BLOCK_HOOK) or registry.get_hook(_MAG_CACHE_BLOCK_HOOK)
    return not hook.state_manager.get_state().should_compute


def _calibrates(placement: Placement) -> bool:
    return str(placement.cache).endswith(f"={CALIBRATE}")


def _measured(network: Any) -> list[float]:
    """The measured ratio of each step, averaged over its passes."""
    registries = map(HookRegistry.check_if_exists_or_initialize, network.modules())
    hook = next(filter(None, (registry.get_hook(_MAG_CACHE_BLOCK_HOOK) for registry in registries)))
    states = [state.calibration_ratios for state in hook.state_manager._state_cache.values()]
    return [sum(ratios) / len(ratios) for ratios in zip(*states, strict=False)]


def _file(placement: Placement, model: str) -> Path:
    return (placement.data_dir or Path()) / "magcache" / f"{model}.json"


def _read(placement: Placement, model: str) -> list[list[float]]:
    try:
        document = json.loads(_file(placement, model).read_text(encoding="utf-8"))
        ratios = [[float(ratio) for ratio in network] for network in document["ratios"]]
    except FileNotFoundError:
        ratios = []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"cache: {_file(placement, model)} is broken: {error}") from None
    if not all(ratios) or not ratios:
        raise ModelError(
            f"cache: magcache was not calibrated for {model!r}",
            hint=f"run once with --cache magcache={CALIBRATE}, with the steps you use",
        )
    return ratios


def _write(placement: Placement, model: str, ratios: list[list[float]]) -> None:
    file = _file(placement, model)
    write_atomic(file, json.dumps({"model": model, "ratios": ratios}))
    log.warning("cache: ratios of %s are kept in %s", model, file)
