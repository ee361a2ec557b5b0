"""Reading the parts of a checkpoint: a folder in diffusers layout, or files of transformers beside one."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import re
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from wangp_cli.errors import ModelError, first_line
from wangp_cli.pipelines.base import TRANSFORMERS, Weights
from wangp_cli.pipelines.checkpoints.foreign_code import FETCH, check, read_index, read_json
from wangp_cli.pipelines.checkpoints.key_names import SHOWN_KEYS, KeyNames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    import torch

    from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles, TransformerFiles

log = logging.getLogger(__name__)

HASHED_BYTES = 64 << 20
"""Files up to this size are compared by content, larger ones by name, size and time."""
CONTENT_NAME = re.compile(r"[0-9a-f]{64}")
TOOLS = {
    "tokenizer": ("tokenizer.json", "spiece.model"),
    "image_processor": ("preprocessor_config.json",),
}
"""Parts without weights, and the files of which each needs one: without it, an empty one would be made up."""


class Checkpoint:
    """The parts of a model, in a folder in diffusers layout or in files.

    Args:
        place: the folder, or the folder and files.

    Raises:
        ModelError: the folder or its `model_index.json` is missing or broken, or a part brings or names code.
    """

    def __init__(self, place: Path | Weights) -> None:
        weights = place if isinstance(place, Weights) else Weights(folder=place)
        self.folder = weights.folder
        self._place, self._files = weights, dict(weights.files)
        self._transformers: dict[str, TransformerFiles] = {}
        if not self.folder.is_dir():
            raise ModelError(f"{self.folder} is not a folder", hint=FETCH)
        self.index = read_index(self.folder / "model_index.json")
        check(self.folder, self.index, self._files)
        if weights.network:
            kind = ["diffusers", weights.network.kind]
            self.index |= {part: kind if part in self._files else [None, None] for part in TRANSFORMERS}

    @property
    def mapped(self) -> bool:
        """Whether the folder was prepared to be mapped."""
        return self._place.mapped

    def has(self, part: str) -> bool:
        """The index names this part and a class for it, or there are files of it."""
        return part in self._files or bool((self.index.get(part) or [None])[0])

    def config(self, part: str) -> dict[str, Any]:
        """The part's `config.json`; ours for a transformer in files."""
        if part in self._files and part in TRANSFORMERS and (network := self._place.network):
            return {"_class_name": network.kind} | network.config
        return read_json(self._folder(part) / "config.json")

    def check(self, parts: Iterable[str]) -> None:
        """Check that the files of these parts exist and are complete, without reading the weights.

        Raises:
            ModelError: a file is missing or cut; the message names it.
        """
        for part in parts:
            if part in self._files and part in TRANSFORMERS:
                self._transformer(part)
                continue
            if part in self._files:
                self._check_files(part)
                continue
            if part in TOOLS:
                _check_any(self.folder / part, TOOLS[part])
                continue
            self.config(part)
            for file in self.tensor_files(part):
                _check_weights(file)

    def _check_files(self, part: str) -> None:
        from wangp_cli.pipelines.checkpoints.files import open_weights

        for file in self._files[part]:
            if file.suffix == ".json":
                read_json(file)
            else:
                open_weights(file, allow_pickle=self._place.allow_pickle)

    def module(self, part: str, empty: Any, name: str, names: KeyNames) -> NetworkFiles:
        """A part in files as a network of ours, checked by the headers of the files.

        Args:
            part: of the checkpoint.
            empty: the network without memory for its weights.
            name: of it, for messages.
            names: of its parameters in files.

        Raises:
            ModelError: there is no such part, or it is not of the network.
        """
        from wangp_cli.pipelines.checkpoints.assemble import NetworkFiles

        if part not in self._files:
            raise ModelError(f"{self.folder} has no {part}")
        return NetworkFiles(
            empty, self._files[part], name=name, names=names, allow_pickle=self._place.allow_pickle
        )

    def shapes(self, part: str) -> dict[str, tuple[int, ...]]:
        """The shape of every parameter of a part in files.

        Raises:
            ModelError: there is no such part, or a file cannot be read.
        """
        from wangp_cli.pipelines.checkpoints.files import open_weights
        from wangp_cli.pipelines.checkpoints.number_formats import parameters

        if part not in self._files:
            raise ModelError(f"{self.folder} has no {part}")
        files = [open_weights(file, allow_pickle=self._place.allow_pickle) for file in self._files[part]]
        return {name: stored.shape for name, stored in parameters(files, KeyNames()).items()}

    def weights(self, part: str) -> int:
        """Number of parameters in the part's files, by their headers."""
        total = 0
        for file in self.tensor_files(part):
            with safe_open(file, framework="pt") as tensors:
                total += sum(math.prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
        return total

    def identity(self, part: str) -> str:
        """Equal for parts of equal content in different checkpoints, so that they can be shared.

        Small files and those that a hub cache names by their content are compared by content.
        """
        digest = hashlib.sha256()
        inside = (self.folder / part).iterdir
        for file in self._files.get(part) or sorted(file for file in inside() if file.is_file()):
            digest.update(file.name.encode() + b"\0" + _identity(file) + b"\0")
        return digest.hexdigest()

    def network(self, part: str, kind: Any, dtype: torch.dtype, device: str, *, passing: bool = False) -> Any:
        """A diffusers model in evaluation mode, on its device.

        Args:
            part: of the checkpoint.
            kind: its class.
            dtype: of its weights.
            device: where they go.
            passing: they will be copied elsewhere at once, so mapping the file is enough.

        Raises:
            ModelError: the weights cannot be read, or do not fit the configuration.
        """
        if part in self._files:
            log.info("loading %s from %s", part, ", ".join(map(str, self._files[part])))
            model = self._transformer(part).build(dtype, device)
            del self._transformers[part]
            return model.eval().requires_grad_(False)
        # A mapped file is misaligned, unless prepared, which costs speed and bits on a CPU.
        copied = device == "cpu" and not self._place.mapped and not passing
        options = {"dtype": dtype, "disable_mmap": copied, "use_safetensors": True}
        return self._load(part, kind, device, options)

    def encoder(
        self, part: str, kind: Any, dtype: torch.dtype, device: str, *, unread: Collection[str] = ()
    ) -> Any:
        """A transformers model in evaluation mode, on its device.

        Args:
            part: of the checkpoint.
            kind: its class.
            dtype: of its weights.
            device: where they go.
            unread: weights that may be missing or too many, as nothing here reads them.

        Raises:
            ModelError: the weights cannot be read, or do not fit the configuration.
        """
        return self._load(part, kind, device, {"dtype": dtype, "use_safetensors": True}, unread)

    def tool(self, part: str, kind: Any) -> Any:
        """A part without weights: a tokenizer or an image processor.

        Raises:
            ModelError: a file is missing or broken.
        """
        try:
            return _from_pretrained(kind, self._folder(part))
        except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
            raise ModelError(f"{self._folder(part)} cannot be loaded: {first_line(error)}") from error

    def _folder(self, part: str) -> Path:
        """The folder of a part and its configuration."""
        return self._files[part][0].parent if part in self._files else self.folder / part

    def _load(
        self, part: str, kind: Any, device: str, options: dict[str, Any], unread: Collection[str] = ()
    ) -> Any:
        where = self._folder(part)
        try:
            model, found = _from_pretrained(kind, where, output_loading_info=True, **options)
        except (OSError, ValueError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
            if "DefaultCPUAllocator" in str(error):  # Memory ran out; the files are not to blame.
                raise
            raise ModelError(f"{where} cannot be loaded: {first_line(error)}") from error
        for word in ("missing", "unexpected", "mismatched"):
            if keys := sorted({str(key) for key in found.get(f"{word}_keys", ())} - set(unread)):
                raise ModelError(f"{where} has {len(keys)} {word} keys: {', '.join(keys[:SHOWN_KEYS])}")
        log.info("loaded %s on %s", where, device)
        return model.to(device).eval().requires_grad_(False)

    def _transformer(self, part: str) -> TransformerFiles:
        """How one in files is put together; worked out once, as headers of large files take a while."""
        from wangp_cli.pipelines.checkpoints.assemble import TransformerFiles

        place = self._place
        assert place.network
        if part not in self._transformers:
            files = self._files[part]
            self._transformers[part] = TransformerFiles(place.network, files, allow_pickle=place.allow_pickle)
        return self._transformers[part]

    def tensor_files(self, part: str) -> list[Path]:
        """The safetensors files of a part.

        Raises:
            ModelError: there are none.
        """
        if part in self._files:
            return [file for file in self._files[part] if file.suffix == ".safetensors"]
        where = self.folder / part
        if indexes := sorted(where.glob("*.safetensors.index.json")):
            return sorted({where / name for name in read_json(indexes[0])["weight_map"].values()})
        if files := sorted(where.glob("*.safetensors")):
            return files
        raise ModelError(f"{where} has no safetensors file", hint=FETCH)


def _from_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """The only place where a library reads a folder of weights: no hub, no code."""
    # Classes of diffusers know no such word: they look for no code.
    if kind.__module__.startswith("transformers."):
        options["trust_remote_code"] = False
    return kind.from_pretrained(folder, local_files_only=True, **options)


def _check_any(folder: Path, names: tuple[str, ...]) -> None:
    if not any((folder / name).is_file() for name in names):
        raise ModelError(f"{folder / names[0]} is missing", hint=FETCH)


def _check_weights(file: Path) -> None:
    try:
        with safe_open(file, framework="pt"):
            pass
    except FileNotFoundError:
        raise ModelError(f"{file} is missing", hint=FETCH) from None
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{file} is broken: {first_line(error)}", hint="fetch it again") from error


def _identity(file: Path) -> bytes:
    real = file.resolve()
    if CONTENT_NAME.fullmatch(real.name):
        return real.name.encode()
    if file.suffix == ".json" and (data := read_json(file)):
        # Keys that tell who wrote the file do not change what it means.
        kept = {key: data[key] for key in sorted(data) if not key.startswith(("_", "transformers_version"))}
        return json.dumps(kept, sort_keys=True).encode()
    if (facts := real.stat()).st_size <= HASHED_BYTES:
        return hashlib.sha256(real.read_bytes()).hexdigest().encode()
    return f"{real} {facts.st_size} {facts.st_mtime_ns}".encode()
