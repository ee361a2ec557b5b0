"""Load the parts of a checkpoint: from a folder in diffusers layout, and from single weight files."""

from __future__ import annotations

import hashlib
import logging
import math
from typing import TYPE_CHECKING, Any

from safetensors import safe_open

from wangp_cli.errors import ModelError
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.pipelines.checkpoints import part_files
from wangp_cli.pipelines.checkpoints.foreign_code import FETCH, check_code, read_index, read_json
from wangp_cli.pipelines.checkpoints.key_names import KeyNames
from wangp_cli.pipelines.checkpoints.pretrained import META, from_pretrained, load_errors, load_model

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    import torch

    from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles, TransformerFiles

log = logging.getLogger(__name__)

PREPROCESSOR_FILES = {
    "tokenizer": ("tokenizer.json", "spiece.model"),
    "image_processor": ("preprocessor_config.json",),
}
"""Files by part, of which at least one must exist: without any, transformers builds an empty tokenizer."""


class Checkpoint:
    """The parts of a model: subfolders of a folder in diffusers layout, or single files.

    Args:
        source: the folder, or the folder with the single files.

    Raises:
        ModelError: the folder or its `model_index.json` is missing or broken, or a part has or names code.
    """

    def __init__(self, source: Path | Weights) -> None:
        weights = source if isinstance(source, Weights) else Weights(folder=source)
        self.folder = weights.folder
        self._weights, self._files = weights, dict(weights.files)
        self._transformers: dict[str, TransformerFiles] = {}
        if not self.folder.is_dir():
            raise ModelError(f"{self.folder} is not a folder", hint=FETCH)
        self.index = read_index(self.folder / "model_index.json")
        check_code(self.folder, self.index, self._files)
        if weights.network:
            kind = ["diffusers", weights.network.kind]
            self.index |= {part: kind if part in self._files else [None, None] for part in TRANSFORMERS}

    @property
    def mapped(self) -> bool:
        """Whether the files are prepared to be memory-mapped: aligned, and in their final dtype."""
        return self._weights.mapped

    def has(self, part: str) -> bool:
        """Whether the index has a class for this part, or there are single files of it."""
        kind = self.index.get(part)
        return part in self._files or (isinstance(kind, list) and kind[:1] not in ([], [None]))

    def config(self, part: str) -> dict[str, Any]:
        """The part's `config.json`; for a transformer in single files, the configuration in the catalogue."""
        if part in self._files and part in TRANSFORMERS and (network := self._weights.network):
            return {"_class_name": network.kind} | network.config
        return read_json(self._folder(part) / "config.json")

    def empty_network(self, part: str, kind: Any) -> Any:
        """A diffusers model with the configuration of a part, on the meta device.

        Raises:
            ModelError: the class does not accept the configuration.
        """
        import torch

        with torch.device(META), load_errors(self._folder(part), META):
            return kind.from_config(self.config(part))

    def check(self, parts: Iterable[str]) -> None:
        """Check that the files of these parts exist and are complete, without reading the weights.

        Raises:
            ModelError: a file is missing or truncated; the message names it.
        """
        for part in parts:
            if part in self._files and part in TRANSFORMERS:
                self._transformer(part)
                continue
            if part in self._files:
                self._check_files(part)
                continue
            if part in PREPROCESSOR_FILES:
                part_files.check_any(self.folder / part, PREPROCESSOR_FILES[part])
                continue
            self.config(part)
            for file in self.tensor_files(part):
                part_files.check_weights(file)

    def _check_files(self, part: str) -> None:
        from wangp_cli.pipelines.checkpoints.files import open_weights

        for file in self._files[part]:
            if file.suffix == ".json":
                read_json(file)
            else:
                open_weights(file, allow_pickle=self._weights.allow_pickle)

    def module(self, part: str, empty: Any, name: str, names: KeyNames) -> NetworkFiles:
        """The single files of a part, matched to a network by their headers.

        Args:
            part: name of the part.
            empty: the network on the meta device.
            name: the network's name for error messages.
            names: the parameter names that the files may use.

        Raises:
            ModelError: the part has no single files, or they do not match the network.
        """
        from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles

        if part not in self._files:
            raise ModelError(f"{self.folder} has no {part}")
        return NetworkFiles(
            empty, self._files[part], name=name, names=names, allow_pickle=self._weights.allow_pickle
        )

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter of a part in single files.

        Raises:
            ModelError: the part has no single files, or one cannot be read.
        """
        from wangp_cli.pipelines.checkpoints.files import open_weights
        from wangp_cli.pipelines.checkpoints.quantization_formats import parameters

        if part not in self._files:
            raise ModelError(f"{self.folder} has no {part}")
        files = [open_weights(file, allow_pickle=self._weights.allow_pickle) for file in self._files[part]]
        return {name: stored.shape for name, stored in parameters(files, KeyNames()).items()}

    def parameter_count(self, part: str) -> int:
        """Number of parameters of a part, from the headers of its safetensors files."""
        total = 0
        for file in self.tensor_files(part):
            with safe_open(file, framework="pt") as tensors:
                total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
        return total

    def identity(self, part: str) -> str:
        """SHA-256 that is equal for parts with equal files, so that pipelines can share them.

        Small files, and those whose name in the hub cache is their checksum, count by content; other large
        files by path, size and time.
        """
        digest = hashlib.sha256()
        in_folder = (self.folder / part).iterdir
        for file in self._files.get(part) or sorted(file for file in in_folder() if file.is_file()):
            digest.update(file.name.encode() + b"\0" + part_files.identity(file) + b"\0")
        return digest.hexdigest()

    def network(
        self, part: str, kind: Any, dtype: torch.dtype, device: str, *, temporary: bool = False
    ) -> Any:
        """A diffusers model in evaluation mode, on its device.

        Args:
            part: name of the part.
            kind: its class.
            dtype: dtype of its weights.
            device: device of its weights.
            temporary: the caller offloads the weights at once, so they may stay memory-mapped.

        Raises:
            ModelError: the weights cannot be read, or do not fit the configuration.
        """
        if part in self._files and device == META:
            return self._transformer(part).empty
        if part in self._files:
            log.info("loading %s from %s", part, ", ".join(map(str, self._files[part])))
            model = self._transformer(part).build(dtype, device)
            del self._transformers[part]
            return model.eval().requires_grad_(False)
        # Tensors in unprepared files are misaligned: CPU kernels are slower and round differently.
        must_copy = device == "cpu" and not self._weights.mapped and not temporary
        options = {"dtype": dtype, "disable_mmap": must_copy, "use_safetensors": True}
        return load_model(kind, self._folder(part), device, **options)

    def encoder(
        self, part: str, kind: Any, dtype: torch.dtype, device: str, *, unused: Collection[str] = ()
    ) -> Any:
        """A transformers model in evaluation mode, on its device.

        Args:
            part: name of the part.
            kind: its class.
            dtype: dtype of its weights.
            device: device of its weights.
            unused: keys that may be missing or unexpected, because their weights have no effect.

        Raises:
            ModelError: the weights cannot be read, or do not fit the configuration.
        """
        # Keys of other shapes are then named in `loading_info`, and refused as those that are missing.
        options = {"dtype": dtype, "use_safetensors": True, "ignore_mismatched_sizes": True}
        return load_model(kind, self._folder(part), device, unused=unused, **options)

    def preprocessor(self, part: str, kind: Any) -> Any:
        """A tokenizer, or a processor of images or audio.

        Raises:
            ModelError: a file is missing or broken.
        """
        with load_errors(self._folder(part), META):
            return from_pretrained(kind, self._folder(part))

    def _folder(self, part: str) -> Path:
        """The folder with the configuration of a part."""
        return self._files[part][0].parent if part in self._files else self.folder / part

    def _transformer(self, part: str) -> TransformerFiles:
        """The single files of a transformer; cached, because reading large headers takes long."""
        from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles

        weights = self._weights
        assert weights.network
        if part not in self._transformers:
            files = self._files[part]
            self._transformers[part] = TransformerFiles(
                weights.network, files, allow_pickle=weights.allow_pickle
            )
        return self._transformers[part]

    def tensor_files(self, part: str) -> list[Path]:
        """The safetensors files of a part.

        Raises:
            ModelError: there are none.
        """
        if part in self._files:
            return [file for file in self._files[part] if file.suffix == ".safetensors"]
        return part_files.tensor_files(self.folder / part)
