#!/usr/bin/env python3
"""The manifests in Tests/Golden/kubernetes, by the schemas of the current Kubernetes version.

usage: schemas.py, with kubernetes-validate from PyPI

No field may be unknown. What Kubernetes itself has no schema for is checked by those in schemas/. Beyond the schemas: names are
unique, selectors meet the pods that they are for, ports have names of their own, and all that an object refers to is there: every
ConfigMap, claim and account that a pod uses, the Services of routes, the ports of Services and of probes, what is scaled. The checks
themselves have to find a mistake of each kind.
"""

import copy
import json
import re
import sys
from pathlib import Path

import kubernetes_validate
import yaml
from jsonschema import Draft7Validator

HERE = Path(__file__).resolve().parent
GOLDEN = HERE.parent / "Golden" / "kubernetes"
OWN = {path.stem: Draft7Validator(json.loads(path.read_text(encoding="utf-8"))) for path in (HERE / "schemas").glob("*.json")}
VERSION = kubernetes_validate.latest_version()
#: what the files say is there already
EXTERNAL = {"legacy-data", "uploads", "tenant-config", "company-vault"}
NAME = re.compile(r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")


def problems_of(document):
    """What is wrong with one object, by its schema."""
    if own := OWN.get(document.get("kind")):
        return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in own.iter_errors(document)]
    try:
        kubernetes_validate.validate(document, VERSION, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    except kubernetes_validate.SchemaNotFoundError as error:
        return [f"there is no schema: {error}"]
    return []


def pods_of(document):
    """Templates of pods, and the selector that has to meet them."""
    spec = document.get("spec") or {}
    if document["kind"] in ("Deployment", "StatefulSet", "DaemonSet", "Rollout"):
        yield spec["template"], spec["selector"]["matchLabels"]
    elif document["kind"] == "Job":
        yield spec["template"], {}
    elif document["kind"] == "CronJob":
        yield spec["jobTemplate"]["spec"]["template"], {}


def references_of(pod):
    """Kind and name of what a pod can't start without, but for Secrets, which are made apart."""
    yield "ServiceAccount", pod["serviceAccountName"]
    for volume in pod.get("volumes", []):
        if "configMap" in volume:
            yield "ConfigMap", volume["configMap"]["name"]
        if "persistentVolumeClaim" in volume:
            yield "PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]


def all_of(tree, key):
    """Every value of the key, wherever it is in a tree."""
    if isinstance(tree, dict):
        if key in tree:
            yield tree[key]
        tree = tree.values()
    elif not isinstance(tree, list):
        return
    for one in tree:
        yield from all_of(one, key)


def keys_of(documents):
    """The keys of all ConfigMaps and Secrets, by kind and name; of a Secret that is fetched, those that it will have."""
    found = {}
    for document in documents:
        name = document["metadata"]["name"]
        if document["kind"] in ("ConfigMap", "Secret"):
            found[document["kind"], name] = {key for part in ("data", "binaryData", "stringData") for key in document.get(part) or {}}
        elif document["kind"] == "ExternalSecret":
            target = document["spec"].get("target", {}).get("name", name)
            found["Secret", target] = {one["secretKey"] for one in document["spec"].get("data", [])}
    return found


def missing_keys(pod, keys):
    """Kind, name and key of what a pod takes out of a ConfigMap or Secret that is there, and has no such key."""
    taken = [("ConfigMap", one) for one in all_of(pod, "configMapKeyRef")] + [("Secret", one) for one in all_of(pod, "secretKeyRef")]
    for kind, source in [("ConfigMap", one) for one in all_of(pod, "configMap")] + [("Secret", one) for one in all_of(pod, "secret")]:
        name = source.get("name", source.get("secretName"))
        taken += [(kind, {"name": name, "key": item["key"]}) for item in source.get("items", [])]
    for kind, one in taken:
        if (kind, one["name"]) in keys and one["key"] not in keys[kind, one["name"]]:
            yield f"{kind}/{one['name']}/{one['key']}"


def dangling(document, documents, templates):
    """What an object other than a pod refers to, and isn't there."""
    services = {one["metadata"]["name"]: one["spec"].get("ports", []) for one in documents if one["kind"] == "Service"}
    spec = document.get("spec") or {}
    if document["kind"] == "Ingress":
        for backend in all_of(spec, "service"):
            port = backend["port"]
            if not any(port.get("number") == one["port"] or port.get("name") == one.get("name") for one in services.get(backend["name"], [])):
                yield f"Service/{backend['name']} with port {port}"
    elif document["kind"] == "HTTPRoute":
        for backends in all_of(spec, "backendRefs"):
            for backend in backends:
                if backend["port"] not in [one["port"] for one in services.get(backend["name"], [])]:
                    yield f"Service/{backend['name']} with port {backend['port']}"
    elif document["kind"] == "HorizontalPodAutoscaler":
        target = spec["scaleTargetRef"]
        if (target["kind"], target["name"]) not in {(one["kind"], one["metadata"]["name"]) for one in documents}:
            yield f"{target['kind']}/{target['name']}"
    elif document["kind"] == "Service" and spec.get("selector"):
        named = {port.get("name") for template in templates if spec["selector"].items() <= template["metadata"]["labels"].items()
                 for ports in all_of(template["spec"], "ports") for port in ports}
        for port in spec.get("ports", []):
            if isinstance(port.get("targetPort"), str) and port["targetPort"] not in named:
                yield f"port {port['targetPort']} of its pods"


def check(documents, external=()):
    """What is wrong with all objects of a project; `external` are names that are there already."""
    found = []
    there = {(document["kind"], document["metadata"]["name"]) for document in documents}
    if len(there) != len(documents):
        found.append("two objects of a kind have one name")
    templates = [template for document in documents for template, _ in pods_of(document)]
    keys = keys_of(documents)
    for document in documents:
        title = f"{document['kind']}/{document['metadata']['name']}"
        found += [f"{title}: {problem}" for problem in problems_of(document)]
        if not NAME.match(document["metadata"]["name"]):
            found.append(f"{title}: its name is none")
        for template, selector in pods_of(document):
            labels, pod = template["metadata"]["labels"], template["spec"]
            if not selector.items() <= labels.items():
                found.append(f"{title}: its selector doesn't meet its pods")
            for reference in references_of(pod):
                if reference not in there and reference[1] not in external:
                    found.append(f"{title}: {'/'.join(reference)} isn't there")
            found += [f"{title}: there is no {missing}" for missing in missing_keys(pod, keys)]
            named = {port.get("name") for ports in all_of(pod, "ports") for port in ports}
            for probe in list(all_of(pod, "httpGet")) + list(all_of(pod, "tcpSocket")):
                if isinstance(probe["port"], str) and probe["port"] not in named:
                    found.append(f"{title}: a probe is of port {probe['port']}, which isn't there")
            volumes = [volume["name"] for volume in pod.get("volumes", [])]
            for container in pod["containers"] + pod.get("initContainers", []):
                mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
                if len(set(mounts)) != len(mounts):
                    found.append(f"{title}: two mounts of {container['name']} are at one place")
                if not {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes):
                    found.append(f"{title}: a mount of {container['name']} is of no volume")
        found += [f"{title}: there is no {missing}" for missing in dangling(document, documents, templates)]
        if document["kind"] in ("Service", "NetworkPolicy", "PodDisruptionBudget"):
            spec = document["spec"]
            selector = spec.get("selector") if document["kind"] == "Service" else (spec.get("podSelector") or spec.get("selector"))["matchLabels"]
            met = [template for template in templates if (selector or {}).items() <= template["metadata"]["labels"].items()]
            if selector and not met:
                found.append(f"{title}: its selector meets no pods")
            ports = {port["name"] for port in spec.get("ports", [])}
            if len(ports) != len(spec.get("ports", [])):
                found.append(f"{title}: two ports have one name")
    return found


def of(kind, name=None):
    return lambda documents: next(one for one in documents if one["kind"] == kind and name in (None, one["metadata"]["name"]))


def container(documents):
    return of("Deployment", "api")(documents)["spec"]["template"]["spec"]["containers"][0]


#: Changes of good manifests that each make one mistake, by the file that has them.
MISTAKES = {
    "shop/manifests.yaml": [
        lambda all: of("Deployment", "api")(all)["spec"].update(replica=3),
        lambda all: of("Deployment", "api")(all)["spec"].update(replicas="three"),
        lambda all: container(all).update(imagePullpolicy="Always"),
        lambda all: container(all).pop("name"),
        lambda all: of("Service", "api")(all)["spec"]["selector"].update({"app.kubernetes.io/name": "ap"}),
        lambda all: of("Deployment", "api")(all)["spec"]["selector"]["matchLabels"].update(x="y"),
        lambda all: all.remove(of("PersistentVolumeClaim", "db-data")(all)),
        lambda all: all.append(copy.deepcopy(of("Service", "api")(all))),
        lambda all: of("Service", "web")(all)["metadata"].update(name="Web_1"),
        lambda all: of("StatefulSet", "db")(all)["spec"]["template"]["spec"]["volumes"].pop(),
        lambda all: of("Service", "web")(all)["spec"]["ports"][0].update(targetPort="nothing"),
        lambda all: container(all).update(readinessProbe={"tcpSocket": {"port": "nothing"}}),
    ],
    "http/manifests.yaml": [lambda all: next(all_of(of("Ingress")(all), "service")).update(name="nobody")],
    "http/gateway.manifests.yaml": [lambda all: next(all_of(of("HTTPRoute")(all), "backendRefs"))[0].update(port=1)],
    "autoscale/manifests.yaml": [lambda all: of("HorizontalPodAutoscaler")(all)["spec"]["scaleTargetRef"].update(name="nobody")],
    "configs/manifests.yaml": [lambda all: of("ConfigMap")(all).update(data={})],
    "secrets/ports.manifests.yaml": [lambda all: of("Secret")(all).update(data={})],
}


def read(path):
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def mistakes():
    """Titles of the mistakes, and documents with one each."""
    for name, changes in MISTAKES.items():
        right = read(GOLDEN / name)
        for number, change in enumerate(changes, 1):
            documents = copy.deepcopy(right)
            change(documents)
            yield f"{number} in {name}", documents


def main():
    failures = []
    count = 0
    for path in sorted(GOLDEN.glob("*/*manifests.yaml")):
        documents = read(path)
        count += len(documents)
        failures += [f"{path.relative_to(GOLDEN)}: {problem}" for problem in check(documents, external=EXTERNAL)]
    known = list(mistakes())
    failures += [f"mistake {title} was not found" for title, documents in known if not check(documents, external=EXTERNAL)]
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        sys.exit(f"{len(failures)} problems in the manifests")
    print(f"{count} objects are valid in Kubernetes {VERSION}; {len(known)} mistakes are found")


if __name__ == "__main__":
    main()
