"""Archives of images and registries that were made to do harm. See hostile_archives for what the outcomes mean."""

import gzip
import json
import tarfile

import hostile_archives
from hostile_archives import ANY, BROKEN, EITHER, LARGE, OUTSIDE, REFUSED, SIZE, Case
from registry import Site, give_blob, give_manifest
from tars import (GOOD_LAYER, IMAGE, INDEX_TYPE, LAYER_TYPE, MANIFEST_TYPE, Oci, config, descriptor, diff_id,
                  directory, docker_files, entry, files_tar, gnu_long, header, named, padded, sha256, symlink, tar,
                  write_files_tar, zipped)

CASES = []

INVALID = (r"not valid|invalid|can't be read|unreadable|not (a|an|the)|no(t)? .*manifest|manifest|not JSON|index|unsupported"
           r"|wrong|missing|malformed|unknown|damaged|docker|oci")
MISSING = r"missing|no such|not (in|found|there|exist)|lacks|without|has no|is no|not.*archive"
NAME = r"name|reference|tag|invalid|not valid"
DIGEST = r"digest|not valid|promised"
COUNT = r"layers?|diff_ids|count|number|match"
REGISTRY = r"registry|redirect|answer|http|URL|scheme|protocol|unsupported|refus"
AUTH = r"auth|realm|token|challenge|login|denied|unauthori[sz]ed|credential|who|registry"


def case(way, outcome, reason=ANY, **more):
    def add(make):
        CASES.append(Case(make.__name__.strip("_").replace("_", "-"), way, make, outcome, reason, **more))
        return make
    return add


def deep(levels=200_000, opened="[", closed="]"):
    return (opened * levels + closed * levels).encode()


# docker-archive

def docker_manifest(manifest):
    return lambda world: files_tar(docker_files(manifest=manifest))


for number, (name, text) in enumerate((
        ("not_json", b"this is no JSON"), ("empty", b""), ("object", b"{}"), ("null", b"null"), ("nothing_listed", b"[]"),
        ("list_of_null", b"[null]"), ("list_of_numbers", b"[1, 2]"), ("text", b'"manifest"'),
        ("wrong_types", b'[{"Config": 1, "RepoTags": "x", "Layers": {"a": 1}}]'),
        ("layers_of_numbers", b'[{"Config": "c.json", "RepoTags": ["esc/image:1"], "Layers": [1, null]}]'),
        ("not_utf8", b'[{"Config": "\xff\xfe", "RepoTags": ["\xc3("], "Layers": []}]'),
        ("lone_surrogates", b'[{"Config": "\\ud800", "RepoTags": ["\\udfff:1"], "Layers": []}]'),
        ("nul", b'[{"Config": "a\\u0000b", "RepoTags": ["esc/image:1"], "Layers": ["\\u0000"]}]'),
        ("deep", deep()), ("deep_objects", deep(100_000, '{"a":', "}")))):
    make = docker_manifest(text or b" ")
    make.__name__ = f"docker_manifest_{name}"
    case("docker", REFUSED, f"{INVALID}|{MISSING}|deep|nest")(make)


@case("docker", REFUSED, INVALID + "|" + MISSING)
def docker_manifest_missing(world):
    return files_tar(docker_files(manifest=b""))


@case("docker", REFUSED, LARGE + "|" + INVALID, seconds=120)
def docker_manifest_huge(world):
    """300 MB of white space before a good manifest."""
    path = world.file()
    good = dict(docker_files())["manifest.json"]
    with gzip.open(path, "wb", 1) as file:
        file.write(header("manifest.json", size=(300 << 20) + len(good)))
        for _ in range(300):
            file.write(b" " * (1 << 20))
        file.write(padded(good))
        file.write(files_tar(docker_files(manifest=b"")))
    return path


@case("docker", REFUSED, LARGE + "|" + INVALID + "|" + MISSING, seconds=120)
def docker_manifest_of_a_million_images(world):
    return zipped(files_tar([("manifest.json", b"[" + b",".join([b'{"Config":"c","RepoTags":[],"Layers":[]}'] * 1_000_000)
                              + b"]")]))


@case("docker", REFUSED, INVALID + "|" + MISSING + "|link|regular")
def docker_manifest_is_a_symlink(world):
    """To a good one on the host, in the canary tree."""
    return symlink("manifest.json", f"{world.canary}/manifest.json") + files_tar(docker_files(manifest=b""))


@case("docker", REFUSED, INVALID + "|" + MISSING + "|directory|regular")
def docker_manifest_is_a_directory(world):
    return directory("manifest.json") + files_tar(docker_files(manifest=b""))


@case("docker", EITHER, INVALID + "|" + MISSING + "|twice")
def docker_manifest_twice(world):
    return files_tar(docker_files() + [("manifest.json", b"[]")])


def docker_layers_named(*names):
    good = docker_files()
    return files_tar(docker_files(manifest=[{"Config": good[0][0], "RepoTags": [IMAGE], "Layers": list(names)}]))


@case("docker", REFUSED, OUTSIDE + "|" + MISSING + "|" + NAME)
def docker_layer_name_dotdot(world):
    return docker_layers_named("../" * 24 + f"{world.canary}/layer.tar"[1:])


@case("docker", REFUSED, OUTSIDE + "|" + MISSING + "|" + NAME)
def docker_layer_name_absolute(world):
    return docker_layers_named(f"{world.canary}/layer.tar")


@case("docker", REFUSED, OUTSIDE + "|" + MISSING + "|link|" + BROKEN)
def docker_layer_is_symlink_to_host(world):
    good = docker_files()
    return symlink("0/layer.tar", f"{world.canary}/layer.tar") + files_tar([good[0], good[2]])


@case("docker", REFUSED, OUTSIDE + "|" + MISSING + "|link|loop|" + BROKEN)
def docker_layer_is_symlink_loop(world):
    good = docker_files()
    return symlink("0/layer.tar", "../1/layer.tar") + symlink("1/layer.tar", "../0/layer.tar") + files_tar([good[0], good[2]])


@case("docker", EITHER, BROKEN + "|" + OUTSIDE)
def docker_archive_entries_outside(world):
    """Names of the outer archive that lead out of where it may be unpacked."""
    return gnu_long("../" * 24 + f"{world.canary}/esc-written"[1:]) + entry("x", b"evil") + symlink(
        "d", str(world.canary)) + entry("d/esc-written", b"evil") + files_tar(docker_files())


@case("docker", REFUSED, OUTSIDE + "|" + MISSING + "|" + NAME)
def docker_config_name_dotdot(world):
    manifest = [{"Config": "../" * 24 + f"{world.canary}/config.json"[1:], "RepoTags": [IMAGE], "Layers": ["0/layer.tar"]}]
    return files_tar(docker_files(manifest=manifest))


@case("docker", REFUSED, MISSING + "|layer")
def docker_layer_missing(world):
    return files_tar([file for file in docker_files() if not file[0].endswith("layer.tar")])


@case("docker", REFUSED, INVALID + "|" + MISSING + "|regular|layer|" + BROKEN)
def docker_layer_is_a_directory(world):
    return directory("0/layer.tar") + files_tar([file for file in docker_files() if not file[0].endswith("layer.tar")])


@case("docker", REFUSED, COUNT)
def docker_layer_listed_twice(world):
    return docker_layers_named("0/layer.tar", "0/layer.tar")


@case("docker", EITHER, COUNT + "|twice")
def docker_layer_and_diff_id_twice(world):
    return files_tar(docker_files([GOOD_LAYER, GOOD_LAYER], names=["0/layer.tar", "0/layer.tar"])[:2]
                     + docker_files([GOOD_LAYER, GOOD_LAYER], names=["0/layer.tar", "0/layer.tar"])[3:])


@case("docker", REFUSED, COUNT)
def docker_diff_ids_too_many(world):
    return files_tar(docker_files(image_config=config([diff_id(GOOD_LAYER)] * 2)))


@case("docker", REFUSED, COUNT)
def docker_diff_ids_none(world):
    return files_tar(docker_files(image_config=config([])))


@case("docker", REFUSED, DIGEST)
def docker_diff_id_of_something_else(world):
    return files_tar(docker_files(image_config=config([sha256(b"something else")])))


for name, text in (("dotdot", "sha256:../../../../etc/passwd"), ("short", "sha256:12"), ("no_algorithm", "0" * 64), ("empty", ""),
                   ("upper_case", "SHA256:" + "A" * 64), ("md5", "md5:" + "0" * 32), ("sha512", "sha512:" + "0" * 128),
                   ("number", 7), ("null", None), ("long", "sha256:" + "0" * 1_000_000)):
    def make(world, text=text):
        return files_tar(docker_files(image_config=config([text])))
    make.__name__ = f"docker_diff_id_{name}"
    case("docker", REFUSED, f"{DIGEST}|{INVALID}|algorithm|configuration")(make)


@case("docker", REFUSED, MISSING + "|config")
def docker_config_missing(world):
    return files_tar(docker_files()[1:])


for name, text in (("not_json", b"no JSON at all"), ("list", b"[]"), ("empty_object", b"{}"), ("deep", deep()),
                   ("wrong_types", b'{"rootfs": {"type": 1, "diff_ids": "x"}, "config": []}'),
                   ("huge_numbers", b'{"rootfs": {"type": "layers", "diff_ids": [1e99999]}, "created": 1e400}')):
    def make(world, text=text):
        return files_tar(docker_files(image_config=text))
    make.__name__ = f"docker_config_{name}"
    case("docker", REFUSED, f"config|{INVALID}|{COUNT}|deep")(make)


@case("docker", REFUSED, LARGE + "|" + COUNT)
def docker_config_of_ten_thousand_layers(world):
    return files_tar(docker_files(image_config=config([diff_id(GOOD_LAYER)] * 10_000)))


@case("docker", REFUSED, LARGE + "|" + COUNT)
def docker_ten_thousand_layers(world):
    good = docker_files(image_config=config([diff_id(GOOD_LAYER)] * 10_000))
    return files_tar(good[:2] + [("manifest.json", json.dumps(
        [{"Config": good[0][0], "RepoTags": [IMAGE], "Layers": ["0/layer.tar"] * 10_000}]).encode())])


@case("docker", REFUSED, LARGE + "|config", seconds=120)
def docker_config_huge(world):
    path = world.file()
    raw = json.dumps(config([diff_id(GOOD_LAYER)])).encode()
    with gzip.open(path, "wb", 1) as file:
        file.write(header("c.json", size=len(raw) + (300 << 20)))
        file.write(raw)
        for _ in range(300):
            file.write(b" " * (1 << 20))
        file.write(bytes(-len(raw) % 512))
        file.write(files_tar([("0/layer.tar", GOOD_LAYER), ("manifest.json", json.dumps(
            [{"Config": "c.json", "RepoTags": [IMAGE], "Layers": ["0/layer.tar"]}]).encode())]))
    return path


for name, tag in (("dotdot", "../../../../etc/passwd:1"), ("upper_case", "Esc/Image:1"), ("spaces", "esc/im age:1"), ("empty", ""),
                  ("control", "esc/image\n\x1b[2J:1"), ("long", "esc/" + "a" * 100_000), ("absolute", "/etc/passwd:1"),
                  ("bad_tag", "esc/image:../x"), ("number", 5)):
    def make(world, tag=tag):
        return files_tar(docker_files(tags=[tag]))
    make.__name__ = f"docker_tag_{name}"
    case("docker", REFUSED, f"{NAME}|{INVALID}")(make)


@case("docker", EITHER, LARGE, seconds=180)
def docker_ten_thousand_tags(world):
    return files_tar(docker_files(tags=[f"esc/image:{number}" for number in range(10_000)]))


@case("docker", REFUSED, DIGEST, may_appear=True)
def docker_second_image_is_bad(world):
    first, second = docker_files(), docker_files([tar(entry("b", b"x"))], config([sha256(b"else")]), ["esc/image:2"], names=["b.tar"])
    return files_tar(first[:2] + second[:2] + [("manifest.json", json.dumps(
        json.loads(first[2][1]) + json.loads(second[2][1])).encode())])


@case("docker", REFUSED, BROKEN + "|" + MISSING)
def docker_truncated(world):
    data = files_tar(docker_files([tar(entry("a", bytes(100_000)))]))
    return data[:len(data) // 2]


@case("docker", REFUSED, INVALID + "|" + MISSING + "|archive")
def load_a_plain_root_file_system(world):
    return GOOD_LAYER


@case("docker", REFUSED, INVALID + "|" + MISSING + "|archive|empty|" + BROKEN)
def load_nothing_at_all(world):
    return b""


@case("import", REFUSED, r"image load|docker|archive")
def import_of_a_docker_archive(world):
    return files_tar(docker_files())


# OCI archives

def oci_index(text):
    return lambda world: files_tar(Oci().files(index=text))


for name, text in (("not_json", b"no JSON at all"), ("list", b"[]"), ("null", b"null"), ("deep", deep()),
                   ("empty_object", b"{}"), ("no_manifests", b'{"schemaVersion": 2, "manifests": []}'),
                   ("wrong_types", b'{"schemaVersion": "2", "manifests": {"mediaType": 1}}'),
                   ("null_manifest", b'{"schemaVersion": 2, "manifests": [null]}')):
    make = oci_index(text)
    make.__name__ = f"oci_index_{name}"
    case("oci", REFUSED, f"{INVALID}|{MISSING}|deep")(make)


@case("oci", REFUSED, INVALID + "|" + MISSING)
def oci_index_missing(world):
    return files_tar(Oci().files(index=b""))


@case("oci", EITHER, INVALID + "|" + MISSING)
def oci_layout_file_missing(world):
    return files_tar(Oci().files(layout=b""))


@case("oci", EITHER, INVALID + "|version")
def oci_layout_of_another_version(world):
    return files_tar(Oci().files(layout=b'{"imageLayoutVersion": "99.0"}'))


@case("oci", REFUSED, DIGEST + "|" + LARGE + "|loop|index")
def oci_index_that_names_itself(world):
    """By a digest that is not its own, for nothing can name its own digest."""
    oci = Oci()
    target = "sha256:" + "ab" * 32
    loop = json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [
        named({"mediaType": INDEX_TYPE, "digest": target, "size": 300})]}).encode()
    loop = loop.ljust(300)
    oci.blobs[target] = loop
    return files_tar(oci.files(index=loop))


def nested(oci, levels):
    inner = oci.manifest
    for _ in range(levels):
        inner = descriptor(INDEX_TYPE, oci.put(json.dumps(
            {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [inner]}).encode()))
    return inner


@case("oci", REFUSED, LARGE + "|nest|deep|index")
def oci_thousand_indexes_in_each_other(world):
    oci = Oci()
    return files_tar(oci.files(index={"schemaVersion": 2, "manifests": [named(nested(oci, 1000))]}))


@case("oci", EITHER, LARGE + "|index", seconds=120)
def oci_index_of_a_hundred_thousand(world):
    oci = Oci()
    return files_tar(oci.files(index={"schemaVersion": 2, "manifests": [
        named({**oci.manifest, "platform": {"os": "linux", "architecture": f"a{number}"}}) for number in range(100_000)]}))


def corrupted(which):
    def make(world):
        oci = Oci()
        data = {"layer": GOOD_LAYER, "config": oci.raw_config, "manifest": oci.raw_manifest}[which]
        changed = data.replace(b"good\n", b"evil\n") if which == "layer" else data.replace(b"linux", b"linus") if which == "config" \
            else data.replace(b'"schemaVersion"', b'"schemaversion"')
        oci.blobs[sha256(data)] = changed
        return files_tar(oci.files())
    make.__name__ = f"oci_{which}_with_another_digest"
    return make


for which in ("layer", "config", "manifest"):
    case("oci", REFUSED, DIGEST)(corrupted(which))


def missing_blob(which):
    def make(world):
        oci = Oci()
        del oci.blobs[sha256({"layer": GOOD_LAYER, "config": oci.raw_config, "manifest": oci.raw_manifest}[which])]
        return files_tar(oci.files())
    make.__name__ = f"oci_{which}_missing"
    return make


for which in ("layer", "config", "manifest"):
    case("oci", REFUSED, MISSING + "|blob")(missing_blob(which))


def oci_change(name, outcome, reason, change, **more):
    """An image whose manifest is changed before its digest is made."""
    def make(world):
        return files_tar(Oci(change=change).files())
    make.__name__ = f"oci_{name}"
    case("oci", outcome, reason, **more)(make)


def put(key, value, part="layers"):
    def change(manifest):
        target = manifest if part is None else manifest["config"] if part == "config" else manifest["layers"][0]
        target[key] = value
    return change


ALGORITHM = DIGEST + "|algorithm|support"
for name, digest in (("sha512", "sha512:" + "0" * 128), ("md5", "md5:" + "0" * 32), ("dotdot", "sha256:../../../../../etc/passwd"),
                     ("short", "sha256:abc"), ("upper_case", "sha256:" + "A" * 64), ("two_colons", "sha256:sha256:" + "0" * 57),
                     ("slash", "sha256:" + "/" + "0" * 63), ("number", 12), ("empty", ""), ("nul", "sha256:" + "0" * 63 + "\0")):
    oci_change(f"layer_digest_{name}", REFUSED, f"{ALGORITHM}|{INVALID}", put("digest", digest))
    oci_change(f"config_digest_{name}", REFUSED, f"{ALGORITHM}|{INVALID}", put("digest", digest, "config"))
SIZES = SIZE + "|manifest|" + DIGEST
for name, size in (("one_less", len(GOOD_LAYER) - 1), ("one_more", len(GOOD_LAYER) + 1), ("negative", -1), ("zero", 0),
                   ("enormous", (1 << 63) - 1), ("beyond_64_bits", 1 << 64), ("text", "5"), ("fraction", 1.5), ("null", None)):
    oci_change(f"layer_size_{name}", REFUSED, SIZES, put("size", size))
for name, size in (("negative", -1), ("one_more", 10_000), ("enormous", (1 << 63) - 1)):
    oci_change(f"config_size_{name}", REFUSED, SIZES + "|config", put("size", size, "config"))
MEDIA = r"media|type|kind|support|manifest|format|encrypt|can't"
oci_change("layer_media_type_unknown", REFUSED, MEDIA, put("mediaType", "application/x-hostile"))
oci_change("layer_media_type_encrypted", REFUSED, MEDIA, put("mediaType", LAYER_TYPE + "+gzip+encrypted"))
oci_change("layer_media_type_number", REFUSED, MEDIA, put("mediaType", 5))
oci_change("layer_media_type_zip", REFUSED, MEDIA, put("mediaType", LAYER_TYPE + "+zip"))
oci_change("layer_says_gzip_but_is_not", EITHER, MEDIA + "|" + BROKEN, put("mediaType", LAYER_TYPE + "+gzip"))
oci_change("config_media_type_unknown", REFUSED, MEDIA + "|config|image", put("mediaType", "application/vnd.cncf.helm.config", "config"))
oci_change("manifest_of_schema_1", REFUSED, MEDIA + "|schema|version", put("schemaVersion", 1, None))
oci_change("manifest_with_manifests_too", EITHER, MEDIA + "|both|ambiguous", put("manifests", [], None))
oci_change("layers_none", REFUSED, COUNT, put("layers", [], None))
oci_change("layers_text", REFUSED, COUNT + "|" + INVALID, put("layers", "all of them", None))
oci_change("layers_ten_thousand", REFUSED, LARGE + "|" + COUNT,
           lambda manifest: manifest.update(layers=manifest["layers"] * 10_000))
oci_change("config_null", REFUSED, INVALID + "|config", put("config", None, None))
oci_change("layer_with_urls", EITHER, MEDIA + "|url|foreign", put("urls", ["file:///etc/passwd", "http://127.0.0.1:1/x"]))


@case("oci", REFUSED, MEDIA + "|" + INVALID)
def oci_manifest_media_type_unknown(world):
    oci = Oci()
    return files_tar(oci.files(index={"schemaVersion": 2, "manifests": [
        named({**oci.manifest, "mediaType": "application/x-hostile"})]}))


@case("oci", REFUSED, LARGE + "|manifest|size", seconds=120)
def oci_manifest_of_100_megabytes(world):
    oci = Oci()
    path, blob = world.file(), world.file()
    raw = json.dumps({**json.loads(oci.raw_manifest), "annotations": {"x": "y" * (100 << 20)}}).encode()
    blob.write_bytes(raw)
    files = oci.files(index={"schemaVersion": 2, "manifests": [named(descriptor(MANIFEST_TYPE, raw))]})
    with gzip.open(path, "wb", 1) as target:
        write_files_tar(target, files + [("blobs/" + sha256(raw).replace(":", "/"), blob)])
    return path


@case("oci", REFUSED, OUTSIDE + "|" + MISSING + "|link|regular|blob")
def oci_blob_is_symlink_to_host(world):
    oci = Oci()
    info = tarfile.TarInfo("blobs/" + sha256(GOOD_LAYER).replace(":", "/"))
    info.type, info.linkname = tarfile.SYMTYPE, f"{world.canary}/layer.tar"
    del oci.blobs[sha256(GOOD_LAYER)]
    return files_tar(oci.files() + [(info.name, info)])


@case("oci", EITHER, NAME + "|" + INVALID)
def oci_name_dotdot(world):
    oci = Oci()
    return files_tar(oci.files(index={"schemaVersion": 2, "manifests": [named(oci.manifest, "../../../../etc/passwd")]}))


@case("oci", REFUSED, COUNT)
def oci_diff_ids_too_many(world):
    return files_tar(Oci(image_config=config([diff_id(GOOD_LAYER)] * 3)).files())


@case("oci", REFUSED, DIGEST)
def oci_diff_id_of_something_else(world):
    return files_tar(Oci(image_config=config([sha256(b"else")])).files())


@case("oci", EITHER, MEDIA + "|platform|os|linux|windows")
def oci_for_another_system(world):
    return files_tar(Oci(image_config={**config([diff_id(GOOD_LAYER)]), "os": "windows", "architecture": "pdp11"}).files())


# Registries

def same_image(world, site):
    """What was taken in is what the registry had at last."""
    found = world.engine.ids()
    allowed = set(site.notes.get("ids", [])) | {sha256(site.oci.raw_config)}
    strange = [one for one in found if one not in world.before and one not in allowed]
    return f"an image that nobody served: {strange}" if strange else None


def not_asked(world, site):
    asked = site.asked("127.0.0.2")
    return f"the other host was asked: {asked[0][1:3]}" if asked else None


def no_secret(world, site):
    for host, method, path, headers in site.asked("127.0.0.2"):
        sent = [name for name in headers if name.lower() in ("authorization", "cookie", "proxy-authorization")]
        if sent:
            return f"the other host got {sent} with {method} {path}"
    return None


@case("pull", REFUSED, DIGEST)
def pull_digest_header_of_something_else(world):
    return Site(manifest=lambda request, site, _: request.give(
        200, site.oci.raw_manifest, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": sha256(b"else")}))


@case("pull", EITHER, DIGEST + "|" + REGISTRY)
def pull_digest_header_garbage(world):
    return Site(manifest=lambda request, site, _: request.give(
        200, site.oci.raw_manifest, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": "sha256:../../etc/passwd"}))


@case("pull", REFUSED, DIGEST)
def pull_by_digest_gives_another(world):
    other = Oci(tar(entry("other", b"x")))
    site = Site(reference="@" + other.manifest["digest"])
    site._manifest = lambda request, site, _: request.give(
        200, site.oci.raw_manifest, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": other.manifest["digest"]})
    return site


@case("pull", EITHER, DIGEST + "|changed|" + MISSING)
def pull_manifest_changes_between_head_and_get(world):
    first, second = Oci(tar(entry("first", b"x"))), Oci()
    second.blobs.update(first.blobs)

    def manifest(request, site, reference):
        oci = first if request.command == "HEAD" else second
        request.give(200, oci.raw_manifest, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": oci.manifest["digest"]})
    return Site(second, manifest=manifest, check=same_image)


@case("pull", EITHER, DIGEST + "|changed")
def pull_tag_moves_with_each_request(world):
    images = [Oci(tar(entry(f"n{number}", b"x"))) for number in range(8)]
    everything = {digest: data for oci in images for digest, data in oci.blobs.items()}

    def manifest(request, site, reference):
        if reference.startswith("sha256:"):
            return give_manifest(request, site, reference)
        site.notes["turn"] = site.notes.get("turn", 0) + 1
        oci = images[site.notes["turn"] % 8]
        request.give(200, oci.raw_manifest, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": oci.manifest["digest"]})
    site = Site(manifest=manifest, check=same_image)
    site.oci.blobs.update(everything)
    site.notes["ids"] = [sha256(oci.raw_config) for oci in images]
    return site


def layer_served_as(answer):
    def blob(request, site, digest):
        if digest == sha256(GOOD_LAYER):
            return answer(request)
        give_blob(request, site, digest)
    return Site(blob=blob)


LENGTH = SIZE + "|" + DIGEST + "|short|ended|incomplete|closed|transfer|blob|registry"


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_longer(world):
    return layer_served_as(lambda request: request.give(200, GOOD_LAYER + b"more of it" * 1000))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_shorter(world):
    return layer_served_as(lambda request: request.give(200, GOOD_LAYER[:-600]))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_that_breaks_off(world):
    return layer_served_as(lambda request: request.give(200, GOOD_LAYER[:-600], length=len(GOOD_LAYER), close=True))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_empty(world):
    return layer_served_as(lambda request: request.give(200, b""))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_of_the_same_length(world):
    return layer_served_as(lambda request: request.give(200, GOOD_LAYER.replace(b"good\n", b"evil\n")))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_with_the_wrong_part(world):
    """Says that it gives another part than was asked for."""
    return layer_served_as(lambda request: request.give(206, GOOD_LAYER[512:], {
        "Content-Range": f"bytes 512-{len(GOOD_LAYER) - 1}/{len(GOOD_LAYER)}"}))


@case("pull", REFUSED, LENGTH + "|" + LARGE, seconds=180)
def pull_blob_endless(world):
    return layer_served_as(lambda request: request.endless(GOOD_LAYER, bytes(1 << 20)))


@case("pull", REFUSED, LARGE + "|manifest", seconds=180)
def pull_manifest_endless(world):
    return Site(manifest=lambda request, site, _: request.endless(
        b'{"schemaVersion": 2, "x": "', b"y" * (1 << 20), {"Content-Type": MANIFEST_TYPE}))


@case("pull", REFUSED, LARGE + "|manifest", seconds=180)
def pull_manifest_of_100_megabytes(world):
    return Site(manifest=lambda request, site, _: request.give(
        200, site.oci.raw_manifest.ljust(100 << 20), {"Content-Type": MANIFEST_TYPE}))


@case("pull", REFUSED, LARGE + "|manifest|" + INVALID, seconds=180)
def pull_manifest_compressed_bomb(world):
    bomb = hostile_archives.zeros_file(world, "zeros.tar.gz", header("zeros", size=0)).read_bytes()
    return Site(manifest=lambda request, site, _: request.give(
        200, bomb, {"Content-Type": MANIFEST_TYPE, "Content-Encoding": "gzip"}))


@case("pull", REFUSED, REGISTRY + "|too many|loop", seconds=120)
def pull_redirect_loop(world):
    return Site(manifest=lambda request, site, rest: request.give(302, b"", {"Location": request.path}))


@case("pull", REFUSED, REGISTRY + "|too many|loop", seconds=120)
def pull_blob_redirect_loop(world):
    return layer_served_as(lambda request: request.give(307, b"", {"Location": request.path + "?again"}))


for name, place in (("file", "file:///etc/passwd"), ("gopher", "gopher://127.0.0.1:1/x"), ("ftp", "ftp://127.0.0.1:1/x"),
                    ("data", "data:text/plain,hello"), ("garbage", "http://[::bad/"), ("nowhere", ""),
                    ("long", "http://127.0.0.1:1/" + "x" * 200_000)):
    def make(world, place=place):
        return layer_served_as(lambda request: request.give(307, b"", {"Location": place}))
    make.__name__ = f"pull_blob_redirect_to_{name}"
    case("pull", REFUSED, REGISTRY + "|failed|connect|Location|header|" + LARGE, seconds=120)(make)


@case("pull", REFUSED, REGISTRY)
def pull_manifest_redirect_to_file(world):
    return Site(manifest=lambda request, site, _: request.give(302, b"", {"Location": f"file://{world.canary}/secret"}))


def with_token(world, site_blob, check):
    """Asks for a token, and gives it out."""
    def guarded(give):
        def answer(request, site, rest):
            if request.headers.get("Authorization") != "Bearer the-secret-token":
                place = f"http://{request.headers['Host']}/{world.site}/token"
                return request.give(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{place}",service="esc",scope="x"'})
            give(request, site, rest)
        return answer

    def other(request, site, path):
        if path == "token":
            return request.give(200, b'{"token": "the-secret-token"}', {"Content-Type": "application/json"})
        give_blob(request, site, path.partition("/")[2])
    return Site(manifest=guarded(give_manifest), blob=guarded(site_blob), other=other, check=check)


@case("pull", EITHER, REGISTRY)
def pull_blob_redirect_to_another_host_keeps_the_token(world):
    return with_token(world, lambda request, site, digest: request.give(307, b"", {
        "Location": f"http://{world.registry.other}/{world.site}/storage/{digest}"}), no_secret)


REALMS = {
    "file": 'Bearer realm="file:///etc/passwd",service="x"', "garbage": "Bearer \x01\x02,,,===\"\"\"",
    "empty": "", "no_realm": "Bearer service=x", "unknown": 'Negotiate abcdef, Hawk realm="x"',
    "unterminated": 'Bearer realm="http://127.0.0.1:1/', "relative": 'Bearer realm="../../token"',
    "line_break": 'Bearer realm="http://127.0.0.1:1/%0d%0aX-Evil:1"', "long": 'Bearer realm="' + "x" * 90_000 + '"',
    "basic": 'Basic realm="who are you"',
}
for name, text in REALMS.items():
    def make(world, text=text):
        return Site(manifest=lambda request, site, _: request.give(401, b"{}", {"WWW-Authenticate": text}))
    make.__name__ = f"pull_realm_{name}"
    case("pull", REFUSED, f"{AUTH}|{REGISTRY}|connect|header", seconds=120)(make)


def token_answer(answer):
    def make(world):
        def other(request, site, path):
            site.notes["tokens"] = site.notes.get("tokens", 0) + 1
            answer(request)

        def manifest(request, site, _):
            place = f"http://{world.registry.host}/{world.site}/token"
            request.give(401, b"{}", {"WWW-Authenticate": f'Bearer realm="{place}",service="x"'})

        def few(world, site):
            count = site.notes.get("tokens", 0)
            return f"it asked {count} times for a token" if count > 20 else None
        return Site(manifest=manifest, other=other, check=few)
    return make


for name, answer in (
        ("html", lambda request: request.give(200, b"<html>hello</html>", {"Content-Type": "text/html"})),
        ("wrong_types", lambda request: request.give(200, b'{"token": 5, "expires_in": "x"}')),
        ("line_break", lambda request: request.give(200, b'{"token": "a\\r\\nX-Evil: 1\\r\\n\\r\\nGET /x HTTP/1.1"}')),
        ("endless", lambda request: request.endless(b'{"token": "', b"x" * (1 << 20))),
        ("never_good", lambda request: request.give(200, b'{"token": "nobody takes it"}')),
        ("deep", lambda request: request.give(200, deep()))):
    make = token_answer(answer)
    make.__name__ = f"pull_token_{name}"
    case("pull", REFUSED, f"{AUTH}|{REGISTRY}|{LARGE}", seconds=180)(make)


@case("pull", REFUSED, MEDIA + "|schema|version")
def pull_schema_1(world):
    raw = json.dumps({"schemaVersion": 1, "name": "x", "tag": "latest", "architecture": "amd64", "fsLayers": [
        {"blobSum": sha256(GOOD_LAYER)}], "history": [{"v1Compatibility": "{}"}], "signatures": []}).encode()
    return Site(manifest=lambda request, site, _: request.give(
        200, raw, {"Content-Type": "application/vnd.docker.distribution.manifest.v1+prettyjws"}))


@case("pull", REFUSED, MEDIA + "|" + INVALID + "|registry")
def pull_manifest_is_html(world):
    return Site(manifest=lambda request, site, _: request.give(200, b"<html>Please log in</html>", {"Content-Type": "text/html"}))


@case("pull", REFUSED, MEDIA + "|" + INVALID)
def pull_manifest_is_html_that_says_manifest(world):
    return Site(manifest=lambda request, site, _: request.give(200, b"<html>Log in</html>", {"Content-Type": MANIFEST_TYPE}))


@case("pull", REFUSED, LENGTH, seconds=180)
def pull_blob_is_html(world):
    return layer_served_as(lambda request: request.give(200, b"<html>Please log in</html>", {"Content-Type": "text/html"}))


@case("pull", REFUSED, MEDIA + "|" + INVALID + "|deep")
def pull_manifest_deep(world):
    return Site(manifest=lambda request, site, _: request.give(200, deep(), {"Content-Type": MANIFEST_TYPE}))


@case("pull", EITHER, MEDIA + "|" + INVALID)
def pull_media_types_disagree(world):
    """The header says that it is an index; the manifest doesn't."""
    return Site(manifest=lambda request, site, _: request.give(200, site.oci.raw_manifest, {"Content-Type": INDEX_TYPE}))


@case("pull", REFUSED, LARGE + "|nest|deep|index", seconds=120)
def pull_thousand_indexes_in_each_other(world):
    oci = Oci()
    top = nested(oci, 1000)
    return Site(oci, manifest=lambda request, site, reference: give_manifest(
        request, site, reference if reference.startswith("sha256:") else top["digest"]))


@case("pull", REFUSED, "platform|architecture|linux|index|no image|manifest")
def pull_index_without_this_platform(world):
    oci = Oci()
    raw = oci.put(json.dumps({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [
        {**oci.manifest, "platform": {"os": "plan9", "architecture": "vax"}}]}).encode())
    return Site(oci, manifest=lambda request, site, reference: give_manifest(
        request, site, reference if reference.startswith("sha256:") else sha256(raw)))


def pull_change(name, outcome, reason, change, check=None, **more):
    def make(world):
        return Site(Oci(change=lambda manifest: change(world, manifest)), check=check)
    make.__name__ = f"pull_{name}"
    case("pull", outcome, reason, **more)(make)


for name, size in (("negative", -1), ("one_less", len(GOOD_LAYER) - 1), ("enormous", (1 << 63) - 1), ("text", "x")):
    pull_change(f"layer_size_{name}", REFUSED, SIZES + "|" + LENGTH, lambda _, manifest, size=size: put("size", size)(manifest),
                seconds=180)
for name, digest in (("dotdot", "sha256:../../../../../../etc/passwd"), ("md5", "md5:" + "0" * 32), ("query", "sha256:?x=" + "0" * 61),
                     ("sha512", "sha512:" + "0" * 128)):
    pull_change(f"layer_digest_{name}", REFUSED, f"{ALGORITHM}|{INVALID}",
                lambda _, manifest, digest=digest: put("digest", digest)(manifest))
pull_change("layers_ten_thousand", REFUSED, LARGE + "|" + COUNT,
            lambda _, manifest: manifest.update(layers=manifest["layers"] * 10_000), seconds=180)


def foreign(world, manifest):
    layer = manifest["layers"][0]
    layer["mediaType"] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    layer["urls"] = [f"http://{world.registry.other}/{world.site}/blobs/{layer['digest']}", "file:///etc/passwd"]
    layer["digest"] = sha256(b"what the registry doesn't have")


pull_change("foreign_layer", REFUSED, MEDIA + "|foreign|url|" + MISSING + "|registry", foreign, not_asked)


@case("pull", REFUSED, REGISTRY + "|header|" + LARGE + "|manifest")
def pull_ten_thousand_headers(world):
    return Site(manifest=lambda request, site, _: request.give(
        200, b"{}", {f"X-Header-{number}": "v" * 1000 for number in range(10_000)}))


@case("pull", REFUSED, REGISTRY + "|500|server|error", seconds=180)
def pull_error_with_terminal_sequences(world):
    """What the registry says is shown to a person; it must not steer the terminal."""
    return Site(manifest=lambda request, site, _: request.give(
        400, json.dumps({"errors": [{"code": "X", "message": "\x1b]0;title\x07\x1b[2Jhello\r\nerror[x]: fake"}]}).encode()))


@case("pull", REFUSED, REGISTRY + "|error|" + LARGE, seconds=180)
def pull_error_endless(world):
    def manifest(request, site, _):
        request.send_response(404)
        request.send_header("Connection", "close")
        request.close_connection = True
        request.end_headers()
        for _ in range(2048):
            request.wfile.write(b"x" * (1 << 20))
    return Site(manifest=manifest)


@case("pull", REFUSED, COUNT)
def pull_diff_ids_too_many(world):
    return Site(Oci(image_config=config([diff_id(GOOD_LAYER)] * 3)))


@case("pull", REFUSED, DIGEST)
def pull_diff_id_of_something_else(world):
    return Site(Oci(image_config=config([sha256(b"else")])))


@case("pull", REFUSED, INVALID + "|config")
def pull_config_is_a_list(world):
    return Site(Oci(image_config=b"[]"))


@case("pull", REFUSED, OUTSIDE)
def pull_layer_with_dotdot(world):
    return Site(Oci(tar(entry("../../esc-written", b"evil"))))


@case("pull", EITHER, hostile_archives.LINK)
def pull_layer_with_symlink_and_file_through_it(world):
    return Site(Oci(zipped(tar(symlink("d", str(world.canary)), entry("d/esc-inside", b"x")))))
