"""What jobs of a batch may read and write, checked again when they run.

Between admission and the run, files and folders may be exchanged for links, and rows of the store be edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from wangp_cli.errors import RequestError
from wangp_cli.files.open_input import is_inside
from wangp_cli.runtime.intake.path_policy import check_paths
from wangp_cli.runtime.intake.paths import absolute, is_url, named_files, split_lora

if TYPE_CHECKING:
    from wangp_cli.runtime.intake.url_policy import UrlPolicy
    from wangp_cli.runtime.jobs.rules import AdmissionRules
    from wangp_cli.runtime.request.request import Request
    from wangp_cli.tasks import TaskTypes
    from wangp_cli.value_layers import Layer

UNTRUSTED_LAYERS = ("line", "file")


@dataclass(frozen=True, kw_only=True)
class Confinement:
    """What jobs may read and write.

    Args:
        folder: the output folder; every result lies in it.
        roots: folders whose files lines may name.
        files: that flags of this run name; jobs may read them as well.
        untrusted: every input must lie in one of these, and is copied before it is used.
        allowed: URLs that lines may name.
        tasks: the task types.
    """

    folder: Path
    roots: Sequence[Path]
    files: Sequence[Path] = ()
    untrusted: bool = False
    allowed: UrlPolicy | None = None
    tasks: TaskTypes

    @property
    def readable(self) -> list[Path]:
        """Folders and files that jobs may read."""
        return [*self.roots, *self.files]

    def check_layers(self, layers: Sequence[Layer]) -> None:
        """Check the files that stored lines name.

        Raises:
            RequestError: one is outside of the folders.
        """
        for layer in layers:
            if layer.kind in UNTRUSTED_LAYERS:
                check_paths(layer.values, self.roots, self.allowed, self.tasks)

    def check_inputs(self, request: Request) -> None:
        """Check what a settled request reads, if nothing is trusted.

        Raises:
            RequestError: a file is outside of the folders.
        """
        if not self.untrusted:
            return
        files = [(field, path) for field, paths in request.task.media().items() for path in paths]
        files += [("loras", lora.path) for lora in request.loras if lora.own]
        for field, path in files:
            if not is_inside(str(path.resolve()), self.readable):
                raise RequestError(
                    field,
                    f"{path} is outside the folders that task files may read",
                    hint=f"--allow-path {str(path.resolve().parent)!r} allows it",
                )

    def check_outputs(self, outputs: Sequence[Path]) -> None:
        """Check that results lie in the output folder.

        Raises:
            RequestError: one does not.
        """
        for folder in {path.parent for path in outputs}:
            if not is_inside(str(folder.resolve()), [self.folder]):
                raise RequestError(
                    "output",
                    f"{folder} is outside of {self.folder}",
                    hint="results stay in the output folder",
                )

    def check_request(self, request: Request) -> None:
        """Check what a settled request reads and writes; raises as the checks of both do."""
        self.check_inputs(request)
        self.check_outputs(request.outputs)


def confinement_of(rules: AdmissionRules, tasks: TaskTypes) -> Confinement:
    """What jobs of a batch with these rules may read and write."""
    given = [absolute(layer.values, Path.cwd(), tasks) for layer in rules.defaults]
    named = [name for values in given for _, name in named_files(values, tasks)]
    named += [split_lora(lora)[0] for values in given for lora in values.get("loras") or ()]
    return Confinement(
        folder=rules.folder,
        roots=rules.roots,
        files=[Path(name) for name in named if not is_url(name)],
        untrusted=rules.untrusted,
        allowed=rules.fetcher.allowed if rules.fetcher else None,
        tasks=tasks,
    )
