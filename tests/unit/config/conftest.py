from pathlib import Path
from typing import Any

import pytest
import yaml

SECRET_KEY = "0123456789abcdef0123456789abcdef"
NEEDED = {
    "PENSTOCK_SECRET_KEY": SECRET_KEY,
    "PENSTOCK_BROKER__URL": "amqp://guest:rabbit-pass@broker/",
    "PENSTOCK_POSTGRES__URL": "postgresql://penstock:pg-pass@db/penstock",
    "PENSTOCK_REDIS__URL": "redis://redis",
    "PENSTOCK_OBJECTS__URL": "memory:///",
}


class Machine:
    """A folder of configuration, a folder of secrets, and the variables of a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "config"
        self.secrets = folder / "secrets"
        self.folder.mkdir()
        self.secrets.mkdir()
        self.environment = NEEDED | {
            "PENSTOCK_CONFIG_DIR": str(self.folder),
            "PENSTOCK_SECRETS_DIR": str(self.secrets),
        }

    def yaml(self, name: str, content: Any) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else yaml.safe_dump(content), "utf-8")

    def secret(self, name: str, text: str) -> None:
        (self.secrets / name).write_text(text, "utf-8")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)
