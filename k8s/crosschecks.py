"""What the API server's schemas cannot see: whether the resources of one overlay fit each other.

Every check takes a `Manifest` and gives back one sentence for each problem. None reads a file, runs a program or asks a cluster.
"""

import re
import tomllib
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

# The tables and keys that `cloud-gateway serve` accepts; it refuses any other. validate.py compares them with its source.
GATEWAY_KEYS = {
    "http": {"listen", "dashboard_dir", "public_url", "requests_per_minute", "trusted_proxies", "allowed_origins"},
    "auth": {"second_factor_required"},
    "review": {"second_read_share"},
    "database": {"url"},
    "objects": {"dir"},
    "mqtt": {"host", "port", "ca", "certificate", "key", "group"},
    "redis": {"url", "password_file", "ca"},
    "identity": {"hpke_key"},
    "ca": {"certificate", "key", "certificate_days", "crl", "crl_days"},
    "est": {"listen", "public_url", "certificate", "key", "authorities"},
    "log": {"format", "level"},
}
# Without `auth` and `review` the gateway takes their defaults. `ca` signs new devices' certificates: only the gateway that takes
# devices in needs it, and no pod may hold that key.
GATEWAY_TABLES_NEEDED = set(GATEWAY_KEYS) - {"ca", "est", "redis", "auth", "review"}
GATEWAY_CONFIG = "/etc/hilum/gateway.toml"


@dataclass(frozen=True)
class Workload:
    """Anything that makes pods: a Deployment, a Job."""

    name: str
    kind: str
    spec: dict
    labels: dict

    @property
    def pod(self):
        return self.spec["template"]["spec"]

    @property
    def containers(self):
        return self.pod.get("initContainers", []) + self.pod["containers"]


class Manifest:
    """The resources of one overlay, and the Secrets that somebody else brings."""

    def __init__(self, resources, secrets, version):
        self.resources = resources
        self.secrets = secrets
        self.version = version

    def of(self, kind):
        return [resource for resource in self.resources if resource["kind"] == kind]

    def named(self, kind, name):
        return next((resource for resource in self.of(kind) if resource["metadata"]["name"] == name), None)

    def workloads(self):
        for resource in self.resources:
            spec = resource.get("spec") or {}
            if resource["kind"] == "CronJob":
                spec = spec["jobTemplate"]["spec"]
            if "template" in spec:
                labels = spec["template"]["metadata"].get("labels", {})
                yield Workload(resource["metadata"]["name"], resource["kind"], spec, labels)


def matches(selector, labels):
    """Whether a `matchLabels` selector takes these labels; an empty one takes all."""
    wanted = (selector or {}).get("matchLabels", {})
    return all(labels.get(key) == value for key, value in wanted.items())


def selectors(manifest):
    """A Deployment's selector takes its own pods; the API server refuses it otherwise."""
    for work in manifest.workloads():
        if work.kind == "Deployment" and not matches(work.spec["selector"], work.labels):
            yield f"Deployment {work.name}: its selector does not match its own pods' labels {work.labels}"
        strategy = work.spec.get("strategy", {})
        if strategy.get("type") == "Recreate" and "rollingUpdate" in strategy:
            yield f"Deployment {work.name}: strategy Recreate cannot have rollingUpdate"


def targets(manifest):
    """Services, disruption budgets and network policies point at pods that exist, and Services at ports that they have."""
    works = list(manifest.workloads())
    for service in manifest.of("Service"):
        name, spec = service["metadata"]["name"], service["spec"]
        behind = [work for work in works if matches({"matchLabels": spec["selector"]}, work.labels)]
        if not behind:
            yield f"Service {name}: no pod has the labels {spec['selector']}"
        for port in spec["ports"]:
            wanted = port.get("targetPort", port["port"])
            yield from (f"Service {name}: pods of {work.name} have no port {wanted}"
                        for work in behind if wanted not in ports(work))
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        for resource in manifest.of(kind):
            if not any(matches(resource["spec"][key], work.labels) for work in works):
                yield f"{kind} {resource['metadata']['name']}: no pod has the labels that it selects"


def ports(work):
    """Names and numbers of a pod's ports."""
    every = [port for container in work.containers for port in container.get("ports", [])]
    return {port["containerPort"] for port in every} | {port["name"] for port in every if "name" in port}


def policies(manifest):
    """A default-deny exists, every pod is under a policy in both directions, and no policy opens a way to everything."""
    rules = manifest.of("NetworkPolicy")
    if not any(is_default_deny(rule["spec"]) for rule in rules):
        yield "no NetworkPolicy selects every pod and denies both directions"
    for work in manifest.workloads():
        mine = [rule["spec"] for rule in rules if matches(rule["spec"]["podSelector"], work.labels)]
        for direction in ("Ingress", "Egress"):
            if not any(direction in spec["policyTypes"] for spec in mine):
                yield f"{work.kind} {work.name}: no NetworkPolicy covers its {direction.lower()}"
    for rule in rules:
        for flow in rule["spec"].get("ingress", []) + rule["spec"].get("egress", []):
            if not (flow.get("from") or flow.get("to")) or not flow.get("ports"):
                yield f"NetworkPolicy {rule['metadata']['name']}: a rule names no peer or no port, and so allows them all"


def is_default_deny(spec):
    return not spec["podSelector"] and set(spec["policyTypes"]) == {"Ingress", "Egress"} \
        and not spec.get("ingress") and not spec.get("egress")


def images(manifest):
    """Every image is pinned, by digest or by the version that Cargo.toml gives."""
    for work in manifest.workloads():
        for container in work.containers:
            image = container["image"]
            tag = re.search(r":([^/:@]+)(@|$)", image)
            if re.search(r"@sha256:[0-9a-f]{64}$", image):
                continue
            if tag is None or tag[1] == "latest":
                yield f"{work.name}: image {image} is not pinned by a tag or digest"
            elif image[:tag.start()].endswith("/cloud-gateway") and tag[1] != manifest.version:
                yield f"{work.name}: image {image} is not version {manifest.version}, Cargo.toml's version"


def restricted(manifest):
    """Pods keep Pod Security's "restricted" level, with a read-only root, limits and no token; namespaces enforce it."""
    for namespace in manifest.of("Namespace"):
        if namespace["metadata"].get("labels", {}).get("pod-security.kubernetes.io/enforce") != "restricted":
            yield f"Namespace {namespace['metadata']['name']}: does not enforce Pod Security \"restricted\""
    for work in manifest.workloads():
        security = work.pod.get("securityContext", {})
        if security.get("runAsNonRoot") is not True or security.get("runAsUser", 0) == 0:
            yield f"{work.name}: may run as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{work.name}: no seccomp profile RuntimeDefault"
        account = manifest.named("ServiceAccount", work.pod.get("serviceAccountName", ""))
        if account is None:
            yield f"{work.name}: its ServiceAccount is not in this overlay"
        if work.pod.get("automountServiceAccountToken") is not False:
            yield f"{work.name}: mounts a token for the API server"
        for container in work.containers:
            yield from (f"{work.name}/{container['name']}: {problem}" for problem in unconfined(container))


def unconfined(container):
    security = container.get("securityContext", {})
    if security.get("allowPrivilegeEscalation") is not False:
        yield "may gain privileges"
    if security.get("readOnlyRootFilesystem") is not True:
        yield "its root file system is writable"
    if security.get("capabilities", {}).get("drop") != ["ALL"] or security.get("capabilities", {}).get("add"):
        yield "does not drop all capabilities"
    for bound in ("requests", "limits"):
        if not {"cpu", "memory"} <= set(container.get("resources", {}).get(bound, {})):
            yield f"has no {bound} for cpu and memory"


def probes(manifest):
    """A Deployment's containers are asked whether they started, live and are ready, on a port that they have."""
    wanted = {"startupProbe": "/health/live", "livenessProbe": "/health/live", "readinessProbe": "/health/ready"}
    for work in manifest.workloads():
        for container in work.containers if work.kind == "Deployment" else []:
            for probe, path in wanted.items():
                get = container.get(probe, {}).get("httpGet", {})
                if get.get("path") != path or get.get("port") not in ports(work):
                    yield f"{work.name}/{container['name']}: {probe} does not ask {path} on one of its ports"


def references(manifest):
    """Every ConfigMap, Secret, key and claim that a pod names exists here or is listed as brought from outside."""
    for work in manifest.workloads():
        volumes = {volume["name"]: volume for volume in work.pod.get("volumes", [])}
        mounted = {mount["name"] for container in work.containers for mount in container.get("volumeMounts", [])}
        for name in mounted - set(volumes):
            yield f"{work.name}: mounts {name}, which is no volume of its pod"
        for name in set(volumes) - mounted:
            yield f"{work.name}: no container mounts its volume {name}"
        for kind, name, key in wanted_keys(work):
            if key not in keys_of(manifest, kind, name):
                yield f"{work.name}: {kind} {name} has no key {key}"
        for volume in volumes.values():
            claim = volume.get("persistentVolumeClaim", {}).get("claimName")
            if claim and manifest.named("PersistentVolumeClaim", claim) is None:
                yield f"{work.name}: PersistentVolumeClaim {claim} is not in this overlay"


def keys_of(manifest, kind, name):
    if kind == "Secret":
        return set(manifest.secrets.get(name, {}).get("keys", {}))
    found = manifest.named("ConfigMap", name)
    return set(found.get("data", {})) if found else set()


def wanted_keys(work):
    """(kind, name, key) of everything that a pod reads from a ConfigMap or Secret."""
    for container in work.containers:
        for entry in container.get("env", []):
            source = entry.get("valueFrom", {})
            for field, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
                if field in source:
                    yield kind, source[field]["name"], source[field]["key"]
    for volume, kind, source in file_sources(work):
        items = [item["key"] for item in source.get("items", [])]
        subpaths = [mount["subPath"] for container in work.containers for mount in container.get("volumeMounts", [])
                    if mount["name"] == volume and "subPath" in mount]
        for key in items or subpaths or ["(none named: list its items)"]:
            yield kind, source.get("secretName") or source["name"], key


def file_sources(work):
    for volume in work.pod.get("volumes", []):
        for field, kind in (("secret", "Secret"), ("configMap", "ConfigMap")):
            if field in volume:
                yield volume["name"], kind, volume[field]


def no_secret_in_git(manifest):
    """Secrets are referred to; their values are elsewhere."""
    for secret in manifest.of("Secret"):
        yield f"Secret {secret['metadata']['name']}: its values would be in git"
    for config in manifest.of("ConfigMap"):
        for key, text in config.get("data", {}).items():
            if "PRIVATE KEY" in text or re.search(r"://[^/\s:@]+:[^/\s@]+@", text):
                yield f"ConfigMap {config['metadata']['name']}: {key} holds a password or a private key"


def gateway_config(manifest):
    """gateway.toml has the gateway's keys only, names files that its pod mounts, and ports that its policies allow."""
    for work in manifest.workloads():
        name = next((source["name"] for volume, kind, source in file_sources(work) if kind == "ConfigMap"), None)
        found = manifest.named("ConfigMap", name) if name else None
        if found is None or "gateway.toml" not in found.get("data", {}):
            yield f"{work.name}: no gateway.toml is mounted"
            continue
        try:
            config = tomllib.loads(found["data"]["gateway.toml"])
        except tomllib.TOMLDecodeError as error:
            yield f"{name}: gateway.toml is not TOML: {error}"
            continue
        yield from (f"{name}: {problem}" for problem in unknown_keys(config))
        yield from (f"{work.name}: {problem}" for problem in unmounted(work, config))
        if work.kind == "Deployment":
            yield from (f"{work.name}: {problem}" for problem in unreachable(manifest, work, config))


def unknown_keys(config):
    for table, entries in config.items():
        for key in set(entries) - GATEWAY_KEYS.get(table, set()):
            yield f"the gateway knows no key {table}.{key}"
    for table in GATEWAY_TABLES_NEEDED - set(config):
        yield f"gateway.toml has no table [{table}]"


def unmounted(work, config):
    """A pod mounts what its subcommand opens: `migrate` only the database, `serve` everything."""
    url = urlsplit(config.get("database", {}).get("url", ""))
    paths = [url.path] if url.scheme == "sqlite" else parse_qs(url.query).get("sslrootcert", [])
    if work.kind == "Deployment":
        mqtt = config.get("mqtt", {})
        paths += [mqtt.get(key) for key in ("ca", "certificate", "key")]
        paths += [config.get("redis", {}).get(key) for key in ("password_file", "ca")]
        paths += [config.get("identity", {}).get("hpke_key"), config.get("objects", {}).get("dir")]
    files = set(mounted_files(work))
    for path in filter(None, paths):
        if not any(path == file or (file.endswith("/") and f"{path}/".startswith(file)) for file in files):
            yield f"gateway.toml names {path}, which no volume of the pod brings"
    for container in work.containers:
        if GATEWAY_CONFIG not in container.get("args", []):
            yield f"{container['name']} is not told --config {GATEWAY_CONFIG}"


def mounted_files(work):
    """Paths of files that volumes bring; a folder that a pod may fill itself ends in a slash."""
    sources = {volume: source for volume, _, source in file_sources(work)}
    for container in work.containers:
        for mount in container.get("volumeMounts", []):
            source = sources.get(mount["name"])
            if source is None:
                yield mount["mountPath"] + "/"
            elif "subPath" in mount:
                yield mount["mountPath"]
            else:
                yield from (f"{mount['mountPath']}/{item['path']}" for item in source.get("items", []))


def unreachable(manifest, work, config):
    listen = int(config["http"]["listen"].rsplit(":", 1)[1])
    if listen not in ports(work):
        yield f"gateway.toml listens on {listen}, which is no port of the pod"
    url = urlsplit(config["database"]["url"])
    peers = [("broker", config["mqtt"]["host"], config["mqtt"]["port"])]
    if url.scheme != "sqlite":
        peers.append(("database", url.hostname, url.port or 5432))
    if "redis" in config:
        redis = urlsplit(config["redis"]["url"])
        peers.append(("Redis", redis.hostname, redis.port or 6379))
    for what, host, port in peers:
        namespace = host.split(".")[1] if host.count(".") else manifest.of("Namespace")[0]["metadata"]["name"]
        if (namespace, port) not in set(outward(manifest, work)):
            yield f"no NetworkPolicy lets it reach its {what} at {host}:{port}"


def outward(manifest, work):
    """(namespace, port) of every flow that a pod may open."""
    for rule in manifest.of("NetworkPolicy"):
        if matches(rule["spec"]["podSelector"], work.labels):
            for flow in rule["spec"].get("egress", []):
                for peer in flow.get("to", []):
                    name = peer.get("namespaceSelector", {}).get("matchLabels", {}).get("kubernetes.io/metadata.name")
                    yield from ((name, port["port"]) for port in flow.get("ports", []))


CHECKS = [
    ("selectors match their own pods", selectors),
    ("services, budgets and policies have their pods and ports", targets),
    ("network policies cover every pod, both ways", policies),
    ("images are pinned to this version", images),
    ("pods keep to \"restricted\", read-only, bounded, without a token", restricted),
    ("deployments have all three probes", probes),
    ("mounted ConfigMaps, Secrets, keys and claims exist or are listed", references),
    ("no secret is in git", no_secret_in_git),
    ("gateway.toml fits the gateway, its mounts and its flows", gateway_config),
]
