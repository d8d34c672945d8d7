"""What the command line prints: coloured on a terminal, plain elsewhere."""

import sys

from services.cli.credentials import Credentials

STYLES = {"error": "red", "critical": "bold red", "warning": "yellow"}
CURL = """\
curl {url}/v1/chat/completions \\
    -H 'Authorization: Bearer {key}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"model": "simulator/echo", "messages": [{{"role": "user", "content": "Hello, river."}}]}}'"""


class Console:
    """Writes to standard output.

    Args:
        quiet: Print neither what services complain about nor the key: the output goes to a file.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet

    def say(self, text: str, style: str = "") -> None:
        """Print a line."""
        if style and sys.stdout.isatty():
            from rich.console import Console as RichConsole  # noqa: PLC0415 - for a terminal only

            RichConsole(highlight=False, soft_wrap=True).print(text, style=style, markup=False)
        else:
            print(text, flush=True)

    def echo(self, service: str, level: str, message: str) -> None:
        """Print what a service complains about."""
        if not self._quiet:
            self.say(f"{service:<16} {level:<8} {message}", STYLES.get(level, ""))

    def ready(self, credentials: Credentials, *, seconds: float, stop: str) -> None:
        """Print what to do with a fleet that is ready."""
        self.say(f"\nPenstock is ready after {seconds:.1f} s.", "bold green")
        if self._quiet:
            return
        self.say(f"\n  URL      {credentials.base_url}")
        self.say(f"  API key  {credentials.api_key}\n")
        self.say(CURL.format(url=credentials.base_url, key=credentials.api_key), "cyan")
        self.say(f"\n{stop}")
