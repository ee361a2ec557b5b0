"""Load models of diffusers and transformers from folders, without a hub and without running their code."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from wangp_cli.errors import ModelError, first_line
from wangp_cli.pipelines.checkpoints.foreign_code import check_configurations, read_json
from wangp_cli.pipelines.checkpoints.key_names import SHOWN_KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    import torch

log = logging.getLogger(__name__)

META = "meta"
"""The device whose tensors have no numbers: loading onto it reads headers alone."""
FAULTS = ("missing", "unexpected", "mismatched")
"""Kinds of keys of a file that do not fit the network, as the libraries report them."""


def from_pretrained(kind: Any, folder: Path, **options: Any) -> Any:
    """Call `from_pretrained` without access to a hub and without running code from the folder.

    Every load of a folder by diffusers or transformers goes through here.
    """
    # Only transformers has this argument; classes of diffusers never load code.
    if kind.__module__.startswith("transformers."):
        options["trust_remote_code"] = False
    return kind.from_pretrained(folder, local_files_only=True, **options)


@contextmanager
def load_errors(folder: Path, device: str = "cpu") -> Iterator[None]:
    """A context that turns what libraries raise for the files of a folder into `ModelError`."""
    try:
        yield
    except ModelError:
        raise
    except Exception as error:
        # Out of memory: the files are not broken. On the meta device only absurd sizes need memory.
        if "DefaultCPUAllocator" in str(error) and device != META:
            raise
        raise ModelError(f"{folder} cannot be loaded: {first_line(error)}") from error


def load_model(
    kind: Any,
    folder: Path,
    device: str,
    *,
    unused: Collection[str] = (),
    faults: Collection[str] = FAULTS,
    **options: Any,
) -> Any:
    """A model in evaluation mode, on its device.

    Args:
        kind: its class.
        folder: with its configuration and weights.
        device: where its weights go.
        unused: keys that may be missing or unexpected, because their weights have no effect.
        faults: which of `FAULTS` are errors.
        options: further arguments of `from_pretrained`.

    Raises:
        ModelError: the weights cannot be read, or do not fit the configuration.
    """
    if device == META:
        options["device_map"] = META
    with load_errors(folder, device):
        model, info = from_pretrained(kind, folder, output_loading_info=True, **options)
    for word in faults:
        if keys := sorted(set(map(_key_name, info.get(f"{word}_keys", ()))) - set(unused)):
            raise ModelError(
                f"{folder} has {len(keys)} {word} keys: {', '.join(keys[:SHOWN_KEYS])}",
                hint="the files are of another model, or in another layout than that of diffusers",
            )
    log.info("loaded %s on %s", folder, device)
    return model.to(device).eval().requires_grad_(False)


def model_type(folder: Path) -> str:
    """What a folder in the layout of transformers holds by its configuration, such as `vitmatte`.

    Raises:
        ModelError: the folder has no configuration, or one that names code or absurd sizes.
    """
    if not folder.is_dir():
        raise ModelError(
            f"{folder} is not a folder", hint="give a folder with config.json and model.safetensors"
        )
    found = read_json(folder / "config.json").get("model_type")
    check_configurations(folder)
    return str(found)


def load_transformers_model(kind: Any, folder: Path, dtype: torch.dtype, device: str) -> Any:
    """A model of transformers from a folder whose `model_type` was looked at.

    Weights that the model has no place for are no error: a folder may hold the networks of several classes.

    Raises:
        ModelError: as `load_model`.
    """
    options = {"dtype": dtype, "use_safetensors": True, "ignore_mismatched_sizes": True}
    return load_model(kind, folder, device, faults=("missing", "mismatched"), **options)


def _key_name(key: Any) -> str:
    """The key in an entry of what a library reports; keys of other shapes come with both shapes."""
    return str(key[0] if isinstance(key, tuple) else key)
