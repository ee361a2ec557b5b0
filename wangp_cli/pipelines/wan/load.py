"""Loading a Wan model: the parts of a checkpoint, shared with other pipelines that have equal ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import torch

from wangp_cli.errors import ModelError, nearest
from wangp_cli.pipelines.base import TRANSFORMERS
from wangp_cli.pipelines.checkpoints.checkpoint import Checkpoint
from wangp_cli.pipelines.checkpoints.network_classes import network_class
from wangp_cli.pipelines.checkpoints.pretrained import META
from wangp_cli.pipelines.denoise import attention, step_cache
from wangp_cli.pipelines.lora import adapters as lora_adapters
from wangp_cli.pipelines.memory import compiled, profiles
from wangp_cli.pipelines.memory.estimate import bytes_of
from wangp_cli.pipelines.memory.offload import WeightOffloader
from wangp_cli.pipelines.memory.quantized import quantize
from wangp_cli.pipelines.wan.architecture import Parts
from wangp_cli.pipelines.wan.image_encoder import ImageEncoder
from wangp_cli.pipelines.wan.modules import MODULES, PREPROCESSORS, WITH_PREPROCESSOR, preprocessor
from wangp_cli.pipelines.wan.pipeline import Wan, counter
from wangp_cli.pipelines.wan.registry import ARCHITECTURES
from wangp_cli.pipelines.wan.speech_network import AudioEncoder
from wangp_cli.pipelines.wan.text_encoder import TextEncoder
from wangp_cli.pipelines.wan.vae import Vae

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Components, Lora, Placement, Progress, Weights
    from wangp_cli.pipelines.wan.architecture import Architecture, PartName
    from wangp_cli.pipelines.wan.speech_network import SpeechModule
    from wangp_cli.pipelines.wan.uni3c_network import ControlNetwork


def load(
    spec: ModelSpec,
    weights: Path | Weights,
    placement: Placement,
    loras: Sequence[Lora],
    components: Components,
    progress: Progress,
) -> Wan:
    """Load a Wan model.

    Args:
        spec: the model's catalogue entry.
        weights: a folder in diffusers layout, or one with files of the transformers.
        placement: device, dtypes and kernels; CLIP is always float32.
        loras: those to activate later; their files are checked before anything is loaded.
        components: cache of parts shared with other pipelines, such as text encoder and VAE.
        progress: called after each part.

    Raises:
        ModelError: a file is missing or broken, or the checkpoint is not of the entry's architecture.
        ResourceError: the attention backend or the compiler is not available here, or there is no room.
    """
    attention.check(placement.attention, placement.device)
    step_cache.check(placement, spec.name)
    architecture = _architecture(spec)
    architecture.check_placement(spec, placement)
    if placement.compile:
        compiled.check(placement.device)
    checkpoint = Checkpoint(weights)
    architecture.check_checkpoint(spec, checkpoint)
    kind = network_class(architecture.network)
    empty = checkpoint.empty_network("transformer", kind)
    lora_adapters.check(loras, empty, spec.experts)
    names = architecture.part_names(checkpoint)
    transformers = TRANSFORMERS[: spec.experts]
    _check_files(checkpoint, transformers, names)
    tick = counter(progress, "load", len(names) + len(transformers))
    counts = dict.fromkeys(transformers, sum(weight.numel() for weight in empty.parameters()))
    counts |= {name: checkpoint.parameter_count(name) for name in names}
    placement, reason = _settled(placement, checkpoint, counts, components)
    offloader = components.get(_offloader_key(placement), lambda: WeightOffloader(placement))
    parts = {}
    for name in names:
        parts[name] = _part(name, checkpoint, placement, components)
        tick(1)
    dtype = getattr(torch, placement.dtype)
    networks = []
    for part in transformers:
        networks.append(
            checkpoint.network(part, kind, dtype, offloader.first_device, temporary=offloader.on_disk)
        )
        _prepare(networks[-1], placement)
        offloader.add(networks[-1])
        tick(1)
    adapters = lora_adapters.LoraAdapters(networks, placement.device, dtype, offloader.onloaded, empty)
    made = architecture(spec, Parts(**parts), dtype, empty.config, exact=placement.exact)
    return Wan(made, networks, placement, adapters, profile_reason=reason)


def check(spec: ModelSpec, weights: Path | Weights) -> None:
    """Check that `load` can load a model: load all its parts onto the meta device, which reads no weights.

    Args:
        spec: the model's catalogue entry.
        weights: as for `load`.

    Raises:
        ModelError: a file is missing or broken, or does not fit its configuration or the entry.
    """
    architecture = _architecture(spec)
    checkpoint = Checkpoint(weights)
    architecture.check_checkpoint(spec, checkpoint)
    names = architecture.part_names(checkpoint)
    transformers = TRANSFORMERS[: spec.experts]
    _check_files(checkpoint, transformers, names)
    for part in transformers:
        checkpoint.network(part, network_class(architecture.network), torch.float32, META)
    for name in names:
        MODULES[name](checkpoint, torch.float32, META)
        if name in WITH_PREPROCESSOR:
            preprocessor(checkpoint, name)


def _architecture(spec: ModelSpec) -> type[Architecture]:
    if spec.architecture not in ARCHITECTURES:
        hint = nearest(spec.architecture, list(ARCHITECTURES)) or None
        raise ModelError(f"{spec.name}: Wan has no architecture {spec.architecture!r}", hint=hint)
    return ARCHITECTURES[spec.architecture]


def _check_files(checkpoint: Checkpoint, transformers: Sequence[str], names: Sequence[PartName]) -> None:
    preprocessors = [PREPROCESSORS[name] for name in names if name in PREPROCESSORS]
    checkpoint.check([*transformers, *names, *preprocessors])


def _prepare(transformer: Any, placement: Placement) -> None:
    """Set dtype and quantisation of a transformer, and compile it, as the placement says."""
    if not placement.mixed_precision:
        transformer.to(getattr(torch, placement.dtype))
    quantize(transformer, placement.transformer_quantization)
    if placement.compile:
        compiled.compile_blocks(transformer)


def _settled(
    placement: Placement, checkpoint: Checkpoint, counts: Mapping[str, int], components: Components
) -> tuple[Placement, str]:
    """The placement with its memory profile, chosen by the number of weights of each part, and the reason."""
    sizes = {name: count * bytes_of(name, placement) for name, count in counts.items()}
    whole = replace(placement, profile="1")
    shared = (name for name in PART_LOADERS if name in sizes)
    shared_bytes = sum(sizes[name] for name in shared if components.has(_key(name, checkpoint, whole)))
    return profiles.choose_profile(placement, sizes, shared_bytes, mapped=checkpoint.mapped)


def _part(name: PartName, checkpoint: Checkpoint, placement: Placement, components: Components) -> Any:
    """A part other than a transformer, shared with all pipelines that have an equal one."""
    offloader = components.get(_offloader_key(placement), lambda: WeightOffloader(placement))
    make = partial(PART_LOADERS[name], checkpoint, placement, offloader)
    return components.get(_key(name, checkpoint, placement), make)


def _key(name: PartName, checkpoint: Checkpoint, placement: Placement) -> tuple[str, ...]:
    identities = [checkpoint.identity(part) for part in (name, PREPROCESSORS.get(name)) if part]
    variant = {
        "text_encoder": f"{placement.dtype} {placement.text_encoder_quantization}",
        "vae": f"{placement.vae_dtype} {'exact' if placement.exact else 'fast'}",
        "speech": placement.dtype,
        "control": placement.dtype,
    }.get(name, "")
    return (name, *identities, variant, *_offloader_key(placement)[1:])


def _offloader_key(placement: Placement) -> tuple[str, ...]:
    # An empty name: the offloader is no part of the model.
    return ("", placement.device, placement.profile, str(placement.preload), str(placement.work_dir))


def _text_encoder(checkpoint: Checkpoint, placement: Placement, offloader: WeightOffloader) -> TextEncoder:
    dtype = getattr(torch, placement.dtype)
    model = MODULES["text_encoder"](checkpoint, dtype, offloader.first_device)
    quantize(model, placement.text_encoder_quantization)
    offloader.add(model)
    return TextEncoder(model, preprocessor(checkpoint, "text_encoder"), placement.device)


def _vae(checkpoint: Checkpoint, placement: Placement, offloader: WeightOffloader) -> Vae:
    model = MODULES["vae"](checkpoint, getattr(torch, placement.vae_dtype), placement.device)
    offloader.offload_all_before(model.encoder)
    offloader.offload_all_before(model.decoder)
    return Vae(model, exact=placement.exact)


def _image_encoder(checkpoint: Checkpoint, _placement: Placement, offloader: WeightOffloader) -> ImageEncoder:
    model = MODULES["image_encoder"](checkpoint, torch.float32, offloader.first_device)
    offloader.add(model)
    return ImageEncoder(model, preprocessor(checkpoint, "image_encoder"))


def _audio_encoder(checkpoint: Checkpoint, _placement: Placement, offloader: WeightOffloader) -> AudioEncoder:
    model = MODULES["audio_encoder"](checkpoint, torch.float32, offloader.first_device)
    offloader.add(model)
    return AudioEncoder(model, preprocessor(checkpoint, "audio_encoder"))


def _speech(checkpoint: Checkpoint, placement: Placement, offloader: WeightOffloader) -> SpeechModule:
    model: SpeechModule = MODULES["speech"](
        checkpoint, getattr(torch, placement.dtype), offloader.first_device
    )
    offloader.add(model)
    return model


def _control(checkpoint: Checkpoint, placement: Placement, _offloader: WeightOffloader) -> ControlNetwork:
    # Not offloaded: it is called within the transformer's forward passes.
    model: ControlNetwork = MODULES["control"](checkpoint, getattr(torch, placement.dtype), placement.device)
    return model


PART_LOADERS: dict[PartName, Callable[[Checkpoint, Placement, WeightOffloader], Any]] = {
    "text_encoder": _text_encoder,
    "vae": _vae,
    "image_encoder": _image_encoder,
    "audio_encoder": _audio_encoder,
    "speech": _speech,
    "control": _control,
}
"""The function that loads each part."""
