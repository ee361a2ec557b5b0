"""Keep the last loaded pipeline and auxiliary networks between tasks, and share equal parts of pipelines."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from wangp_cli.pipelines.registry import ADAPTERS, NETWORKS, adapter, network_loader
from wangp_cli.runtime.events.types import LoraLoaded, ModelLoaded, ModelLoading
from wangp_cli.runtime.weights.locate import locate

if TYPE_CHECKING:
    from pathlib import Path

    from wangp_cli.models import ModelSpec
    from wangp_cli.pipelines.base import Lora, Pipeline, Placement, Progress
    from wangp_cli.pipelines.registry import Adapters, Networks
    from wangp_cli.runtime.events.types import Emit
    from wangp_cli.tasks.runtime import Dtype, Profile

T = TypeVar("T")
MAX_NETWORKS = 4
"""Auxiliary networks that stay loaded: a matte may take a segmenter and a matting network."""


class SharedComponents:
    """Cache of parts of pipelines; parts that the last load did not use can be dropped."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, ...], Any] = {}
        self._used: set[tuple[str, ...]] = set()
        self._created: set[tuple[str, ...]] = set()

    def get(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        """The part with a key; `make` creates it if it is not cached."""
        self._used.add(key)
        if key not in self._parts:
            self._created.add(key)
            self._parts[key] = make()
        part: T = self._parts[key]
        return part

    def has(self, key: tuple[str, ...]) -> bool:
        """Whether a part with this key is cached."""
        return key in self._parts

    def start_recording(self) -> None:
        """Start to record which parts are used."""
        self._used.clear()
        self._created.clear()

    def used_parts(self) -> dict[str, Literal["loaded", "shared"]]:
        """The named parts used since `start_recording`: loaded since, or shared with an earlier pipeline."""
        return {key[0]: "loaded" if key in self._created else "shared" for key in self._used if key[0]}

    def drop_unused(self) -> None:
        """Drop the parts that were not used since `start_recording`."""
        self._parts = {key: part for key, part in self._parts.items() if key in self._used}


class Pool:
    """The last loaded pipeline, and the parts it shares with the next one.

    Args:
        models_dir: folder of all weights.
        adapters: loaders by model family.
        networks: loaders of auxiliary networks by architecture.
    """

    def __init__(
        self, models_dir: Path, adapters: Adapters = ADAPTERS, networks: Networks = NETWORKS
    ) -> None:
        self._models_dir = models_dir
        self._adapters = adapters
        self._network_loaders = networks
        self._networks: list[tuple[tuple[ModelSpec, str, Dtype], Any]] = []
        self._components = SharedComponents()
        self._key: Any = None
        self._pipeline: Pipeline | None = None

    def check(self, spec: ModelSpec) -> None:
        """Check that the weights of a model are on this machine.

        Raises:
            ModelError: they are not.
        """
        locate(spec, self._models_dir)

    def pipeline(
        self,
        spec: ModelSpec,
        placement: Placement,
        loras: Sequence[Lora],
        *,
        activate_loras: bool,
        progress: Progress,
        emit: Emit,
    ) -> Pipeline:
        """The pipeline of a model, loaded unless it is the last one used.

        Args:
            spec: the model.
            placement: device, dtypes and memory options.
            loras: LoRAs of the task; their files are checked before a model is loaded.
            activate_loras: activate exactly these LoRAs, as needed before denoising.
            progress: called while the model loads.
            emit: called with events of loading.

        Raises:
            ModelError: weights or LoRAs are missing or broken, or do not fit.
        """
        pipeline = self._load(spec, placement, loras, progress, emit)
        began = time.monotonic()
        for lora in pipeline.set_loras(loras) if activate_loras else ():
            emit(
                LoraLoaded(
                    path=str(lora.path),
                    layers=lora.layers,
                    left_out=lora.left_out,
                    seconds=round(time.monotonic() - began, 3),
                )
            )
        return pipeline

    def network(self, spec: ModelSpec, device: str, dtype: Dtype, emit: Emit) -> Any:
        """An auxiliary network, such as an interpolator, loaded unless it is one of the last ones used.

        Args:
            spec: the model.
            device: where it computes.
            dtype: of its weights.
            emit: called with events of loading.

        Raises:
            ModelError: weights are missing or broken, or do not fit.
        """
        key = (spec, device, dtype)
        if (index := next((i for i, (each, _) in enumerate(self._networks) if each == key), None)) is None:
            network = self._load_network(spec, device, dtype, emit)
        else:
            network = self._networks.pop(index)[1]
        # The first one is the longest unused.
        self._networks = [*self._networks, (key, network)][-MAX_NETWORKS:]
        return network

    def _load_network(self, spec: ModelSpec, device: str, dtype: Dtype, emit: Emit) -> Any:
        weights = locate(spec, self._models_dir)
        load = network_loader(spec.architecture, self._network_loaders)
        emit(ModelLoading(model=spec.name))
        began = time.monotonic()
        network = load(spec, weights, device, dtype)
        emit(
            ModelLoaded(
                model=spec.name,
                seconds=round(time.monotonic() - began, 3),
                device=device,
                dtype=dtype,
                parts={spec.kind: "loaded"},
            )
        )
        return network

    def _load(
        self, spec: ModelSpec, placement: Placement, loras: Sequence[Lora], progress: Progress, emit: Emit
    ) -> Pipeline:
        key = (spec, placement.loading)
        if self._pipeline is not None and key == self._key:
            self._pipeline.reconfigure(placement)
            return self._pipeline
        weights = locate(spec, self._models_dir, placement.dtype)
        self.close()
        emit(ModelLoading(model=spec.name))
        began = time.monotonic()
        self._components.start_recording()
        load = adapter(spec.family, self._adapters)
        self._pipeline = load(spec, weights, placement, loras, self._components, progress)
        self._components.drop_unused()
        self._key = key
        actual = self._pipeline.placement
        emit(
            ModelLoaded(
                model=spec.name,
                seconds=round(time.monotonic() - began, 3),
                device=actual.device,
                dtype=actual.dtype,
                attention=actual.attention,
                vae_dtype=actual.vae_dtype,
                profile=actual.profile,
                why=self._pipeline.profile_reason,
                transformer_quantization=actual.transformer_quantization,
                text_encoder_quantization=actual.text_encoder_quantization,
                compiled=actual.compile,
                parts={"transformer": "loaded", **self._components.used_parts()},
            )
        )
        return self._pipeline

    @property
    def profile(self) -> Profile:
        """Memory profile of the loaded pipeline; `auto` if none is loaded."""
        return self._pipeline.placement.profile if self._pipeline else "auto"

    def close(self) -> None:
        """Free the pipeline; cached parts stay until the next load, which drops those it does not use."""
        if self._pipeline is not None:
            self._pipeline.close()
        self._pipeline, self._key = None, None

    def free(self) -> None:
        """Free the pipeline, all cached parts and the auxiliary networks."""
        self._components = SharedComponents()
        self._networks.clear()
        self.close()
        # Networks and their hooks are reference cycles.
        gc.collect()
