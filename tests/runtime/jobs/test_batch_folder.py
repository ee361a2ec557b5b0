"""The folder of a batch."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.jobs import new
from wangp_cli.errors import ConflictError, NoSpaceError
from wangp_cli.runtime.jobs.batch_folder import batch_store, fetched_folder

WHOLE = (1, 1)


def test_one_process_works_on_a_shard_at_a_time(tmp_path: Path) -> None:
    with batch_store(tmp_path, (1, 2), resume=False):
        with (
            pytest.raises(ConflictError, match="another batch works in"),
            batch_store(tmp_path, (1, 2), resume=True),
        ):
            pass
        with batch_store(tmp_path, (2, 2), resume=False):
            pass


def test_an_unfinished_batch_is_kept_and_resumed(tmp_path: Path) -> None:
    fetched = fetched_folder(tmp_path, WHOLE)
    with batch_store(tmp_path, WHOLE, resume=False) as store:
        store.submit([new("a")])
        fetched.mkdir()
    with pytest.raises(ConflictError, match="is unfinished"), batch_store(tmp_path, WHOLE, resume=False):
        pass
    with batch_store(tmp_path, WHOLE, resume=True) as store:
        job = store.claim()
        assert job is not None
        store.finish(job, {})
    assert fetched.is_dir()
    with batch_store(tmp_path, WHOLE, resume=False) as store:
        assert sum(store.counts().values()) == 0
    assert not fetched.exists()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(NoSpaceError, match="cannot be written"),
        batch_store(tmp_path / "file", WHOLE, resume=False),
    ):
        pass
