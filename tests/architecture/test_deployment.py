"""The deployment files name the services that exist, and run them as nobody special."""

import re
from pathlib import Path

import yaml

from services.ingress.api.server import IDLE_S

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVERS = {"rabbitmq", "redis", "postgres", "mongodb", "proxy"}
RUNNABLE = {
    path.parent.name for path in (ROOT / "services").glob("*/__main__.py") if path.parent.name != "cli"
}


def test_every_service_is_a_container_of_its_own() -> None:
    ours = {name: entry for name, entry in COMPOSE["services"].items() if name not in SERVERS}
    assert set(ours) == RUNNABLE | {"migrate"}
    for name in RUNNABLE:
        assert ours[name]["command"] == ["serve", name]


def test_only_the_worker_runs_the_image_with_litellm_and_holds_keys() -> None:
    workers = {name for name, entry in COMPOSE["services"].items() if entry["image"] == "penstock/worker"}
    with_keys = {name for name, entry in COMPOSE["services"].items() if "env_file" in entry}
    assert workers == with_keys == {"provider_worker"}


def test_only_the_proxy_is_reachable_from_outside() -> None:
    assert {name for name, entry in COMPOSE["services"].items() if "ports" in entry} == {"proxy"}


def test_the_proxy_closes_idle_connections_before_ingress_does() -> None:
    (idle_s,) = re.findall(r"keepalive_timeout (\d+)s;", (ROOT / "deploy/nginx/nginx.conf").read_text())
    assert int(idle_s) < IDLE_S


def test_containers_are_not_privileged() -> None:
    for name in RUNNABLE:
        entry = COMPOSE["services"][name]
        assert entry["cap_drop"] == ["ALL"]
        assert entry["read_only"] is True
    dockerfile = (ROOT / "deploy" / "Dockerfile").read_text()
    stages = dockerfile.split("\nFROM ")
    for stage in stages:
        if stage.split()[-1] == "" or " AS service\n" in stage or " AS worker\n" in stage:
            assert [line for line in stage.splitlines() if line.startswith("USER")][-1] == "USER penstock"


def test_scrape_targets_are_the_services() -> None:
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    names = prometheus["scrape_configs"][0]["dns_sd_configs"][0]["names"]
    assert set(names) == RUNNABLE


def test_files_with_secrets_are_not_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    keys = COMPOSE["services"]["provider_worker"]["env_file"]
    assert {".env", ".penstock/", *(entry["path"] for entry in keys)} <= set(ignored)


def test_the_sample_configuration_is_whole_when_its_comments_are_opened() -> None:
    lines = (ROOT / "deploy" / "config" / "penstock.yaml").read_text().splitlines()
    opened = yaml.safe_load("\n".join(line.replace("# ", "", 1) for line in lines[2:]))
    assert set(opened) == {"providers", "models"}
    assert set(opened["providers"]) == {"simulator", "openai"}
