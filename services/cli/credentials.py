"""The credentials file: what a caller of the local fleet needs."""

from dataclasses import dataclass

from services.cli.data_dir import DataDir, read_json, write_private


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the fleet answers, and a key that it takes."""

    base_url: str
    api_key: str

    def write(self, folder: DataDir) -> None:
        """Replace the file."""
        content = {
            "base_url": self.base_url,
            "openai_base_url": f"{self.base_url}/v1",
            "api_key": self.api_key,
        }
        write_private(folder.credentials, content)

    @classmethod
    def read(cls, folder: DataDir) -> "Credentials":
        """Read the file; both are empty when there is none."""
        content = read_json(folder.credentials)
        return cls(str(content.get("base_url", "")), str(content.get("api_key", "")))
