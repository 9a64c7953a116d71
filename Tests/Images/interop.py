#!/usr/bin/env python3
"""Images between Escale and others: Docker, Podman, Buildah, Skopeo and Debian's docker-registry.

usage: interop.py [--only PATTERN]... [--list] [--keep-going]

Each case has a name; --only takes shell patterns, as in --only 'registry-*' --only built-docker. Needs root, ESCALE_BIN
(or .build/release), .build/images/busybox.tar (scripts/busybox-image.sh), docker.io, docker-registry, podman, buildah,
skopeo, apache2-utils, openssl, curl, python3-jsonschema. Everything binds to loopback, has directories of its own below
/var/tmp, and is gone at the end.
"""

import argparse
import base64
import concurrent.futures
import fnmatch
import itertools
import json
import os
import re
import shutil
import signal
import stat
import sys
import time
import traceback
import urllib.parse

import peer_images as images
import peer_schemas as schemas
from peer_registry import (INDEX, MANIFEST, PASSWORD, USER, Authority, Fault, Faults, Tokens, debian_registry,
                           digest_of, escale_registry, with_query)
from peer_tools import BUSYBOX, ROOT, Bed, Escale, Failure, complaint, expect, run

CASES = {}
MODES = ("plain", "htpasswd", "tls")
NUMBERS = itertools.count(1)
NOBODY = "password|unauthori[sz]ed|credentials|denied|log ?in"  # what a refusal says


def case(name, *arguments):
    """Makes the function a case; with arguments, which it is called with after the bed."""
    def note(function):
        CASES[name] = (function, arguments)
        return function
    return note


def each(pattern, *lists):
    """Makes a case of each combination."""
    def note(function):
        for values in itertools.product(*lists):
            case(pattern.format(*values), *values)(function)
        return function
    return note


def options(bed, mode):
    return {"htpasswd": mode == "htpasswd", "authority": authority(bed) if mode == "tls" else None}


def authority(bed):
    if not hasattr(bed, "authority"):
        bed.authority = Authority(bed.directory("authority"))
    return bed.authority


def repository(name):
    """One that no other case uses, with a part before it as most have."""
    return f"interop/{name}-{next(NUMBERS)}"


# Others push to Escale's registry and pull from it

@each("registry-skopeo-{}", MODES)
def registry_skopeo(bed, mode):
    sample = images.sample(bed, layers=4)
    with escale_registry(bed, **options(bed, mode)) as place:
        name = place.name(repository("skopeo"))
        bed.skopeo.push(sample.source, name, place, "--preserve-digests")
        expect(bed.skopeo.digest(name, place) == sample.digest, f"skopeo finds another digest than the {sample.digest} it pushed")
        target = bed.directory("pulled") / "layout"
        bed.skopeo.pull(name, f"oci:{target}:x", place, "--preserve-digests")
        held = {path.name for path in (sample.layout.path / "blobs/sha256").iterdir()}
        got = {path.name for path in (target / "blobs/sha256").iterdir()}
        expect(held == got, f"skopeo pulled other blobs than it pushed: {held ^ got}")
        refuses_strangers(bed, place, sample)


@each("registry-docker-{}", MODES)
def registry_docker(bed, mode):
    sample = images.sample(bed, layers=4)
    with escale_registry(bed, **options(bed, mode)) as place:
        where = repository("docker")
        name = place.name(where)
        bed.docker.load(sample.archive(bed, "docker-archive", name))
        pushed = bed.docker.push(name, place)
        found = digest_of(place.api.manifest(where, "latest"))
        expect(found == pushed, f"docker pushed {pushed}, the registry has {found}")
        identity = bed.docker.identity(name)
        bed.docker.remove(name)
        bed.docker.pull(name, place)
        expect(bed.docker.identity(name) == identity, "docker pulled another image than it pushed")
        digests = bed.docker.inspect(name)["RepoDigests"]
        expect(any(one.endswith(f"@{pushed}") for one in digests), f"docker knows {digests}, not {pushed}")
        expect(bed.docker.run(name, "cat", "/marker").strip() == sample.marker, "the image's content is another one")
        if mode == "htpasswd":
            done = bed.docker.push_anyway(name)
            expect(done.returncode != 0, "docker could push without logging in")
        bed.docker.remove(name)


@each("registry-podman-{}", MODES)
def registry_podman(bed, mode):
    sample = images.sample(bed, layers=4)
    with escale_registry(bed, **options(bed, mode)) as place:
        where = repository("podman")
        name = place.name(where)
        bed.podman.load(sample.archive(bed, "oci-archive", name))
        pushed = bed.podman.push(name, place)
        found = digest_of(place.api.manifest(where, "latest"))
        expect(found == pushed, f"podman pushed {pushed}, the registry has {found}")
        bed.podman.remove(name)
        bed.podman.pull(name, place)
        sample.check(bed.podman, name)
        if mode == "htpasswd":
            expect(bed.podman.push_anyway(name).returncode != 0, "podman could push without logging in")
        bed.podman.remove(name)


def refuses_strangers(bed, place, sample):
    """With users, nobody else gets in, and clients are told how."""
    if not place.user:
        return
    answer = place.api("GET", "/v2/", status=401, anonymous=True)
    expect((answer.headers["WWW-Authenticate"] or "").lower().startswith("basic realm="),
           f"WWW-Authenticate is {answer.headers['WWW-Authenticate']!r}")
    expect(answer.code == "UNAUTHORIZED", f"the error's code is {answer.code}")
    for path in ("/v2/_catalog", f"/v2/interop/x/manifests/{sample.digest}", "/"):
        place.api("GET", path, status=401, anonymous=True)
    wrong = base64.b64encode(f"{USER}:wrong".encode()).decode()
    place.api("GET", "/v2/", headers={"Authorization": f"Basic {wrong}"}, status=401, anonymous=True)
    place.api("GET", "/v2/", headers={"Authorization": "Basic ???"}, status=(400, 401), anonymous=True)
    done = bed.skopeo("copy", "--dest-tls-verify=false", sample.source, f"docker://{place.name('interop/stranger')}", check=False)
    expect(done.returncode != 0 and "unauthorized" in done.stderr.lower(), f"without a password: {done.stderr[-400:]}")


@case("registry-index-skopeo")
def registry_index_skopeo(bed):
    source, index, members, _ = images.multi(bed)
    with escale_registry(bed) as place:
        where = repository("index")
        name = place.name(where)
        bed.skopeo.push(f"oci:{source}", name, place, "--all", "--preserve-digests")
        raw = bed.skopeo.raw(name, place)
        expect(digest_of(raw.encode()) == index["digest"], "the index is not the one that was pushed")
        answer = place.api("HEAD", f"/v2/{where}/manifests/latest", status=200)
        expect(answer.headers["Content-Type"] == INDEX, f"its Content-Type is {answer.headers['Content-Type']}")
        for architecture, (_, digest, _) in members.items():
            expect(digest_of(place.api.manifest(where, digest)) == digest, f"{architecture}'s manifest is not there")
        target = bed.directory("pulled") / "layout"
        bed.skopeo.pull(name, f"oci:{target}:x", place, "--all", "--preserve-digests")
        digests = {digest.partition(":")[2] for _, digest, _ in members.values()}
        expect(digests <= {path.name for path in (target / "blobs/sha256").iterdir()}, "not all architectures came back")
        schemas.check_registry(place.api, where, "latest", "the index in the registry")


@case("registry-index-podman")
def registry_index_podman(bed):
    _, _, members, first = images.multi(bed)
    with escale_registry(bed) as place:
        where = repository("index")
        name = place.name(where)
        bed.podman.push_index(f"localhost/{where}", [member for member, _, _ in members.values()], name, place)
        index = json.loads(place.api.manifest(where, "latest"))
        found = {one["platform"]["architecture"]: one["digest"] for one in index["manifests"]}
        expect(set(found) == set(members), f"the index has {sorted(found)}")
        bed.podman.pull(name, place)
        expect(bed.podman.run(name, "cat", "/marker").strip() == first, "podman pulled another architecture's image")
        bed.podman.remove(name)
        bed.docker.pull(name, place)
        expect(bed.docker.run(name, "cat", "/marker").strip() == first, "docker pulled another architecture's image")
        bed.docker.remove(name)


@case("registry-skopeo-commands")
def registry_skopeo_commands(bed):
    sample = images.sample(bed)
    with escale_registry(bed) as place:
        where = repository("commands")
        for tag in ("b", "a", "latest"):
            bed.skopeo.push(sample.source, place.name(where, tag), place, "--preserve-digests")
        listed = json.loads(bed.skopeo("list-tags", *bed.skopeo.options(place), f"docker://{place.address}/{where}").stdout)
        expect(sorted(listed["Tags"]) == ["a", "b", "latest"], f"skopeo lists {listed['Tags']}")
        seen = json.loads(bed.skopeo("inspect", *bed.skopeo.options(place), f"docker://{place.name(where, 'a')}").stdout)
        expect((seen["Digest"], len(seen["Layers"]), seen["Architecture"]) == (sample.digest, 5, "amd64"),
               f"skopeo inspects {seen}")
        config = bed.skopeo.config(place.name(where, "a"), place)
        expect(digest_of(config.encode()) == sample.identity, "the configuration is another one")
        # Skopeo deletes by digest: with the manifest go its tags.
        bed.skopeo("delete", *bed.skopeo.options(place), f"docker://{place.name(where, 'a')}")
        place.api("GET", f"/v2/{where}/manifests/{sample.digest}", status=404)
        place.api("GET", f"/v2/{where}/manifests/b", status=404)


@case("registry-stays")
def registry_stays(bed):
    """What was pushed is there after the registry was stopped and served again."""
    sample = images.sample(bed)
    where = repository("stays")
    with escale_registry(bed) as place:
        bed.skopeo.push(sample.source, place.name(where), place, "--preserve-digests")
    with escale_registry(bed) as place:
        expect(bed.skopeo.digest(place.name(where), place) == sample.digest, "the image is not there any more")


@case("registry-escale")
def registry_escale(bed):
    """Escale is a client of its own registry as of any."""
    sample = images.sample(bed)
    with escale_registry(bed, **options(bed, "htpasswd")) as place:
        name = place.name(repository("own"))
        bed.escale.load(sample.archive(bed, "oci-archive", name))
        bed.escale.push(name, place)
        bed.escale.remove(name)
        bed.escale.pull(name, place)
        sample.check(bed.escale, name)
        bed.escale.remove(name)


@case("registry-catalogue")
def registry_catalogue(bed):
    with escale_registry(bed) as place:
        names = [f"catalogue/{letter}" for letter in "cab"]
        for name in names:
            place.api.small_image(name, "1")
        everything = place.api("GET", "/v2/_catalog?n=1000", status=200).json()["repositories"]
        expect(set(names) <= set(everything), f"the catalogue has {everything}")
        expect(everything == sorted(everything), f"the catalogue is not in order: {everything}")
        expect(pages(place.api, "/v2/_catalog?n=2", "repositories", 2) == everything, "in pages it is another one")


def pages(api, path, key, most):
    """All that a list has, page after page."""
    found = []
    while path:
        answer = api("GET", path, status=200)
        page = answer.json()[key]
        expect(len(page) <= most, f"{path}: {len(page)} on a page of {most}")
        found += page
        header = answer.headers["Link"]
        expect(header is None or re.fullmatch(r'<[^>]+>;\s*rel="?next"?', header), f"{path}: Link is {header!r}")
        path = re.match("<([^>]+)>", header)[1] if header else None
        expect(len(found) < 10_000, f"{path}: the pages have no end")
    return found


@case("registry-page")
def registry_page(bed):
    with escale_registry(bed, **options(bed, "htpasswd")) as place:
        where, tag = repository("page"), "v1.2.3"
        digest = place.api.small_image(where, tag)
        place.api("GET", "/", status=401, anonymous=True)
        answer = place.api("GET", "/", headers={"Accept": "text/html"}, status=200)
        expect(answer.headers["Content-Type"].startswith("text/html"), f"the page is {answer.headers['Content-Type']}")
        page = answer.body.decode()
        expect(page.lstrip().lower().startswith("<!doctype html"), f"the page begins with {page[:80]!r}")
        for text in (where, tag):
            expect(text in page, f"the page says nothing about {text}: {page[-1500:]}")
        # The digest is there, or on the page that it links for the repository.
        links = [link for link in re.findall(r'href="(/[^"]*)"', page) if where in urllib.parse.unquote(link)]
        linked = [place.api("GET", link, headers={"Accept": "text/html"}, status=200).body.decode() for link in links]
        expect(any(digest.partition(":")[2][:12] in one for one in [page, *linked]),
               f"no page says {digest}: {[page, *linked][-1][-1500:]}")
        # What is written in a name or a manifest is text, never markup.
        place.api.put_manifest(where, "script", {**json.loads(place.api.manifest(where, tag)), "annotations": {
            "org.opencontainers.image.title": "<script>alert(1)</script>"}})
        for path in ("/", *links):
            body = place.api("GET", path, headers={"Accept": "text/html"}, status=200).body
            expect(b"<script>alert" not in body, f"{path} has an annotation as markup")


@case("registry-referrers")
def registry_referrers(bed):
    with escale_registry(bed) as place:
        where = repository("referrers")
        subject = place.api.small_image(where, "1")
        size = len(place.api.manifest(where, subject))
        empty = place.api.descriptor(where, b"{}", "application/vnd.oci.empty.v1+json")

        def artifact(kind, of=subject, text="text"):
            data = place.api.descriptor(where, text.encode(), "text/plain")
            return place.api.put_manifest(where, None, {
                "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": empty, "layers": [data],
                "subject": {"mediaType": MANIFEST, "digest": of, "size": size}, "annotations": {"org.example.kind": kind}})

        listed = lambda digest, query="": place.api("GET", f"/v2/{where}/referrers/{digest}{query}", status=200)  # noqa: E731
        expect(listed(subject).json()["manifests"] == [], "it has referrers before there are any")
        first, answer = artifact("application/vnd.example.sbom")
        expect(answer.headers["OCI-Subject"] == subject, f"OCI-Subject is {answer.headers['OCI-Subject']}")
        second, _ = artifact("application/vnd.example.signature")
        answer = listed(subject)
        expect(answer.headers["Content-Type"] == INDEX, f"the list's Content-Type is {answer.headers['Content-Type']}")
        schemas.validate("index", answer.body, "the list of referrers")
        found = {one["digest"]: one for one in answer.json()["manifests"]}
        expect(set(found) == {first, second}, f"its referrers are {sorted(found)}")
        expect(found[first].get("artifactType") == "application/vnd.example.sbom", f"no artifactType: {found[first]}")
        expect((found[first].get("annotations") or {}).get("org.example.kind"), f"no annotations: {found[first]}")
        expect(found[first]["size"] == len(place.api.manifest(where, first)), "a referrer has another size")
        answer = listed(subject, "?artifactType=application/vnd.example.signature")
        expect([one["digest"] for one in answer.json()["manifests"]] == [second], "the filter lets others through")
        expect(answer.headers["OCI-Filters-Applied"] == "artifactType", "the filter is not named")
        # A subject may come later than what refers to it.
        later = digest_of(b"later")
        third, _ = artifact("application/vnd.example.sbom", later)
        expect([one["digest"] for one in listed(later).json()["manifests"]] == [third], "not of a subject that is not there")
        expect(listed(digest_of(b"nothing")).json()["manifests"] == [], "something refers to nothing")
        # The same by curl, as people look.
        shown = run("curl", "-sf", f"http://{place.address}/v2/{where}/referrers/{subject}").stdout
        expect(first in shown and second in shown, f"curl sees {shown}")
        place.api("DELETE", f"/v2/{where}/manifests/{first}", status=202)
        expect([one["digest"] for one in listed(subject).json()["manifests"]] == [second], "a deleted one is still listed")


@case("registry-ranges")
def registry_ranges(bed):
    with escale_registry(bed) as place:
        where, data = repository("ranges"), os.urandom(300_000)
        digest = place.api.upload(where, data)
        path = f"/v2/{where}/blobs/{digest}"
        answer = place.api("HEAD", path, status=200)
        expect((answer.headers["Content-Length"], answer.headers["Docker-Content-Digest"]) == (str(len(data)), digest),
               f"HEAD says {dict(answer.headers)}")
        for asked, (start, end) in {"bytes=10-19": (10, 20), "bytes=299990-": (299_990, 300_000), "bytes=-7": (299_993, 300_000),
                                    "bytes=0-0": (0, 1), "bytes=299999-400000": (299_999, 300_000)}.items():
            answer = place.api("GET", path, headers={"Range": asked}, status=206)
            expect(answer.body == data[start:end], f"{asked}: not those bytes but {len(answer.body)}")
            wanted = f"bytes {start}-{end - 1}/{len(data)}"
            found = answer.headers["Content-Range"]
            expect(found == wanted, f"{asked}: Content-Range {found}, not {wanted}")
        answer = place.api("GET", path, headers={"Range": "bytes=300000-"}, status=416)
        expect(answer.headers["Content-Range"] in (None, f"bytes */{len(data)}"), "416 with another size")
        place.api("GET", path, headers={"Range": "nonsense"}, status=(200, 416))
        url, target = f"http://{place.address}{path}", bed.directory("curl") / "blob"
        target.write_bytes(data[:100_000])
        run("curl", "-sf", "-C", "-", "-o", target, url)
        expect(target.read_bytes() == data, "curl could not go on where it was")


@case("registry-upload-pieces")
def registry_upload_pieces(bed):
    with escale_registry(bed) as place:
        api, where, data = place.api, repository("pieces"), os.urandom(200_000)
        pieces = [(0, 50_000), (50_000, 120_000), (120_000, 200_000)]
        answer = api("POST", f"/v2/{where}/blobs/uploads/", b"", status=202)
        location = answer.headers["Location"]
        expect(answer.headers["Docker-Upload-UUID"], "no Docker-Upload-UUID")

        def patch(start, end, status=202, content=None):
            return api("PATCH", location, data[start:end] if content is None else content, {
                "Content-Type": "application/octet-stream", "Content-Range": f"{start}-{end - 1}"}, status)

        def reached(end):
            answer = api("GET", location, status=204)
            expect(answer.headers["Range"] == f"0-{end - 1}", f"the status says {answer.headers['Range']}, not 0-{end - 1}")
            return answer.headers["Location"] or location

        for start, end in pieces[:2]:
            answer = patch(start, end)
            found = answer.headers["Range"]
            expect(found == f"0-{end - 1}", f"after the piece Range is {found}, not 0-{end - 1}")
            location = answer.headers["Location"]
        location = reached(120_000)
        for start, end in ((150_000, 160_000), (0, 50_000), (119_999, 130_000)):
            patch(start, end, 416)
            location = reached(120_000)
        # Without a Content-Range a piece goes to the end.
        answer = api("PATCH", location, data[120_000:150_000], {"Content-Type": "application/octet-stream"}, 202)
        location = answer.headers["Location"]
        location = reached(150_000)
        answer = api("PUT", with_query(location, digest=digest_of(data)), data[150_000:], {
            "Content-Type": "application/octet-stream", "Content-Range": "150000-199999"}, 201)
        expect(answer.headers["Docker-Content-Digest"] in (None, digest_of(data)), "another digest than sent")
        expect(urllib.parse.urlsplit(answer.headers["Location"]).path == f"/v2/{where}/blobs/{digest_of(data)}",
               f"Location is {answer.headers['Location']}")
        expect(api.blob(where, digest_of(data)) == data, "the blob is another one")
        api("GET", location, status=404)


@case("registry-upload-stream")
def registry_upload_stream(bed):
    """One PATCH with an unknown length, as Docker sends layers, by curl."""
    with escale_registry(bed) as place:
        where, data = repository("stream"), os.urandom(3_000_000)
        file = bed.directory("stream") / "blob"
        file.write_bytes(data)
        location = place.api("POST", f"/v2/{where}/blobs/uploads/", b"", status=202).headers["Location"]
        url = urllib.parse.urljoin(f"http://{place.address}/", location)
        shown = run("curl", "-sf", "-i", "-X", "PATCH", "-H", "Transfer-Encoding: chunked", "-H", "Content-Length:", "-H",
                    "Content-Type: application/octet-stream", "-T", file, url).stdout
        location = re.search(r"^location: *(\S+)", shown, re.IGNORECASE | re.MULTILINE)[1]
        place.api("PUT", with_query(location, digest=digest_of(data)), b"", status=201)
        expect(place.api.blob(where, digest_of(data)) == data, "the blob is another one")


@case("registry-upload-cancel")
def registry_upload_cancel(bed):
    with escale_registry(bed) as place:
        where = repository("cancel")
        location = place.api("POST", f"/v2/{where}/blobs/uploads/", b"", status=202).headers["Location"]
        location = place.api("PATCH", location, b"12345", {"Content-Type": "application/octet-stream"}, 202).headers["Location"]
        place.api("DELETE", location, status=204)
        for method in ("GET", "DELETE"):
            answer = place.api(method, location, status=404)
            expect(answer.code == "BLOB_UPLOAD_UNKNOWN", f"the code is {answer.code}")
        place.api("PATCH", location, b"6", {"Content-Type": "application/octet-stream"}, 404)


@case("registry-upload-mount")
def registry_upload_mount(bed):
    with escale_registry(bed) as place:
        where, other, data = repository("from"), repository("to"), os.urandom(5000)
        digest = place.api.upload(where, data)
        query = urllib.parse.urlencode({"mount": digest, "from": where})
        answer = place.api("POST", f"/v2/{other}/blobs/uploads/?{query}", b"", status=201)
        expect(urllib.parse.urlsplit(answer.headers["Location"]).path == f"/v2/{other}/blobs/{digest}",
               f"Location is {answer.headers['Location']}")
        expect(place.api.blob(other, digest) == data, "the mounted blob is another one")
        # What is not there is uploaded as usual.
        for mount, source in ((digest_of(b"nothing"), where), (digest, "interop/no-such")):
            query = urllib.parse.urlencode({"mount": mount, "from": source})
            answer = place.api("POST", f"/v2/{repository('third')}/blobs/uploads/?{query}", b"", status=202)
            expect(answer.headers["Location"], "202 without a Location")


@case("registry-upload-monolithic")
def registry_upload_monolithic(bed):
    with escale_registry(bed) as place:
        where, data = repository("monolithic"), os.urandom(5000)
        answer = place.api("POST", f"/v2/{where}/blobs/uploads/?digest={digest_of(data)}", data,
                           {"Content-Type": "application/octet-stream"}, 201)
        expect(urllib.parse.urlsplit(answer.headers["Location"]).path.endswith(digest_of(data)), "no Location")
        expect(place.api.blob(where, digest_of(data)) == data, "the blob is another one")
        place.api.upload(where, b"")  # nothing is a blob too
        expect(place.api.blob(where, digest_of(b"")) == b"", "the empty blob is not empty")


@case("registry-upload-parallel")
def registry_upload_parallel(bed):
    """The same blob and tag from many at once."""
    with escale_registry(bed) as place:
        where, data = repository("parallel"), os.urandom(1_000_000)
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            digests = set(pool.map(lambda _: place.api.upload(where, data), range(16)))
            manifests = set(pool.map(lambda _: place.api.small_image(where, "same"), range(16)))
        expect(digests == {digest_of(data)} and len(manifests) == 1, "not the same for all")
        expect(place.api.blob(where, digest_of(data)) == data, "the blob is another one")


@case("registry-errors")
def registry_errors(bed):
    with escale_registry(bed) as place:
        api, where = place.api, repository("errors")
        api.small_image(where, "1")
        unknown = digest_of(b"unknown")

        def fails(method, path, statuses, *codes, body=None, headers=None):
            answer = api(method, path, body, headers, statuses)
            expect(answer.code in codes, f"{method} {path}: {answer.code}, not {' or '.join(codes)}")
            expect(answer.headers["Content-Type"].startswith("application/json"), f"errors as {answer.headers['Content-Type']}")

        fails("GET", "/v2/interop/no-such/tags/list", 404, "NAME_UNKNOWN")
        fails("GET", f"/v2/{where}/blobs/{unknown}", 404, "BLOB_UNKNOWN")
        fails("DELETE", f"/v2/{where}/blobs/{unknown}", 404, "BLOB_UNKNOWN")
        fails("GET", f"/v2/{where}/manifests/none", 404, "MANIFEST_UNKNOWN")
        fails("GET", f"/v2/{where}/manifests/{unknown}", 404, "MANIFEST_UNKNOWN")
        fails("DELETE", f"/v2/{where}/manifests/{unknown}", 404, "MANIFEST_UNKNOWN")
        fails("GET", "/v2/interop/no-such/manifests/1", 404, "MANIFEST_UNKNOWN", "NAME_UNKNOWN")
        fails("GET", f"/v2/{where}/blobs/uploads/00000000-0000-0000-0000-000000000000", 404, "BLOB_UPLOAD_UNKNOWN")
        api("HEAD", f"/v2/{where}/blobs/{unknown}", status=404)
        api("HEAD", f"/v2/{where}/manifests/none", status=404)
        # Wrong digests
        location = api("POST", f"/v2/{where}/blobs/uploads/", b"", status=202).headers["Location"]
        fails("PUT", with_query(location, digest=unknown), 400, "DIGEST_INVALID", body=b"another content")
        api("GET", f"/v2/{where}/blobs/{unknown}", status=404)
        for digest in ("sha256:short", "nonsense", "sha256:../../../../etc/passwd", "sha256:" + "A" * 64):
            location = api("POST", f"/v2/{where}/blobs/uploads/", b"", status=202).headers["Location"]
            fails("PUT", with_query(location, digest=digest), 400, "DIGEST_INVALID", body=b"x")
        manifest = api.manifest(where, "1")
        kind = {"Content-Type": MANIFEST}
        fails("PUT", f"/v2/{where}/manifests/{unknown}", 400, "DIGEST_INVALID", "MANIFEST_INVALID", body=manifest, headers=kind)
        # Manifests that cannot be
        for body in (b"", b"nonsense", b"[]", b"{}", b'{"schemaVersion":2}', b"\xff\xfe", b"[" * 20_000):
            fails("PUT", f"/v2/{where}/manifests/bad", 400, "MANIFEST_INVALID", body=body, headers=kind)
        missing = json.loads(manifest)
        missing["layers"][0]["digest"] = unknown
        fails("PUT", f"/v2/{where}/manifests/bad", (400, 404), "MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN",
              body=json.dumps(missing).encode(), headers=kind)
        api("PUT", f"/v2/{where}/manifests/bad", b" " * 8_000_000, kind, (400, 413))
        api("GET", f"/v2/{where}/manifests/bad", status=404)
        # Names and tags that cannot be
        for name in ("Upper/case", "a//b", "-a", "a/../b", "a/%2e%2e/b", "x" * 300):
            answer = api("POST", f"/v2/{name}/blobs/uploads/", b"")
            expect(answer.status in (400, 404), f"the name {name[:20]} got {answer.status}")
        for tag in ("-tag", ".tag", "t" * 129):
            answer = api("PUT", f"/v2/{where}/manifests/{tag}", manifest, kind)
            expect(answer.status in (400, 404), f"the tag {tag[:20]} got {answer.status}")
        api("POST", f"/v2/{where}/manifests/1", b"", status=(404, 405))
        version = api("GET", "/v2/", status=200).headers["Docker-Distribution-API-Version"]
        expect(version in (None, "registry/2.0"), f"the API's version is {version}")


@case("registry-delete")
def registry_delete(bed):
    with escale_registry(bed) as place:
        api, where = place.api, repository("delete")
        digest = api.small_image(where, "one", "first")
        expect(api.small_image(where, "two", "first") == digest, "the same manifest has two digests")
        other = api.small_image(where, "three", "second")
        api("DELETE", f"/v2/{where}/manifests/one", status=202)
        expect(api("GET", f"/v2/{where}/manifests/one", status=404).code == "MANIFEST_UNKNOWN", "another code")
        api.manifest(where, digest)
        api.manifest(where, "two")
        api("DELETE", f"/v2/{where}/manifests/{digest}", status=202)
        for name in (digest, "two"):
            api("GET", f"/v2/{where}/manifests/{name}", status=404)
        expect(api("GET", f"/v2/{where}/tags/list", status=200).json()["tags"] == ["three"], "the tags left are others")
        layer = json.loads(api.manifest(where, other))["layers"][0]["digest"]
        api("DELETE", f"/v2/{where}/manifests/{other}", status=202)
        api("DELETE", f"/v2/{where}/blobs/{layer}", status=202)
        api("GET", f"/v2/{where}/blobs/{layer}", status=404)


@case("registry-tags")
def registry_tags(bed):
    with escale_registry(bed) as place:
        api, where = place.api, repository("tags")
        tags = ["v1", "v10", "v2", "main", "a_b", "0.1-rc.1", "latest"]
        for tag in tags:
            api.small_image(where, tag)
        path = f"/v2/{where}/tags/list"
        answer = api("GET", path, status=200).json()
        expect((answer["name"], answer["tags"]) == (where, sorted(tags)), f"the list is {answer}, not in order: {sorted(tags)}")
        for size in (1, 2, 3, 7, 100):
            expect(pages(api, f"{path}?n={size}", "tags", size) == sorted(tags), f"in pages of {size} it is another one")
        expect(api("GET", f"{path}?n=2&last=v1", status=200).json()["tags"] == ["v10", "v2"], "`last` does not go on there")
        expect(api("GET", f"{path}?last=v15", status=200).json()["tags"] == ["v2"], "`last` has to be a tag that is there")
        expect((api("GET", f"{path}?n=0", status=200).json()["tags"] or []) == [], "n=0 lists tags")
        api("GET", f"{path}?n=nonsense", status=(200, 400))
        api("GET", f"{path}?n=-1", status=(200, 400))


# Escale with Debian's docker-registry

def to_and_fro(bed, place, sample=None):
    """Escale pushes, the registry has it, Escale pulls it into nothing; returns the name that it still has."""
    sample = sample or images.sample(bed)
    where = repository("escale")
    name, local = place.name(where), f"sample-{next(NUMBERS)}:1"
    bed.escale.load(sample.archive(bed, "oci-archive", local))
    bed.escale.tag(local, name)
    bed.escale.push(name, place)
    manifest = place.api.manifest(where, "latest")
    expect(json.loads(manifest)["config"]["digest"] == sample.identity, "the registry has another image's configuration")
    digests = bed.escale.inspect(name)["RepoDigests"]
    wanted = f"{place.address}/{where}@{digest_of(manifest)}"
    expect(wanted in digests, f"after the push RepoDigests is {digests}, not {wanted}")
    bed.escale.remove(local, name)
    expect(not bed.escale.has(name), "`image rm` left it")
    bed.escale.pull(name, place)
    sample.check(bed.escale, name)
    digests = bed.escale.inspect(name)["RepoDigests"]
    expect(wanted in digests, f"after the pull RepoDigests is {digests}, not {wanted}")
    bed.escale.pull(name, place)  # nothing to do
    # By digest
    bed.escale.remove(name)
    bed.escale.pull(wanted, place)
    expect(bed.escale.identity(wanted) == sample.identity, "by digest it is another image")
    bed.escale.remove(wanted)
    bed.escale.pull(name, place)
    return name


@case("docker-registry-plain")
def docker_registry_plain(bed):
    with debian_registry(bed) as place:
        to_and_fro(bed, place)


@case("docker-registry-htpasswd")
def docker_registry_htpasswd(bed):
    with debian_registry(bed, htpasswd=True) as place:
        shown = bed.escale.login(place)
        place.is_logged_in = True
        expect(PASSWORD not in shown.stdout + shown.stderr, "`login` shows the password")
        file = bed.escale.config
        expect(file.exists(), f"`login` wrote no {file}")
        auth = json.loads(file.read_text("utf-8"))["auths"][place.address]["auth"]
        expect(base64.b64decode(auth).decode() == f"{USER}:{PASSWORD}", "config.json has another secret")
        expect(stat.S_IMODE(file.stat().st_mode) == 0o600, f"config.json has mode {stat.S_IMODE(file.stat().st_mode):o}")
        # What else is there stays.
        config = json.loads(file.read_text("utf-8"))
        config["detachKeys"] = "ctrl-e,e"
        config["auths"]["registry.example"] = {"auth": "eDp5"}
        file.write_text(json.dumps(config), "utf-8")
        name = to_and_fro(bed, place)
        bed.escale.logout(place)
        config = json.loads(file.read_text("utf-8"))
        expect(place.address not in config.get("auths", {}), "`logout` left the secret")
        expect((config.get("detachKeys"), list(config["auths"])) == ("ctrl-e,e", ["registry.example"]), f"`logout` left {config}")
        file.unlink()
        complaint(bed.escale.pull(name, check=False), NOBODY)


@case("docker-registry-tls")
def docker_registry_tls(bed):
    with debian_registry(bed, authority=authority(bed)) as place:
        to_and_fro(bed, place)


@case("docker-registry-tls-verified")
def docker_registry_tls_verified(bed):
    """By names that are not the loopback interface's, whose registries need no certificate that is known."""
    with debian_registry(bed, authority=authority(bed)) as place:
        sample, where = images.sample(bed), repository("verified")
        bed.skopeo.push(sample.source, place.name(where), place)
        ca = place.ca.read_text("ascii")
        names = {name: f"{name}.test:{place.port}" for name in ("registry", "stranger", "other")}
        # The authority is known for the first and the third; the certificate is not the third's.
        escale = Escale(bed.scratch, "escale-tls")
        try:
            escale.start_with_etc(bed.directory("etc"), {
                "hosts": "".join(f"127.0.0.1 {name}.test\n" for name in names) + "127.0.0.1 localhost\n",
                **{f"escale/certs.d/{names[name]}/ca.crt": ca for name in ("registry", "other")}})
            escale("pull", f"{names['registry']}/{where}")
            expect(escale.identity(f"{names['registry']}/{where}:latest") == sample.identity, "another image was pulled")
            escale("tag", f"{names['registry']}/{where}:latest", f"{names['registry']}/{where}:copy")
            escale("push", f"{names['registry']}/{where}:copy")
            place.api.manifest(where, "copy")
            complaint(escale("pull", f"{names['stranger']}/{where}", check=False), "certificate")
            complaint(escale("pull", f"{names['other']}/{where}", check=False), "certificate|name")
            escale("tag", f"{names['registry']}/{where}:latest", f"{names['stranger']}/{where}:never")
            complaint(escale("push", f"{names['stranger']}/{where}:never", check=False), "certificate")
            expect(place.api("GET", f"/v2/{where}/manifests/never").status == 404, "it was pushed all the same")
        finally:
            escale.close()


@case("docker-registry-tls-docker-directory")
def docker_registry_tls_docker_directory(bed):
    """The authority's certificate where Docker has it."""
    with debian_registry(bed, authority=authority(bed)) as place:
        sample, name = images.sample(bed), place.name(repository("certs"))
        bed.skopeo.push(sample.source, name, place)
        there = ROOT.__class__("/etc/docker/certs.d")
        made = [path for path in (there.parent, there) if not path.exists()]
        directory = there / place.address
        directory.mkdir(parents=True)
        try:
            shutil.copy(place.ca, directory / "ca.crt")
            bed.escale("pull", name)
        finally:
            shutil.rmtree(directory)
            for path in reversed(made):
                path.rmdir()
        sample.check(bed.escale, name)


@case("docker-registry-wrong-password")
def docker_registry_wrong_password(bed):
    with debian_registry(bed, htpasswd=True) as place:
        words = "password|unauthori[sz]ed|credentials|denied"
        complaint(bed.escale.login(place, "wrong", check=False), words, re.escape(place.address))
        text = bed.escale.config.read_text("utf-8") if bed.escale.config.exists() else ""
        expect(place.address not in text, "the wrong password was kept")
        complaint(bed.escale("pull", place.name("interop/x"), check=False), words + "|log ?in")
        sample, name = images.sample(bed), place.name(repository("denied"))
        bed.escale.load(sample.archive(bed, "oci-archive", name))
        complaint(bed.escale("push", name, check=False), words + "|log ?in")
        # A wrong one in the file, as after it was changed.
        bed.escale.config.parent.mkdir(exist_ok=True)
        secret = base64.b64encode(f"{USER}:old".encode()).decode()
        bed.escale.config.write_text(json.dumps({"auths": {place.address: {"auth": secret}}}), "utf-8")
        try:
            complaint(bed.escale("push", name, check=False), words + "|log ?in")
        finally:
            bed.escale.config.unlink()


@case("docker-registry-missing")
def docker_registry_missing(bed):
    with debian_registry(bed) as place:
        words = "not found|no such|there is no|unknown|does not exist|has no|404"
        complaint(bed.escale("pull", place.name("interop/no-such"), check=False), words, "interop/no-such")
        place.api.small_image("interop/there", "1")
        complaint(bed.escale("pull", place.name("interop/there", "2"), check=False), words)
        complaint(bed.escale("pull", f"{place.address}/interop/there@{digest_of(b'never there')}", check=False), words)
        complaint(bed.escale("push", place.name("interop/never-made"), check=False), words)
    # Nobody is there.
    complaint(bed.escale("pull", place.name("interop/there", "1"), check=False), "connect|refused|reach")
    complaint(bed.escale("pull", "Not A Name", check=False), "name|reference")


@case("docker-registry-index")
def docker_registry_index(bed):
    """Of several architectures Escale takes this host's."""
    source, index, members, first = images.multi(bed)
    with debian_registry(bed) as place:
        where = repository("index")
        name = place.name(where)
        bed.skopeo.push(f"oci:{source}", name, place, "--all", "--preserve-digests")
        bed.escale.pull(name)
        expect(bed.escale.identity(name) == members["amd64"][2], "it took another architecture")
        expect(bed.escale.run(name, "cat", "/marker").strip() == first, "the content is another architecture's")
        digests = bed.escale.inspect(name)["RepoDigests"]
        expect(f"{place.address}/{where}@{index['digest']}" in digests, f"RepoDigests is {digests}, not the index's")


@case("docker-registry-token")
def docker_registry_token(bed):
    with Tokens(bed.directory("tokens")) as tokens, debian_registry(bed, tokens=tokens) as place:
        # Anybody may pull below public/: an anonymous token.
        sample, public = images.sample(bed), f"{place.address}/public/sample:1"
        bed.skopeo.push(sample.source, public, place, "--preserve-digests")
        bed.escale("pull", public)
        sample.check(bed.escale, public)
        expect(any(user is None and "repository:public/sample:pull" in scopes for user, scopes in tokens.requests),
               f"nobody asked anonymously for the scope: {tokens.requests}")
        complaint(bed.escale("pull", place.name("private/x"), check=False), NOBODY)
        complaint(bed.escale.login(place, "wrong", check=False), "password|unauthori[sz]ed|credentials|denied")
        bed.escale.login(place)
        tokens.requests.clear()
        own = place.name(repository("token"))
        bed.escale.tag(public, own)
        bed.escale("push", own)
        where = own.partition("/")[2].rpartition(":")[0]
        asked = [scope for user, scopes in tokens.requests if user == USER for scope in scopes]
        expect(any(scope.startswith(f"repository:{where}:") and "push" in scope for scope in asked), f"scopes asked for: {asked}")
        bed.escale.remove(public, own)
        bed.escale("pull", own)
        sample.check(bed.escale, own)
        bed.escale.logout(place)


def faulty(bed, size=20_000, layers=3):
    """A registry with a sample, behind a proxy that makes faults: the registry, the proxy, the sample and its name."""
    registry = debian_registry(bed)
    place = registry.__enter__()
    proxy = Faults(place)
    try:
        sample = images.sample(bed, layers, size)
        where = repository("faults")
        bed.skopeo.push(sample.source, place.name(where), place, "--preserve-digests")
        proxy.__enter__()
    except BaseException:
        registry.__exit__(None, None, None)
        raise

    def end():
        proxy.__exit__()
        registry.__exit__(None, None, None)
    return proxy, sample, where, end


@each("docker-registry-{}", (429, 503))
def docker_registry_busy(bed, status):
    """A busy registry is asked again, after the time that it says."""
    proxy, sample, where, end = faulty(bed)
    wait = 2 if status == 429 else 0
    headers = {"Retry-After": str(wait)} if wait else {}
    layer = json.loads(sample.layout.read(sample.digest))["layers"][1]["digest"]
    try:
        name = proxy.place.name(where)
        proxy.faults = [Fault("GET", f"/{where}/manifests/", status, headers), Fault("GET", layer, status, headers)]
        bed.escale.pull(name)
        sample.check(bed.escale, name)
        asked_again(proxy, "GET", layer, status, wait)
        asked_again(proxy, "GET", f"/{where}/manifests/", status, wait)
        # And with a push of something new
        other = images.sample(bed)
        name = proxy.place.name(repository("busy"))
        path = name.partition("/")[2].rpartition(":")[0]
        bed.escale.load(other.archive(bed, "oci-archive", name))
        proxy.faults = [Fault("POST", f"/{path}/blobs/uploads/", status, headers),
                        Fault("PUT", f"/{path}/manifests/", status, headers)]
        bed.escale.push(name)
        asked_again(proxy, "PUT", f"/{path}/manifests/", status, wait)
        expect(not any(fault.left for fault in proxy.faults), "not all faults were met")
        found = json.loads(proxy.place.api.manifest(path, "latest"))["config"]["digest"]
        expect(found == other.identity, "the registry has another image")
    finally:
        end()


def asked_again(proxy, method, text, status, wait):
    seen = proxy.requests(method, text)
    refused = next((one for one in seen if one["status"] == status), None)
    expect(refused, f"{method} {text} was never answered with {status}")
    later = [one for one in seen if one["time"] > refused["time"] and one["status"] != status]
    expect(later, f"{method} {text} was not asked again after {status}")
    waited = later[0]["time"] - refused["time"]
    expect(waited >= wait * 0.95, f"{method} {text} was asked again after {waited:.1f} s, not {wait} s")
    expect(waited < wait + 30, f"{method} {text} was asked again only after {waited:.1f} s")


@case("docker-registry-503-for-good")
def docker_registry_503_for_good(bed):
    proxy, _, where, end = faulty(bed)
    try:
        proxy.faults = [Fault(method, f"/{where}/manifests/", 503, times=1000) for method in ("GET", "HEAD")]
        complaint(bed.escale.pull(proxy.place.name(where), check=False, timeout=180), "503|unavailable")
        count = len(proxy.requests("GET", f"/{where}/manifests/"))
        expect(count <= 30, f"it asked {count} times")
    finally:
        end()


@case("docker-registry-cut")
def docker_registry_cut(bed):
    """The connection is cut in the middle of a layer: the pull goes on from there."""
    proxy, sample, where, end = faulty(bed, size=8_000_000, layers=2)
    try:
        layers = json.loads(sample.layout.read(sample.digest))["layers"]
        large = max(layers, key=lambda one: one["size"])
        proxy.faults = [Fault("GET", large["digest"], cut=True)]
        name = proxy.place.name(where)
        bed.escale.pull(name)
        sample.check(bed.escale, name)
        seen = proxy.requests("GET", large["digest"])
        ranges = [one for one in seen if one["range"] and one["status"] == 206]
        expect(ranges, f"the layer was not asked for with a Range: {[(one['range'], one['status']) for one in seen]}")
        start = int(re.match(r"bytes=(\d+)-", ranges[0]["range"])[1])
        expect(0 < start <= large["size"] // 2, f"it went on at {start} of {large['size']}, cut at the half")
        others = {one["digest"]: len(proxy.requests("GET", one["digest"])) for one in layers if one is not large}
        expect(max(others.values()) <= 1, f"other layers were asked for several times: {others}")
    finally:
        end()


@case("docker-registry-corrupt")
def docker_registry_corrupt(bed):
    """A layer whose content is not its digest's is refused, and nothing of it stays."""
    with debian_registry(bed) as place:
        sample, where = images.sample(bed), repository("corrupt")
        bed.skopeo.push(sample.source, place.name(where), place, "--preserve-digests")
        digits = json.loads(sample.layout.read(sample.digest))["layers"][1]["digest"].partition(":")[2]
        pattern = f"docker-registry*/store/docker/registry/v2/blobs/sha256/{digits[:2]}/{digits}/data"
        [store] = (bed.scratch / "cases").glob(pattern)
        data = bytearray(store.read_bytes())
        data[len(data) // 2] ^= 1
        store.write_bytes(data)
        complaint(bed.escale.pull(place.name(where), check=False, timeout=120), "digest|checksum|sha256|match|corrupt")
        expect(not bed.escale.has(place.name(where)), "the image is there")
        data[len(data) // 2] ^= 1
        store.write_bytes(data)
        bed.escale.pull(place.name(where))
        sample.check(bed.escale, place.name(where))


@case("docker-registry-credential-helper")
def docker_registry_credential_helper(bed):
    log = bed.directory("helper") / "log"
    helper = bed.escale.helpers / "docker-credential-test"
    answer = json.dumps({"ServerURL": "x", "Username": USER, "Secret": PASSWORD})
    helper.write_text(f"#!/bin/sh\nread -r server\necho \"$1 $server\" >> {log}\n"
                      f"[ \"$1\" = get ] && echo '{answer}'\nexit 0\n", "ascii")
    helper.chmod(0o755)
    config = bed.escale.config
    config.parent.mkdir(exist_ok=True)
    try:
        with debian_registry(bed, htpasswd=True) as place:
            config.write_text(json.dumps({"credHelpers": {place.address: "test"}}), "utf-8")
            place.is_logged_in = True
            to_and_fro(bed, place)
            calls = log.read_text("ascii").splitlines()
            expect(f"get {place.address}" in calls, f"the helper was called with {calls}")
            # `login` and `logout` go to the helper as well, and the secret not into the file.
            bed.escale.login(place)
            bed.escale.logout(place)
            calls = [line.split()[0] for line in log.read_text("ascii").splitlines()]
            expect({"store", "erase"} <= set(calls), f"the helper was called with {sorted(set(calls))}")
            expect("auth\"" not in config.read_text("utf-8"), "the secret is in config.json")
            helper.write_text("#!/bin/sh\ncat > /dev/null\necho credentials not found in native keychain\nexit 1\n", "ascii")
            complaint(bed.escale("pull", place.name("interop/x"), check=False), NOBODY)
    finally:
        helper.unlink(missing_ok=True)
        config.unlink(missing_ok=True)


# Images built by one run under the other

def base_of(bed, engine, form="docker-archive"):
    """The image with oddities, in the engine's store."""
    if not hasattr(bed, "oddities"):
        bed.oddities = images.oddities(bed)
    name = "localhost/oddities:1"
    engine.load(bed.oddities.archive(bed, form, name))
    return name


def built(bed, engine):
    """The image of the Dockerfile, built by the engine, once."""
    if not hasattr(bed, "built"):
        bed.built = {}
    if engine.name not in bed.built:
        base = base_of(bed, engine)
        name = f"localhost/built-by-{engine.name}:1"
        engine.build(name, images.context(bed, base))
        bed.built[engine.name] = name
    return bed.built[engine.name]


# Docker 20.10 loads archives of its own kind only.
@each("layers-docker-archive-{1}", ("docker-archive",), ("escale", "docker", "podman"))
@each("layers-oci-archive-{1}", ("oci-archive",), ("escale", "podman"))
def layers(bed, form, name):
    """Layers by hand, in every engine; that the peers pass shows that the expectations are right."""
    engine = bed.engine(name)
    base = base_of(bed, engine, form)
    images.check_oddities(engine, base)
    bed.oddities.check(engine, base)


@case("layers-again")
def layers_again(bed):
    """What Escale pushes and saves of them is the same again to others."""
    name = base_of(bed, bed.escale)
    with debian_registry(bed) as place:
        remote = place.name(repository("layers"))
        bed.escale.tag(name, remote)
        bed.escale.push(remote)
        for engine in (bed.docker, bed.podman):
            engine.pull(remote, place)
            images.check_oddities(engine, remote)
            engine.remove(remote)


@each("built-{}", ("escale", "docker", "podman"))
def built_at_home(bed, name):
    engine = bed.engine(name)
    # Podman writes OCI configurations, which have no health check.
    images.check_built(engine, built(bed, engine), has_health=name != "podman")


@each("built-escale-pushed-{}", ("docker", "podman"))
def built_escale_pushed(bed, name):
    image = built(bed, bed.escale)
    with debian_registry(bed) as place:
        remote = place.name(repository("built"))
        bed.escale.tag(image, remote)
        bed.escale.push(remote)
        engine = bed.engine(name)
        engine.pull(remote, place)
        expect(engine.identity(remote) == bed.escale.identity(image), f"{name} has another ID for it")
        images.check_built(engine, remote, has_health=name == "docker")
        engine.remove(remote)


@each("built-escale-saved-{}-{}", ("docker-archive", "oci-archive"), ("docker", "podman"))
def built_escale_saved(bed, form, name):
    image = built(bed, bed.escale)
    engine = bed.engine(name)
    file = bed.directory("saved") / "image.tar"
    bed.escale.save(file, form, image)
    if (form, name) == ("oci-archive", "docker"):  # which Docker 20.10 does not load
        converted = file.with_name("converted.tar")
        bed.skopeo.convert(f"oci-archive:{file}", f"docker-archive:{converted}:{image}")
        file = converted
    engine.load(file)
    images.check_built(engine, image, has_health=name == "docker")
    engine.remove(image)


@each("built-{}-pushed-escale", ("docker", "podman"))
def built_others_pushed(bed, name):
    engine = bed.engine(name)
    image = built(bed, engine)
    with escale_registry(bed) as place:
        remote = place.name(repository("built"))
        engine.tag(image, remote)
        engine.push(remote, place)
        bed.escale.pull(remote)
        expect(bed.escale.identity(remote) == engine.identity(image), f"Escale has another ID for it than {name}")
        images.check_built(bed.escale, remote, has_health=name == "docker")
        bed.escale.remove(remote)
        engine.remove(remote)


@each("built-{}-saved-{}-escale", ("docker", "podman"), ("docker-archive", "oci-archive"))
def built_others_saved(bed, name, form):
    engine = bed.engine(name)
    image = built(bed, engine)
    file = bed.directory("saved") / "image.tar"
    if (name, form) == ("docker", "oci-archive"):  # which Docker 20.10 does not save
        bed.docker.save(file.with_name("original.tar"), "docker-archive", image)
        bed.skopeo.convert(f"docker-archive:{file.with_name('original.tar')}", f"oci-archive:{file}:{image}")
    else:
        engine.save(file, form, image)
    bed.escale.load(file)
    images.check_built(bed.escale, image, has_health=(name, form) == ("docker", "docker-archive"))
    bed.escale.remove(image)


@case("built-again")
def built_again(bed):
    """A build with nothing changed is the same image; without the cache it has the same content."""
    base = base_of(bed, bed.escale)
    place = images.context(bed, base)
    bed.escale.build("localhost/again:1", place)
    first = bed.escale.identity("localhost/again:1")
    bed.escale.build("localhost/again:1", place)
    expect(bed.escale.identity("localhost/again:1") == first, "built again it is another image")
    bed.escale.build("localhost/again:2", place, "--no-cache", "-f", place / "Dockerfile")
    images.check_built(bed.escale, "localhost/again:2")


# What Escale writes is what the specification says

@case("schemas-push")
def schemas_push(bed):
    schemas.check_schemas()
    image = built(bed, bed.escale)
    for kind in (debian_registry, escale_registry):
        with kind(bed) as place:
            where = repository("schemas")
            bed.escale.tag(image, place.name(where))
            bed.escale.push(place.name(where))
            kinds = schemas.check_registry(place.api, where, "latest", "what Escale pushed")
            expect({"manifest", "config"} <= kinds, f"only {kinds}")
            raw = bed.skopeo.raw(place.name(where), place)
            expect(raw.encode() == place.api.manifest(where, "latest"), "skopeo sees another manifest")
            config = bed.skopeo.config(place.name(where), place)
            schemas.validate("config", config, "the configuration by skopeo")
            expect(digest_of(config.encode()) == bed.escale.identity(image), "the configuration's digest is not the image's ID")


@case("schemas-save-oci")
def schemas_save_oci(bed):
    image, other = built(bed, bed.escale), base_of(bed, bed.escale)
    file = bed.directory("saved") / "image.tar"
    bed.escale.save(file, "oci-archive", image, other)
    names = schemas.check_oci_archive(file, "image save --format oci-archive")
    expect(len([name for name in names if name]) >= 2, f"the archive names {names}")
    single = file.with_name("single.tar")
    bed.escale.save(single, "oci-archive", image)
    target = file.parent / "layout"
    bed.skopeo.convert(f"oci-archive:{single}", f"oci:{target}:x")
    manifest = json.loads(bed.skopeo("inspect", "--raw", f"oci-archive:{single}").stdout)
    expect(manifest["config"]["digest"] == bed.escale.identity(image), "skopeo sees another image in the archive")
    schemas.validate("manifest", json.dumps(manifest), "the manifest by skopeo")


@case("schemas-save-docker")
def schemas_save_docker(bed):
    image, other = built(bed, bed.escale), base_of(bed, bed.escale)
    file = bed.directory("saved") / "image.tar"
    bed.escale.save(file, "docker-archive", image, other)
    names = schemas.check_docker_archive(file, "image save --format docker-archive")
    expect(len(names) == 2, f"the archive names {names}")
    target = file.parent / "layout"
    bed.skopeo.convert(f"docker-archive:{file}:{names[0]}", f"oci:{target}:x")
    bed.skopeo("inspect", f"docker-archive:{file}:{names[1]}")
    # The default is Docker's kind.
    plain = file.with_name("plain.tar")
    bed.escale("image", "save", image, "-o", plain)
    schemas.check_docker_archive(plain, "image save")


@case("schemas-import")
def schemas_import(bed):
    """An imported file system too."""
    bed.escale("image", "import", BUSYBOX, "localhost/imported:1")
    for form, check in (("oci-archive", schemas.check_oci_archive), ("docker-archive", schemas.check_docker_archive)):
        file = bed.directory("saved") / "image.tar"
        bed.escale.save(file, form, "localhost/imported:1")
        check(file, f"an imported image as {form}")
        bed.escale.remove("localhost/imported:1")
        bed.escale.load(file)
        expect(bed.escale.run("localhost/imported:1", "echo", "runs").strip() == "runs", "it does not run")
        bed.podman.load(file)
        bed.podman.remove("localhost/imported:1")


@case("store-fsck")
def store_fsck(bed):
    """After all of this the store is sound."""
    images.sample(bed)
    bed.escale("image", "ls")
    bed.escale("image", "fsck")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", metavar="PATTERN", help="run only the cases of that name (repeatable)")
    parser.add_argument("--list", action="store_true", help="show the cases' names")
    parser.add_argument("--keep-going", action="store_true", help="run the other cases also after a failure")
    options = parser.parse_args()
    names = [name for name in CASES if not options.only or any(fnmatch.fnmatchcase(name, one) for one in options.only)]
    if options.list:
        print("\n".join(names))
        return
    if not names:
        raise SystemExit("error: there is no such case\n  hint: --list")
    if os.geteuid() != 0:
        raise SystemExit("error: containers need root")
    if not BUSYBOX.exists():
        raise SystemExit(f"error: {BUSYBOX} is not there\n  hint: scripts/busybox-image.sh")
    for program in ("docker-registry", "dockerd", "podman", "buildah", "skopeo", "htpasswd", "openssl", "curl"):
        if shutil.which(program) is None:
            raise SystemExit(f"error: {program} is not installed\n  hint: scripts/setup.sh test")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    failed = []
    with Bed() as bed:
        for name in names:
            function, arguments = CASES[name]
            began = time.monotonic()
            try:
                function(bed, *arguments)
                print(f"ok    {name} ({time.monotonic() - began:.1f} s)", flush=True)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is the case's
                failed.append(name)
                print(f"FAIL  {name} ({time.monotonic() - began:.1f} s)", flush=True)
                text = str(error) if isinstance(error, Failure) else traceback.format_exc()
                print("      " + text.replace("\n", "\n      "), flush=True)
                if not options.keep_going:
                    break
    print(f"{len(names)} cases, {len(failed)} failed" + (f": {' '.join(failed)}" if failed else ""))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
