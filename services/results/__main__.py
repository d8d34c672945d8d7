"""Entry point: ``python -m services.results``."""

from services.results.app import running
from services.results.settings import ResultsSettings
from shared.runtime.service import main

if __name__ == "__main__":
    main("results", ResultsSettings, running)
