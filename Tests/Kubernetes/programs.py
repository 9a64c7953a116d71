"""The programs of a Kubernetes node, built from Debian's source package `kubernetes`: Debian 12 has the binaries of etcd,
containerd, runc and the CNI plugins, and of Kubernetes itself kubectl's alone.

Needs scripts/setup.sh kubernetes. About five minutes on two processors, once.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from bed import Failure, expect

#: where Debian's golang-1.19 is; Kubernetes 1.20 is built by newer ones with changes only
GO = Path("/usr/lib/go-1.19/bin")
BUILT = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl")
FROM_DEBIAN = ("etcd", "containerd", "ctr", "runc", "dnsmasq", "iptables", "conntrack", "ip", "nsenter", "unshare", "busybox")
PLUGINS = Path("/usr/lib/cni")
#: what definitions are made for beside the packages that ask for it
ALWAYS_DEFINED = ("apis/meta/v1", "runtime", "version", "util/intstr", "api/resource")


def check_debian():
    """That what Debian has is installed."""
    missing = [name for name in FROM_DEBIAN if shutil.which(name) is None]
    missing += [str(PLUGINS / name) for name in ("ptp", "portmap", "host-local") if not (PLUGINS / name).exists()]
    expect(not missing, f"not installed: {', '.join(missing)}; scripts/setup.sh kubernetes installs what is missing")


def build(directory, say):
    """Makes what is missing in the directory's `bin`."""
    check_debian()
    binaries = directory / "bin"
    missing = [name for name in BUILT if not (binaries / name).exists()]
    if not missing:
        return
    expect((GO / "go").exists(), f"there is no {GO}/go; scripts/setup.sh kubernetes installs it")
    binaries.mkdir(parents=True, exist_ok=True)
    # A tree of before there were modules: everything it needs is in it.
    tree = directory / "go/src/k8s.io/kubernetes"
    environment = {
        **os.environ, "PATH": f"{GO}:{os.environ['PATH']}", "GOPATH": str(directory / "go"),
        "GOCACHE": str(directory / "gocache"), "GO111MODULE": "off", "GOFLAGS": ""}
    unpack(directory, tree, say)
    if not (tree / "pkg/generated/openapi/zz_generated.openapi.go").exists():
        say("generating the definitions of the API")
        define(directory, tree, environment)
    for name in missing:
        say(f"building {name}")
        # Under another name until it is whole.
        run(["go", "build", "-ldflags", " ".join(version_flags(directory)), "-o", binaries / f"{name}.new", f"./cmd/{name}"],
            cwd=tree, env=environment)
        (binaries / f"{name}.new").rename(binaries / name)


def unpack(directory, tree, say):
    """Debian's original source, fetched with its signature and checksums by apt; the host's package lists stay as they are."""
    if (tree / "cmd/kubelet").exists():
        return
    source = directory / "src"
    source.mkdir(parents=True, exist_ok=True)
    if not list(source.glob("kubernetes_*.orig.tar.gz")):
        say("fetching Debian's source package")
        parts = directory / "lists"
        (parts / "partial").mkdir(parents=True, exist_ok=True)
        write_source_entries(directory / "sources.d")
        apt = ["apt-get", "-o", "Dir::Etc::sourcelist=/dev/null", "-o", f"Dir::Etc::sourceparts={directory}/sources.d",
               "-o", f"Dir::State::Lists={parts}", "-o", "APT::Sandbox::User=root"]
        run([*apt, "update"])
        run([*apt, "source", "--download-only", "kubernetes"], cwd=source)
    archive = next(source.glob("kubernetes_*.orig.tar.gz"))
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    run(["tar", "xf", archive, "--strip-components=1", "-C", tree])


def write_source_entries(target):
    """The host's own entries of packages, as entries of sources."""
    target.mkdir(exist_ok=True)
    here = Path("/etc/apt")
    for path in [here / "sources.list", *here.glob("sources.list.d/*")]:
        if path.suffix not in (".list", ".sources") or not path.exists():
            continue
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"(?m)^Types:.*$", "Types: deb-src", text) if path.suffix == ".sources" else re.sub(r"(?m)^deb ", "deb-src ", text)
        (target / path.name).write_text(text, encoding="utf-8")


def version_flags(directory):
    """What the programs say of themselves, by which clients go."""
    archive = next((directory / "src").glob("*.orig.tar.gz")).name  # kubernetes_1.20.5+really1.20.2.orig.tar.gz
    major, minor, patch = re.findall(r"(\d+)\.(\d+)\.(\d+)", archive)[-1]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        for name, value in (("gitMajor", major), ("gitMinor", minor), ("gitVersion", f"v{major}.{minor}.{patch}")):
            yield f"-X k8s.io/kubernetes/vendor/{package}.{name}={value}"


def define(directory, tree, environment):
    """Generates what `make` would before it compiles: the OpenAPI definitions, which the source package doesn't have."""
    generator = directory / "bin/openapi-gen"
    run(["go", "build", "-o", generator, "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"], cwd=tree, env=environment)
    staging = "k8s.io/kubernetes/vendor/"
    packages = {f"{staging}k8s.io/apimachinery/pkg/{name}" for name in ALWAYS_DEFINED}
    for top, prefix in (("staging/src/k8s.io", staging + "k8s.io/"), ("pkg", "k8s.io/kubernetes/pkg/")):
        for path in (tree / top).rglob("*.go"):
            inside = path.relative_to(tree / top)
            if path.name.endswith("_test.go") or inside.parts[0] in ("code-generator", "sample-apiserver", "generated"):
                continue
            if "+k8s:openapi-gen=" in path.read_text(encoding="utf-8"):
                packages.add(prefix + str(inside.parent))
    run([generator, "--logtostderr", "-i", ",".join(sorted(packages)), "-p", "k8s.io/kubernetes/pkg/generated/openapi",
         "-O", "zz_generated.openapi", "-h", "hack/boilerplate/boilerplate.generatego.txt",
         "-r", directory / "violations", "-o", directory / "go/src"], cwd=tree, env=environment)


def run(words, **more):
    words = [str(word) for word in words]
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, **more)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)[:300]} ended with {done.returncode}: {(done.stdout + done.stderr)[-3000:]}")
