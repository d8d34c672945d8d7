from tests.support.store import app, jobs, migrated_url, system

__all__ = ["app", "jobs", "migrated_url", "system"]
