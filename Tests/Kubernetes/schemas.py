#!/usr/bin/env python3
"""The manifests in Tests/Golden/kubernetes, by the schemas of the current Kubernetes version.

usage: schemas.py, with kubernetes-validate from PyPI

No field may be unknown. What Kubernetes itself has no schema for is checked by those in schemas/. Beyond the schemas: names are
unique, selectors meet the pods that they are for, ports have names of their own, and every ConfigMap, claim and account that a pod
uses is there. The checks themselves have to find ten mistakes.
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


def check(documents, external=()):
    """What is wrong with all objects of a project; `external` are names that are there already."""
    found = []
    there = {(document["kind"], document["metadata"]["name"]) for document in documents}
    if len(there) != len(documents):
        found.append("two objects of a kind have one name")
    templates = [template for document in documents for template, _ in pods_of(document)]
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
            volumes = [volume["name"] for volume in pod.get("volumes", [])]
            for container in pod["containers"] + pod.get("initContainers", []):
                mounts = [mount["mountPath"] for mount in container.get("volumeMounts", [])]
                if len(set(mounts)) != len(mounts):
                    found.append(f"{title}: two mounts of {container['name']} are at one place")
                if not {mount["name"] for mount in container.get("volumeMounts", [])} <= set(volumes):
                    found.append(f"{title}: a mount of {container['name']} is of no volume")
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


def mistakes():
    """Documents with a mistake each: whoever checks has to find it."""
    text = (GOLDEN / "shop" / "manifests.yaml").read_text(encoding="utf-8")
    right = [document for document in yaml.safe_load_all(text) if document]

    def of(kind, name):
        return lambda documents: next(d for d in documents if d["kind"] == kind and d["metadata"]["name"] == name)

    def container(documents):
        return of("Deployment", "api")(documents)["spec"]["template"]["spec"]["containers"][0]

    changes = [
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
    ]
    for number, change in enumerate(changes, 1):
        documents = copy.deepcopy(right)
        change(documents)
        yield number, documents


def main():
    failures = []
    count = 0
    for path in sorted(GOLDEN.glob("*/*manifests.yaml")):
        documents = [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]
        count += len(documents)
        failures += [f"{path.relative_to(GOLDEN)}: {problem}" for problem in check(documents, external=EXTERNAL)]
    for number, documents in mistakes():
        if not check(documents):
            failures.append(f"mistake {number} was not found")
    for failure in failures:
        print(failure, file=sys.stderr)
    if failures:
        sys.exit(f"{len(failures)} problems in the manifests")
    print(f"{count} objects are valid in Kubernetes {VERSION}; 10 mistakes are found")


main()
