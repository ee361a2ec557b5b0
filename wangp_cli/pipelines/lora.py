"""LoRA files on a network."""

from __future__ import annotations

import logging
import warnings
from typing import TYPE_CHECKING, Any

from peft.tuners.tuners_utils import BaseTunerLayer

from wangp_cli.errors import ModelError
from wangp_cli.pipelines import lora_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from wangp_cli.pipelines.base import Lora
    from wangp_cli.pipelines.lora_file import Factors

log = logging.getLogger(__name__)


def check_files(loras: Sequence[Lora]) -> None:
    """Refuse LoRA files that are missing, broken or pickles.

    Raises:
        ModelError: naming the file.
    """
    for lora in loras:
        with lora_file.opened(lora.path):
            pass


def apply(network: Any, loras: Sequence[Lora]) -> None:
    """Load LoRA files onto a diffusers network, each with its strength.

    Factors become adapters, whose strengths can still be changed; whole differences of norms and biases are
    added to the weights at once.

    Raises:
        ModelError: a file is missing or broken, or holds keys that fit no layer of the network.
    """
    layers = {
        name: layer for name, layer in network.named_modules() if getattr(layer, "weight", None) is not None
    }
    adapters = {}
    for number, lora in enumerate(loras):
        content = lora_file.read(lora.path, layers)
        for name, delta in content.deltas.items():
            layer, _, parameter = name.rpartition(".")
            weight = getattr(layers[layer], parameter).data
            weight.add_(delta.to(weight), alpha=lora.strength)
        if content.factors:
            adapters[f"lora{number}"] = lora.strength
            _adapt(network, content.factors, f"lora{number}", lora.path.name)
        log.info("loaded LoRA %s onto %d layers", lora.path.name, len(content.factors))
    if adapters:
        network.set_adapters(list(adapters), list(adapters.values()))


def _adapt(network: Any, factors: dict[str, Factors], adapter: str, file: str) -> None:
    state = {f"{layer}.lora_A.weight": pair.down.float() for layer, pair in factors.items()}
    state |= {f"{layer}.lora_B.weight": pair.scaled_up for layer, pair in factors.items()}
    try:
        with warnings.catch_warnings():
            # More than one LoRA at a time is what we want.
            warnings.filterwarnings("ignore", "Already found a `peft_config`")
            network.load_lora_adapter(state, prefix=None, adapter_name=adapter)
    except (RuntimeError, ValueError, KeyError) as error:
        raise ModelError(f"LoRA {file} cannot be loaded: {error}") from error
    tuned = [layer for layer in network.modules() if isinstance(layer, BaseTunerLayer)]
    adapted = sum(adapter in layer.lora_A for layer in tuned)
    if adapted != len(factors):
        raise ModelError(f"LoRA {file} has {len(factors)} pairs, but {adapted} layers took one")
