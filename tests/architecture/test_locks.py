"""The locks hold what their images may hold, by hash, and name no index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))


def pinned(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.lock").read_text()
    return dict(re.findall(r"^([a-z0-9._-]+)(?:\[[^]]*])?==([^ ;\\]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.stem)
def test_every_package_is_locked_by_hash_and_no_index_is_named(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text


def test_only_the_worker_has_litellm() -> None:
    assert "litellm" not in pinned("service")
    assert "litellm" in pinned("worker")


def test_the_images_agree_on_versions() -> None:
    everything = pinned("dev")
    for name in ("service", "worker", "local"):
        assert pinned(name).items() <= everything.items()


def test_releases_known_to_be_malicious_are_not_locked() -> None:
    assert pinned("worker")["litellm"] not in {"1.82.7", "1.82.8"}
