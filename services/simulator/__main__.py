"""Entry point: ``python -m services.simulator``."""

from services.simulator.app import running
from services.simulator.settings import SimulatorSettings
from shared.runtime.service import main

if __name__ == "__main__":
    main("simulator", SimulatorSettings, running)
