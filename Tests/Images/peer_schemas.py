"""Whether what Escale writes is what the OCI image specification says: its JSON schemas (oci-schemas/), and that every
digest, size and diff ID is that of the content."""

import gzip
import hashlib
import json
import lzma
import subprocess
import tarfile
from pathlib import Path

import jsonschema

from peer_registry import CONFIG, INDEX, MANIFEST, digest_of
from peer_tools import expect

SCHEMAS = {path.stem: json.loads(path.read_text("utf-8"))
           for path in (Path(__file__).parent / "oci-schemas").glob("*.json")}
KINDS = {MANIFEST: "manifest", INDEX: "index", CONFIG: "config"}
_STORE = {schema["$id"]: schema for schema in SCHEMAS.values()}


def validate(kind, text, what):
    """Checks one document; says every place where it is wrong."""
    document = json.loads(text)
    schema = SCHEMAS[kind]
    validator = jsonschema.Draft7Validator(schema, resolver=jsonschema.RefResolver(schema["$id"], schema, store=_STORE))
    wrong = [f"{'.'.join(map(str, error.absolute_path)) or 'the whole'}: {error.message}"
             for error in validator.iter_errors(document)]
    expect(not wrong, f"{what} is not a valid OCI {kind}: " + "; ".join(wrong)[:2000])
    return document


def check_schemas():
    """Whether the schemas are schemas."""
    for schema in SCHEMAS.values():
        jsonschema.Draft7Validator.check_schema(schema)


def uncompressed_digest(data, media_type):
    if media_type.endswith("gzip"):
        data = gzip.decompress(data)
    elif media_type.endswith("zstd"):
        data = _unzstd(data)
    elif media_type.endswith("xz"):
        data = lzma.decompress(data)
    return digest_of(data)


def _unzstd(data):
    return subprocess.run(["zstd", "-dc"], input=data, capture_output=True, check=True).stdout


def check_tree(read, descriptor, what):
    """A manifest or index and all below it; `read` gives the bytes of a descriptor. Returns the kinds seen."""
    data = read(descriptor)
    name = f"{what}: {descriptor.get('mediaType')} {descriptor['digest'][:19]}"
    expect(digest_of(data) == descriptor["digest"], f"{name}: the content has another digest")
    expect(len(data) == descriptor["size"], f"{name}: {len(data)} bytes, not {descriptor['size']}")
    expect(descriptor.get("mediaType") in KINDS, f"{name}: not a media type of the OCI image specification")
    kind = KINDS[descriptor["mediaType"]]
    document = validate(kind, data, name)
    if kind in ("manifest", "index"):
        expect(document.get("mediaType") in (None, descriptor["mediaType"]), f"{name}: its own mediaType differs")
    if kind == "index":
        kinds = {"index"}
        for child in document["manifests"]:
            kinds |= check_tree(read, child, what)
        return kinds
    if kind == "manifest":
        config = document["config"]
        check_tree(read, config, what)
        found = []
        for one in document["layers"]:
            expect(one["mediaType"].startswith("application/vnd.oci.image.layer.v1.tar"),
                   f"{name}: a layer of {one['mediaType']}")
            content = read(one)
            expect((digest_of(content), len(content)) == (one["digest"], one["size"]), f"{name}: a layer is not as described")
            found.append(uncompressed_digest(content, one["mediaType"]))
        wanted = json.loads(read(config))["rootfs"]["diff_ids"]
        expect(found == wanted, f"{name}: diff IDs {wanted}, layers {found}")
        return {"manifest", "config"}
    history = document.get("history")
    if history is not None:
        layers = sum(not one.get("empty_layer") for one in history)
        count = len(document["rootfs"]["diff_ids"])
        expect(layers == count, f"{name}: the history has {layers} layers, the image {count}")
    return {"config"}


def check_registry(api, repository, tag, what):
    """All of an image in a registry."""
    answer = api("GET", f"/v2/{repository}/manifests/{tag}", status=200)
    data, media_type = answer.body, answer.headers["Content-Type"]

    def read(descriptor):
        if descriptor["digest"] == digest_of(data):
            return data
        kind = "manifests" if descriptor["mediaType"] in (MANIFEST, INDEX) else "blobs"
        return api("GET", f"/v2/{repository}/{kind}/{descriptor['digest']}", status=200).body

    return check_tree(read, {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}, what)


def check_oci_archive(path, what):
    """All of an archive in the OCI layout; returns the names in it."""
    names = []
    with tarfile.open(path) as tar:
        def read(descriptor):
            algorithm, _, digits = descriptor["digest"].partition(":")
            return tar.extractfile(_member(tar, f"blobs/{algorithm}/{digits}")).read()

        validate("layout", tar.extractfile(_member(tar, "oci-layout")).read(), f"{what}: oci-layout")
        index = validate("index", tar.extractfile(_member(tar, "index.json")).read(), f"{what}: index.json")
        expect(index["manifests"], f"{what}: index.json names nothing")
        for one in index["manifests"]:
            validate("descriptor", json.dumps(one), f"{what}: index.json")
            check_tree(read, one, what)
            names.append((one.get("annotations") or {}).get("org.opencontainers.image.ref.name"))
    return names


def check_docker_archive(path, what):
    """Docker's own kind: manifest.json names configurations and layers that are there and fit; returns the names."""
    names = []
    with tarfile.open(path) as tar:
        for one in json.load(tar.extractfile(_member(tar, "manifest.json"))):
            expect({"Config", "RepoTags", "Layers"} <= set(one), f"{what}: manifest.json has an entry with {sorted(one)}")
            config = tar.extractfile(_member(tar, one["Config"])).read()
            digits = Path(one["Config"]).name.removesuffix(".json")
            expect(hashlib.sha256(config).hexdigest() == digits, f"{what}: {one['Config']} has another digest")
            document = validate("config", config, f"{what}: {one['Config']}")
            found = []
            for layer in one["Layers"]:
                data = tar.extractfile(_member(tar, layer)).read()  # follows the links that Docker writes
                found.append(digest_of(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data))
            expect(found == document["rootfs"]["diff_ids"], f"{what}: its layers are not those of its configuration")
            names += one["RepoTags"] or []
    return names


def _member(tar, name):
    for spelled in (name, f"./{name}"):
        try:
            return tar.getmember(spelled)
        except KeyError:
            pass
    expect(False, f"no {name} among {tar.getnames()[:20]}")
    return None
