"""Entry point: ``python -m services.ingress``."""

from services.ingress.app import running
from services.ingress.settings import IngressSettings
from shared.runtime.service import main

if __name__ == "__main__":
    main("ingress", IngressSettings, running)
