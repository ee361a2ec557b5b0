"""Sources of LoRAs: a file or folder, a repository on the hub, a URL; and the local path of each."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from wangp_cli.errors import ModelError, RequestError
from wangp_cli.files.safe_text import quote_for_message
from wangp_cli.runtime.loras.header import ENDINGS, check_lora

if TYPE_CHECKING:
    from collections.abc import Callable

    from wangp_cli.runtime.weights.download import RemoteFile
    from wangp_cli.runtime.weights.hub import Hub

HUB_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_HUB = re.compile(
    r"(?:hf:(?://)?)?(?P<repository>[\w-][\w.-]*/[\w-][\w.-]*)(?::(?P<file>[^@]+))?(?:@(?P<revision>[\w./-]+))?"
)
_HUB_PATH = re.compile(r"/(?P<repository>[^/]+/[^/]+)/(?:resolve|blob)/(?P<revision>[^/]+)/(?P<file>.+)")
LONGEST_NAME = 255
LARGER_DISK_HINT = "set loras_dir to a folder on a larger disk (wangp settings path)"
PEFT_NAME, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""File of a LoRA that peft saved, and the file beside it with its alphas."""
STANDARD_NAMES = ("pytorch_lora_weights.safetensors", PEFT_NAME)
"""File names of LoRAs that tools save in a folder each."""
GENERIC_NAME = re.compile(r"(high_noise_model|low_noise_model|adapter_model|pytorch_lora_weights|model)\b")
"""File names that many LoRAs share, so that the name alone identifies none."""


@dataclass(frozen=True, kw_only=True)
class LoraSource:
    """A LoRA's source and its local path.

    Args:
        name: as given, without the strength.
        path: of the local file; the folder for it where only the repository tells the file name.
        repository: on the hub.
        file: path in the repository; None where the repository has a single LoRA.
        revision: of the repository.
        address: URL of a file elsewhere.
        sha256: that the file must have, from the URL's fragment.
    """

    name: str
    path: Path
    repository: str | None = None
    file: str | None = None
    revision: str | None = None
    address: str | None = None
    sha256: str | None = None

    @property
    def is_local(self) -> bool:
        """Whether the file is on this machine."""
        return self.path.is_file()


def find_source(name: str, folder: Path, *, here: bool = True) -> LoraSource:
    """The source of a name: a local file or folder if there is one, else the hub or a URL.

    Args:
        name: as `--lora` takes it, without the strength.
        folder: the LoRA folder.
        here: look for relative paths in the working directory, too.

    Raises:
        RequestError: there is no such file, and the name is no repository and no URL.
    """
    if re.match(r"https?://", name, re.IGNORECASE):
        return _url_source(name, folder)
    if max(map(len, re.split(r"[/\\]", name))) > LONGEST_NAME:
        raise RequestError("loras", f"{quote_for_message(name)} is no name of a LoRA, it is too long")
    local = [Path(name).expanduser()] if here else []
    local += [folder / name, *(folder / f"{name}{ending}" for ending in ENDINGS)]
    for path in local:
        if path.is_file():
            return LoraSource(name=name, path=path)
        if path.is_dir():
            return LoraSource(name=name, path=single_lora_file(path))
    match = _HUB.fullmatch(name)
    if match and not name.startswith((".", "~", "/")) and not match["repository"].lower().endswith(ENDINGS):
        return _hub_source(name, match["repository"], match["file"], match["revision"], folder)
    raise _unknown_name_error(name, folder)


def single_lora_file(folder: Path) -> Path:
    """The single LoRA file below a folder, or the one with a usual name.

    Raises:
        RequestError: there is none, or several.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS)
    standard = [path for path in files if path.name in STANDARD_NAMES]
    if len(files) == 1 or len(standard) == 1:
        return (standard or files)[0]
    if not files:
        raise RequestError("loras", f"the folder {folder} has no safetensors file")
    several = ", ".join(str(path.relative_to(folder)) for path in files[:8])
    raise RequestError("loras", f"the folder {folder} has several LoRAs, name one: {several}")


def _hub_source(
    name: str, repository: str, file: str | None, revision: str | None, folder: Path
) -> LoraSource:
    if file and (".." in file.split("/") or file.startswith("/")):
        raise RequestError("loras", f"{name!r} leads out of the repository")
    if file and revision in (None, "main") and (known := _downloaded_file(Path(file).name, folder)):
        return LoraSource(name=name, path=known)
    local = folder / repository.replace("/", "--")
    if revision and revision != "main":
        local = local.with_name(f"{local.name}@{revision.replace('/', '-')}")
    path = local / file if file else local
    if not file and local.is_dir() and any(path.suffix in ENDINGS for path in local.rglob("*")):
        path = single_lora_file(local)
    return LoraSource(name=name, path=path, repository=repository, file=file, revision=revision)


def _url_source(name: str, folder: Path) -> LoraSource:
    from wangp_cli.runtime.weights.http import check_address

    url, _, fragment = name.partition("#")
    url = url.partition("|")[0]
    try:
        address = check_address(url)
    except ModelError as error:
        raise RequestError("loras", error.message) from None
    host, place = address.host, unquote(urlsplit(url).path)
    if host in HUB_HOSTS and (match := _HUB_PATH.fullmatch(place)):
        return _hub_source(name, match["repository"], match["file"], match["revision"], folder)
    last = Path(place).name
    stem, ending = os.path.splitext(last)  # noqa: PTH122 - both parts at once
    if ending.lower() in (".pt", ".pth", ".ckpt", ".bin", ".pkl"):
        raise RequestError("loras", f"{last!r} is a pickle, only safetensors are read")
    if ending.lower() not in ENDINGS:
        stem, ending = last, ENDINGS[0]
    if known := _downloaded_file(last, folder):
        return LoraSource(name=name, path=known)
    # Many URLs end in the same file name, so the name holds a hash of the whole URL.
    digest = hashlib.sha256(url.encode()).hexdigest()[:8]
    plain = re.sub(r"[^\w.-]+", "_", stem).strip("._")[:80] or "lora"
    sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
    path = folder / ("localhost" if address.is_loopback else host) / f"{plain}-{digest}{ending.lower()}"
    return LoraSource(name=name, path=path, address=url, sha256=sha256)


def _downloaded_file(name: str, folder: Path) -> Path | None:
    """The file of that name directly in the LoRA folder, where older tools saved downloads."""
    path = folder / name
    return path if path.is_file() and not GENERIC_NAME.match(name) else None


def _unknown_name_error(name: str, folder: Path) -> RequestError:
    if (path := Path(name)).suffix.lower() not in ("", *ENDINGS) and path.is_file():
        return RequestError("loras", f"{name!r} is not a safetensors file", hint="convert it to safetensors")
    known = ", ".join(str(path.relative_to(folder)) for path in lora_files(folder)[:8])
    hint = f"the LoRA folder {folder} has: {known}" if known else f"put LoRAs into {folder}, or give a path"
    return RequestError("loras", f"there is no file {name!r}", hint=hint)


def lora_files(folder: Path) -> list[Path]:
    """Every LoRA file below the LoRA folder."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())


def fetch_source(source: LoraSource, hub: Hub, report: Callable[[int, int], None]) -> LoraSource:
    """Download a LoRA unless its file is on this machine.

    Args:
        source: of the LoRA.
        hub: for repositories.
        report: called with the bytes on disk and in all; 0 where the size is not known.

    Returns:
        the source with the path of the file.

    Raises:
        ModelError: it cannot be fetched, or is no LoRA.
        NoSpaceError: the disk has no room for it.
    """
    if source.is_local:
        return source
    # Imported here because only downloads need the network modules.
    from wangp_cli.runtime.weights.download import check_download_space, download, request_file_facts
    from wangp_cli.runtime.weights.hub import hub_errors

    with hub_errors(source.name):
        if source.repository:
            *configs, remote = _remote_files(source, source.repository, hub)
            for config in configs:
                download(config, lambda _: None)
        else:
            remote = request_file_facts(str(source.address), source.path, source.sha256)
        check_download_space(
            remote.path.parent, (remote.size or 0) - remote.partial_bytes, hint=LARGER_DISK_HINT
        )
        download(remote, lambda done: report(done, remote.size or 0))
    report(size := remote.path.stat().st_size, size)
    try:
        check_lora(remote.path)
    except ModelError as error:
        remote.path.unlink()
        raise ModelError(f"{source.name} is no LoRA: {error.message}", hint=error.hint) from None
    return replace(source, path=remote.path)


def _remote_files(source: LoraSource, repository: str, hub: Hub) -> list[RemoteFile]:
    """The files to download from a repository: peft's configuration if there is one, and the LoRA."""
    from wangp_cli.runtime.weights.hub import files_of

    local = source.path.parents[source.file.count("/")] if source.file else source.path
    _, files = files_of(repository, source.revision, local, hub)
    loras = [name for name in files if name.lower().endswith(ENDINGS)]
    usual = [name for name in loras if name in STANDARD_NAMES]
    wanted = [source.file] if source.file else usual if len(usual) == 1 else loras
    if len(wanted) != 1 or wanted[0] not in loras:
        have = ", ".join(loras[:8]) or "no safetensors file"
        problem = f"has no file {source.file!r}" if source.file else "does not hold one LoRA alone"
        raise ModelError(f"{repository} {problem}", hint=f"name one as {repository}:FILE; it has: {have}")
    config = str(PurePosixPath(wanted[0]).with_name(PEFT_CONFIG))
    with_config = PurePosixPath(wanted[0]).name == PEFT_NAME and config in files
    return [*([files[config]] if with_config else []), files[wanted[0]]]
