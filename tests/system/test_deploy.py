"""The files in deploy/ for tools that are not here: they agree with the lists of services, ports and
settings. What can be run is run by test_fleet.py and test_prometheus.py."""
import os
import re
import subprocess

import yaml

from lib.quarry import ROOT, SERVICES

DEPLOY = ROOT / "deploy"
PORTS = {"gateway": 8080, "operation": 8081, "optimizer": 8082, "catalog": 8083, "monitoring": 8084,
         "interpreter": 8085, "tenant": 8000}
NAMES = {"gateway": "auth-gateway", "operation": "operation-node", "optimizer": "cbo-engine",
         "catalog": "metadata-catalog", "monitoring": "monitoring", "interpreter": "query-interpreter",
         "tenant": "tenant-node"}


def known_settings():
    text = (ROOT / "api/settings.def").read_text()
    return set(re.findall(r"^(?:TEXT|CHOICE|INT|REAL|BOOL)\((\w+)", text, re.M))


def check_settings(names):
    assert set(names) <= known_settings() | {"HEALTH_PORT"}, names


def check_addresses(text):
    listed = dict(entry.strip().split("=") for entry in text.split(","))
    assert listed == {kind: f"{NAMES[kind]}:{PORTS[kind]}" for kind in SERVICES}


def test_compose_files():
    base = yaml.safe_load((DEPLOY / "docker/docker-compose.yml").read_text())
    assert set(base["services"]) == set(NAMES.values())
    for kind, name in NAMES.items():
        one = base["services"][name]
        assert one["command"] == ["--services", kind]
        assert one["ports"] == [f"{PORTS[kind]}:{PORTS[kind]}"] and one["environment"]["HEALTH_PORT"] == str(PORTS[kind])
        check_settings(one["environment"])
        check_addresses(one["environment"]["SERVICE_ADDRESSES"])
    more = yaml.safe_load((DEPLOY / "docker/docker-compose.prod.yml").read_text())
    assert set(more["services"]) - set(base["services"]) == {"postgres", "redis", "nginx"}
    for name in set(more["services"]) & set(base["services"]):
        check_settings(more["services"][name]["environment"])


def test_compose_reads_them():
    docker = DEPLOY / "docker"
    for files, services in ((["docker-compose.yml"], 7), (["docker-compose.yml", "docker-compose.prod.yml"], 10)):
        command = ["docker-compose", *(word for file in files for word in ("-f", docker / file)), "config", "--services"]
        done = subprocess.run(command, env={**os.environ, "POSTGRES_PASSWORD": "x"}, stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=True)
        assert len(done.stdout.split()) == services


def test_dockerfile_takes_what_is_built():
    text = (DEPLOY / "docker/Dockerfile").read_text()
    for program in ("quarryd", "quarry", "quarry-sql-worker"):
        assert f"bin/{program}" in text
    assert "USER 10001" in text and "HEALTHCHECK" in text


def test_kubernetes_files():
    base = DEPLOY / "kubernetes/base"
    things = [thing for name in yaml.safe_load((base / "kustomization.yaml").read_text())["resources"]
              for thing in yaml.safe_load_all((base / name).read_text())]
    by_kind = {}
    for thing in things:
        by_kind.setdefault(thing["kind"], {})[thing["metadata"]["name"]] = thing
    check_settings(by_kind["ConfigMap"]["quarry"]["data"])
    check_addresses(by_kind["ConfigMap"]["quarry"]["data"]["SERVICE_ADDRESSES"])
    workloads = {**by_kind["Deployment"], **by_kind["StatefulSet"]}
    assert set(workloads) == set(by_kind["Service"]) == set(NAMES.values())
    for kind, name in NAMES.items():
        pod = workloads[name]["spec"]["template"]["spec"]
        container = pod["containers"][0]
        assert container["args"] == ["--services", kind] and pod["securityContext"]["runAsNonRoot"] is True
        for port in (container["ports"][0]["containerPort"], container["readinessProbe"]["httpGet"]["port"],
                     container["livenessProbe"]["httpGet"]["port"], by_kind["Service"][name]["spec"]["ports"][0]["port"]):
            assert port == PORTS[kind]
        volumes = {volume["name"] for volume in pod["volumes"]}
        volumes |= {claim["metadata"]["name"] for claim in workloads[name]["spec"].get("volumeClaimTemplates", [])}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes
    for overlay in ("dev", "staging", "prod"):
        folder = DEPLOY / "kubernetes/overlays" / overlay
        file = yaml.safe_load((folder / "kustomization.yaml").read_text())
        assert all((folder / resource).exists() for resource in file["resources"])
        for patch in file.get("patches", []):
            assert patch["target"]["name"] in {*workloads, "quarry"} and yaml.safe_load(patch["patch"])
        assert {one["name"] for one in file.get("replicas", [])} <= set(workloads)


def test_helm_chart():
    chart = DEPLOY / "helm/quarry"
    version = re.search(r"project\(quarry VERSION ([0-9.]+)", (ROOT / "CMakeLists.txt").read_text()).group(1)
    assert yaml.safe_load((chart / "Chart.yaml").read_text())["appVersion"] == version
    values = yaml.safe_load((chart / "values.yaml").read_text())
    check_settings(values["settings"])
    services = {**values["services"], "tenant": values["tenant"]}
    assert {kind: one["name"] for kind, one in services.items()} == NAMES
    assert {kind: one["port"] for kind, one in services.items()} == PORTS
    assert values["services"]["gateway"]["replicas"] == 1
    for template in (chart / "templates").iterdir():
        for path in re.findall(r"\.Values\.([\w.]+)", template.read_text()):
            value = values
            for name in path.split("."):
                assert name in value, (template.name, path)
                value = value[name]


def test_units():
    for unit, start in (("quarry.service", "/usr/bin/quarryd --config"), ("quarry@.service", "/usr/bin/quarryd --services %i")):
        text = (DEPLOY / "systemd" / unit).read_text()
        assert f"ExecStart={start}" in text and "Type=notify" in text and "KillMode=mixed" in text
