#!/usr/bin/env python3
"""What `escale kube generate` writes, by the tools that will read it: every compose file of Tests/Golden/kubernetes, with all options
that change what objects there are, by the schemas; a chart whose templates have to give the same objects as the plain manifests; a
kustomization, by kubectl; an overlay, which has to give what both compose files give together.

usage: generated.py [--only PATTERN]      with the Python of .build/python, after cluster.py build

Needs neither a cluster nor root. Prints each deviation; exit code 1 if there is any.
"""

import argparse
import difflib
import json
import os
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "Images")]

import yaml  # noqa: E402, the path is set above
from bed import BINARIES, ROOT, Failure, expect  # noqa: E402
from cluster import Cluster  # noqa: E402
from programs import GO, run  # noqa: E402
from schemas import EXTERNAL, check  # noqa: E402

GOLDEN = HERE.parent / "Golden" / "kubernetes"
#: options, by what they are about; what they refer to is there already
VARIANTS = {
    "plain": [],
    "with secrets": ["--secrets", "values"],
    "by gateway": ["--routes", "gateway", "--gateway", "infra/public", "--secrets", "external", "--secret-store", "vault",
                   "--strategies", "argo"],
    "by node ports": ["--publish", "nodeport", "--registry", "registry.example.org/team", "--pull-secret", "pull",
                      "--storage-class", "fast", "-n", "elsewhere"],
    "by load balancers": ["--publish", "loadbalancer", "--secrets", "values"],
}
#: projects with files that an environment adds: the example, and what its files are
OVERLAYS = {"student-list": "compose.prod.yaml", "todo": "compose.prod.yaml"}
MOST = 25


def generate(directory, *words):
    done = subprocess.run([BINARIES / "escale", *words], cwd=directory, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=60, env={**os.environ, "ESCALE_ROOT": "/nonexistent"})
    expect(done.returncode == 0, f"escale {' '.join(words)} ended with {done.returncode}: {done.stderr[-1500:]}")
    return done.stdout


class Loader(yaml.SafeLoader):
    """Reads a lone = or << as Kubernetes does: as text."""


for tag in ("value", "merge"):
    Loader.add_constructor(f"tag:yaml.org,2002:{tag}", Loader.construct_yaml_str)


def objects(text):
    return [document for document in yaml.load_all(text, Loader) if document]


def valid(directory):
    for name, options in VARIANTS.items():
        documents = objects(generate(directory, "kube", "generate", *options))
        for problem in check(documents, external=EXTERNAL | {"pull"}):
            yield f"{name}: {problem}"


def same_json(directory):
    plain = objects(generate(directory, "kube", "generate"))
    other = json.loads(generate(directory, "kube", "generate", "--format", "json"))
    yield from differences("as JSON", other.get("items", other), plain)


def chart(directory, renderer):
    """The chart's objects are the plain ones, but for namespaces, which are Helm's business, and the names of jobs."""
    with tempfile.TemporaryDirectory() as scratch:
        generate(directory, "kube", "generate", "--format", "helm", "--output", f"{scratch}/chart/")
        files = Path(scratch) / "chart"
        values = yaml.safe_load((files / "values.yaml").read_text(encoding="utf-8")) or {}
        about = yaml.safe_load((files / "Chart.yaml").read_text(encoding="utf-8"))
        expect(about["apiVersion"] == "v2" and about["name"] and about["version"], f"Chart.yaml has {about}")
        templates = {path.name: path.read_text(encoding="utf-8") for path in (files / "templates").iterdir()}
    done = subprocess.run([renderer], input=json.dumps({"values": values, "templates": templates}), capture_output=True, text=True,
                          check=False, timeout=60)
    expect(done.returncode == 0, f"the chart can't be rendered: {done.stderr.strip()}")
    rendered = [one for text in json.loads(done.stdout).values() for one in objects(text)]
    yield from differences("as a chart", [without_release(one) for one in rendered], [without_release(one) for one in inside(directory)])


def inside(directory, *words):
    """The plain objects that are in the namespace, not the namespace itself."""
    return [one for one in objects(generate(directory, *words, "kube", "generate")) if one["kind"] != "Namespace"]


def without_release(document):
    document["metadata"].pop("namespace", None)
    if document["kind"] == "Job":
        document["metadata"]["name"] = document["metadata"]["name"].rpartition("-")[0]
    return document


def kustomization(directory, kubectl, overlay=None):
    with tempfile.TemporaryDirectory() as scratch:
        more = [] if overlay is None else ["--overlay", f"env={overlay}"]
        generate(directory, "kube", "generate", "--format", "kustomize", "--output", f"{scratch}/k/", *more)
        for file in Path(scratch).glob("k/overlays/*/kustomization.yaml"):
            by_older_names(file)
        done = subprocess.run([kubectl, "kustomize", f"{scratch}/k/{'base' if overlay is None else 'overlays/env'}"],
                              capture_output=True, text=True, check=False, timeout=60)
    expect(done.returncode == 0, f"kubectl kustomize: {done.stderr.strip()[-1500:]}")
    files = [] if overlay is None else ["-f", "compose.yaml", "-f", overlay]
    yield from differences("as a kustomization" if overlay is None else f"over {overlay}",
                           # What a patch deleted is an empty document to the older one.
                           [one for one in objects(done.stdout) if "kind" in one], inside(directory, *files))


def by_older_names(file):
    """The kustomize in kubectl 1.20 has other names for directories among the resources, and for patches; what they do is the same."""
    tree = yaml.load(file.read_text(encoding="utf-8"), Loader)
    tree["bases"] = [one for one in tree["resources"] if (file.parent / one).is_dir()]
    tree["resources"] = [one for one in tree["resources"] if one not in tree["bases"]]
    base = [one for path in file.parent.glob("../../base/*.yaml") for one in objects(path.read_text(encoding="utf-8"))]
    versions = {(one["kind"], one["metadata"]["name"]): one["apiVersion"] for one in base if "metadata" in one}
    tree["patchesJson6902"], tree["patchesStrategicMerge"] = [], []
    for number, patch in enumerate(tree.pop("patches", [])):
        if "target" in patch:
            target = patch["target"]
            group, _, version = versions[target["kind"], target["name"]].rpartition("/")
            tree["patchesJson6902"].append({"target": {**target, "group": group, "version": version}, "path": patch["path"]})
        else:
            (file.parent / f"inline-{number}.yaml").write_text(patch["patch"], encoding="utf-8")
            tree["patchesStrategicMerge"].append(f"inline-{number}.yaml")
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")


def differences(what, found, wanted):
    def lines(documents):
        texts = [json.dumps(one, sort_keys=True, indent=1) for one in documents]
        return "\n".join(sorted(texts)).splitlines()

    told = list(difflib.unified_diff(lines(wanted), lines(found), "plain", what, lineterm="", n=2))
    if told:
        yield f"{what} there are other objects:\n" + "\n".join(f"    {line}" for line in told[:MOST])


def build_renderer(directory):
    """None where there is no Go."""
    if not (GO / "go").exists():
        return None
    renderer = directory / "bin/render"
    run([GO / "go", "build", "-o", renderer, HERE / "render.go"], cwd=HERE, env={
        **os.environ, "GOCACHE": str(directory / "gocache"), "GOPATH": str(directory / "go"), "GO111MODULE": "off", "GOFLAGS": ""})
    return renderer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="")
    only = parser.parse_args().only
    cluster = Cluster()
    renderer, kubectl = build_renderer(cluster.directory), cluster.directory / "bin/kubectl"
    expect(kubectl.exists(), "there is no kubectl: cluster.py build")
    checks = []
    for file in sorted(GOLDEN.glob("*/compose.yaml")):
        directory = file.parent
        checks += [(directory.name, valid, [directory]), (directory.name, same_json, [directory]),
                   (directory.name, kustomization, [directory, kubectl])]
        if renderer:
            checks.append((directory.name, chart, [directory, renderer]))
    for name, overlay in OVERLAYS.items():
        checks.append((f"examples/{name}", kustomization, [ROOT / "examples" / name, kubectl, overlay]))
    checks = [one for one in checks if re.search(only, one[0])]
    failed = 0
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for (name, _, _), problems in zip(checks, pool.map(take, checks)):
            for problem in problems:
                failed += 1
                print(f"{name}: {problem}", file=sys.stderr)
    if failed:
        return f"{failed} problems in what is generated"
    print(f"{len(checks)} checks of what is generated hold" + ("" if renderer else "; charts were not rendered: there is no Go"))
    return 0


def take(one):
    """The problems that a check finds."""
    _, work, arguments = one
    try:
        return list(work(*arguments))
    except (Failure, yaml.YAMLError) as failure:
        return [str(failure)]


if __name__ == "__main__":
    sys.exit(main())
