import errno
import os
from pathlib import Path

import pytest
import torch

from nenni.core.checkpoint import Checkpoint
from nenni.core.errors import UserError


def test_a_full_disk_is_explained_for_checkpoints_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match="no space is left"):
        Checkpoint(tmp_path / "c.pt").save({"a": torch.zeros(3)})
