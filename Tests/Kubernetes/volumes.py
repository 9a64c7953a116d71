"""Volumes for claims, as a cluster's storage makes them: a directory that is root's, of a kind that the kubelet changes the group of
where a pod asks for it. They go with their claims."""

import shutil
import time

PROVISIONER = "escale.test/directories"
CLASS = {
    "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "provisioner": PROVISIONER,
    "metadata": {"name": "directories", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}}


def volume(claim, path):
    metadata, spec = claim["metadata"], claim["spec"]
    return {
        "apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": path.name},
        "spec": {
            "capacity": spec["resources"]["requests"], "accessModes": spec["accessModes"], "storageClassName": spec["storageClassName"],
            "persistentVolumeReclaimPolicy": "Retain", "local": {"path": str(path)},
            "claimRef": {"namespace": metadata["namespace"], "name": metadata["name"], "uid": metadata["uid"]},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [
                {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["node"]}]}]}}}}


def keep(api, directory):
    """Never returns."""
    while True:
        try:
            serve(api, directory)
        except OSError:
            pass  # the API server has no time; the next round asks again
        time.sleep(0.25)


def serve(api, directory):
    there = {one["metadata"]["name"]: one for one in api.items("/api/v1/persistentvolumes")}
    for claim in api.items("/api/v1/persistentvolumeclaims"):
        path = directory / f"pvc-{claim['metadata']['uid']}"
        if claim["spec"].get("storageClassName") == CLASS["metadata"]["name"] and path.name not in there:
            path.mkdir(exist_ok=True)
            api.ask("/api/v1/persistentvolumes", volume(claim, path))
    for name, one in there.items():
        if one["status"].get("phase") == "Released":
            api.ask(f"/api/v1/persistentvolumes/{name}", method="DELETE")
            shutil.rmtree(directory / name, ignore_errors=True)
