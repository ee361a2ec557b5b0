"""Rules for the lines of a batch, and how it runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wangp_cli.runtime.intake.url_fetch import UrlFetcher
    from wangp_cli.tasks.fields import Order
    from wangp_cli.value_layers import Layer


@dataclass(frozen=True, kw_only=True)
class AdmissionRules:
    """What lines may do and which of them run.

    Args:
        folder: the output folder; every result lies in it.
        defaults: layers under every line: presets, then flags.
        roots: folders whose files lines may name.
        only: task ids to run, in this order; empty for all.
        shard: which of how many, counted from 1.
        names_by_id: result files are named after their task unless a line says otherwise.
        fetcher: fetches the files of URLs that lines may name.
        untrusted: nothing is read outside of `roots`, and files are copied before they are used.
    """

    folder: Path
    defaults: Sequence[Layer]
    roots: Sequence[Path]
    only: tuple[str, ...] = ()
    shard: tuple[int, int] = (1, 1)
    names_by_id: bool = True
    fetcher: UrlFetcher | None = None
    untrusted: bool = False

    @property
    def allows_urls(self) -> bool:
        """Whether lines may name files by URL."""
        return self.fetcher is not None and bool(self.fetcher.allowed)


@dataclass(frozen=True, kw_only=True)
class BatchPlan:
    """How a batch runs.

    Args:
        rules: what lines may do and which run.
        order: as given; all jobs of one model before the next; or also each stage of them before the next.
        phase_group: how many jobs at most go through their stages together.
        fail_fast: stop after the first failure.
        retries: more attempts for what can be retried.
        timeout: seconds after which a task fails.
        limit: run at most so many tasks.
        resume: go on with what an earlier run of the folder left.
        bounded: read further lines only while fewer than `READ_AHEAD` tasks are ready, as for a source
            without an end.
    """

    rules: AdmissionRules
    order: Order = "given"
    phase_group: int = 64
    fail_fast: bool = False
    retries: int = 0
    timeout: float | None = None
    limit: int | None = None
    resume: bool = False
    bounded: bool = False
