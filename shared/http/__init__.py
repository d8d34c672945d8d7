"""How answers look over HTTP."""
