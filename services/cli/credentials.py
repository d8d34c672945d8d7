"""The credentials file: what a caller of the local fleet needs."""

from dataclasses import dataclass

from services.cli.data_dir import DataDir, read_json, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the fleet answers, and keys that it takes."""

    base_url: str
    api_key: str
    """For callers: printed, and pasted into applications."""
    operator_key: str = ""
    """For the command line, which steers the fleet with it; never printed."""

    def write(self, folder: DataDir) -> None:
        """Replace the file."""
        content = {
            "base_url": self.base_url,
            "openai_base_url": f"{self.base_url}/v1",
            "api_key": self.api_key,
            "operator_key": self.operator_key,
        }
        write_private(folder.credentials, content)

    @classmethod
    def read(cls, folder: DataDir) -> "Credentials":
        """Read the file; everything is empty when there is none."""
        content = read_json(folder.credentials)
        return cls(*(str(content.get(name, "")) for name in ("base_url", "api_key", "operator_key")))
