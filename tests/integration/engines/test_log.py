"""The log stays bounded while the server writes to it."""

import os

from shared.runtime.engines import log
from shared.runtime.engines.log import EngineLog


def test_a_log_over_its_limit_is_emptied_and_its_newest_part_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(log, "LIMIT_BYTES", 100)
    file = EngineLog(tmp_path / "server.log")
    assert file.tail() == ""
    descriptor = file.open()
    try:
        os.write(descriptor, b"old\n" * 50 + b"newest\n")
        file.trim()
        os.write(descriptor, b"next\n")
    finally:
        os.close(descriptor)
    assert file.path.read_text() == "next\n"
    kept = (tmp_path / "server.log.1").read_bytes()
    assert len(kept) == 100
    assert kept.endswith(b"newest\n")
    assert file.tail() == "next"
