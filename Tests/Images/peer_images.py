"""Images that are hard to keep whole, the Dockerfile that is built everywhere, and what containers of them must print."""

import gzip
import io
import json
import os
import tarfile

from peer_registry import CONFIG, INDEX, MANIFEST, digest_of
from peer_tools import BUSYBOX, expect

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LONG = f"{'d' * 180}/{'e' * 180}/{'f' * 200}.txt"  # more than the 255 bytes that a ustar header has room for
# A version 2 capability set: permitted and effective cap_net_bind_service.
BINDS = bytes([1, 0, 0, 2, 0, 4]) + bytes(14)


def file(name, content="", mode=0o644, **more):
    return {"name": name, "kind": tarfile.REGTYPE, "data": content.encode() if isinstance(content, str) else content,
            "mode": mode, **more}


def directory(name, mode=0o755, **more):
    return {"name": name, "kind": tarfile.DIRTYPE, "mode": mode, **more}


def link(name, target, hard=False):
    return {"name": name, "kind": tarfile.LNKTYPE if hard else tarfile.SYMTYPE, "target": target, "mode": 0o777}


def layer(*entries):
    """An uncompressed layer."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for one in entries:
            info = tarfile.TarInfo(one["name"])
            info.type, info.mode, info.mtime = one["kind"], one["mode"], 1_700_000_000
            info.uid, info.gid = one.get("owner", (0, 0))
            info.linkname = one.get("target", "")
            info.size = len(one.get("data", b""))
            if "capability" in one:
                info.pax_headers["SCHILY.xattr.security.capability"] = one["capability"].decode("ascii")
            tar.addfile(info, io.BytesIO(one["data"]) if info.size else None)
    return buffer.getvalue()


def marker():
    """A layer that no other image has, and its text."""
    text = os.urandom(16).hex()
    return text, layer(file("marker", text + "\n"))


class Layout:
    """A directory in the OCI image layout."""

    def __init__(self, path):
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}', "ascii")
        self._index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": []}

    def blob(self, data, media_type):
        digest = digest_of(data)
        (self.path / "blobs/sha256" / digest.partition(":")[2]).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def image(self, layers, config=None, architecture="amd64"):
        config = {"created": "2026-01-01T00:00:00Z", "architecture": architecture, "os": "linux",
                  "config": {"Env": [f"PATH={PATH}"], **(config or {})},
                  "rootfs": {"type": "layers", "diff_ids": [digest_of(one) for one in layers]},
                  "history": [{"created": "2026-01-01T00:00:00Z", "created_by": f"layer {number}"}
                              for number in range(len(layers))]}
        descriptors = [self.blob(gzip.compress(one, 1, mtime=0), LAYER) for one in layers]
        config = self.blob(json.dumps(config).encode(), CONFIG)
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": descriptors}
        return self.blob(json.dumps(manifest).encode(), MANIFEST), config["digest"]

    def index(self, members):
        """An index of manifests with their architectures."""
        return self.blob(json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": [
            {**descriptor, "platform": {"architecture": architecture, "os": "linux"}}
            for architecture, descriptor in members]}).encode(), INDEX)

    def name(self, descriptor, name):
        self._index["manifests"].append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        (self.path / "index.json").write_text(json.dumps(self._index), "ascii")
        return f"{self.path}:{name}"

    def read(self, digest):
        return (self.path / "blobs/sha256" / digest.partition(":")[2]).read_bytes()


class Sample:
    """An image in a layout: what it is called there, its digests, and its marker."""

    def __init__(self, place, layers=(), config=None):
        self.marker, last = marker()
        self.layout = Layout(place / "layout")
        base = BUSYBOX.read_bytes()
        self.descriptor, self.identity = self.layout.image([base, *layers, last], config)
        self.digest = self.descriptor["digest"]
        self.source = "oci:" + self.layout.name(self.descriptor, "sample")
        self._place = place

    def archive(self, bed, form, name):
        """A file that engines load, made by Skopeo."""
        path = self._place / f"{form}.tar"
        if not path.exists():
            target = f"docker-archive:{path}:{name}" if form == "docker-archive" else f"oci-archive:{path}:{name}"
            bed.skopeo.convert(self.source, target)
        return path

    def check(self, engine, name):
        """The engine's image is this one and runs."""
        found = engine.identity(name)
        expect(found == self.identity, f"{engine.name} has {name} as {found}, not {self.identity}")
        said = engine.run(name, "cat", "/marker").strip()
        expect(said == self.marker, f"{name} under {engine.name} printed {said!r}, not its marker")


def sample(bed, layers=3, size=20_000):
    """Several layers with something random in each."""
    return Sample(bed.directory("sample"), [
        layer(directory(f"layer-{number}"), file(f"layer-{number}/data", os.urandom(size))) for number in range(layers)])


def multi(bed, architectures=("amd64", "arm64", "arm")):
    """An index; returns its layout's name, its descriptor, the manifests' descriptors and the marker of the first."""
    layout = Layout(bed.directory("multi") / "layout")
    members, first, names = [], None, {}
    for architecture in architectures:
        text, last = marker()
        first = first or text
        descriptor, identity = layout.image([BUSYBOX.read_bytes(), last], architecture=architecture)
        members.append((architecture, descriptor))
        names[architecture] = (layout.name(descriptor, architecture), descriptor["digest"], identity)
    index = layout.index(members)
    return layout.name(index, "all"), index, names, first


# What layers have in them, and what is left of it

def _busybox():
    with tarfile.open(BUSYBOX) as tar:
        return tar.extractfile("./bin/busybox").read()


def oddities(bed):
    """Layers by hand with all that is easily lost, and whiteouts of both kinds."""
    program = _busybox()
    below = layer(
        directory("opt"), file("opt/first", "first\n"), link("opt/linked", "opt/first", hard=True),
        link("opt/absolute", "/opt/first"), link("opt/relative", "../opt/first"), link("opt/dangling", "nowhere"),
        file("opt/busybox-cap", program, 0o755, capability=BINDS),
        file("opt/busybox-suid", program, 0o4755), file("opt/setgid", "", 0o2711),
        directory("opt/sticky", 0o1777), directory("opt/group", 0o2775, owner=(1234, 4321)),
        file("opt/owned", "", 0o640, owner=(1234, 4321)), file("opt/huge-owner", "", owner=(3_000_000, 3_000_001)),
        file("opt/été 日本.txt", "unicode\n"), file("opt/ leading and trailing ", "spaces\n"),
        directory("long"), *[directory(f"long/{LONG.rsplit('/', depth)[0]}") for depth in (2, 1)],
        file(f"long/{LONG}", "long\n"), link(f"long/{LONG}.link", f"long/{LONG}", hard=True),
        link("long/symbolic", f"/long/{LONG}"),
        file("gone", "gone\n"), directory("gone-dir"), file("gone-dir/inside", ""),
        directory("old"), file("old/a", ""), directory("old/deep"), file("old/deep/b", ""),
        file("swap", "a file\n"), directory("flip"), file("flip/inside", ""), file("kept", "kept\n"),
        directory("again"), file("again/former", ""))
    above = layer(
        file(".wh.gone"), file(".wh.gone-dir"), directory("old", 0o750), file("old/.wh..wh..opq"), file("old/new", "new\n"),
        directory("swap"), file("swap/inside", "now a directory\n"), file("flip", "now a file\n"),
        file("opt/.wh.owned"), file(".wh.again"))
    third = layer(directory("again"), file("again/latter", ""), file("opt/.hidden", "hidden\n"))
    return Sample(bed.directory("oddities"), [below, above, third])


ODDITIES = r"""
say() { echo "$1=$2"; }
same() { [ "$1" -ef "$2" ] && echo yes || echo no; }
say first "$(cat /opt/first)"
say links "$(stat -c %h /opt/first) $(same /opt/first /opt/linked)"
say symbolic "$(readlink /opt/absolute) $(readlink /opt/relative) $(readlink /opt/dangling) $(cat /opt/relative)"
say modes "$(stat -c %a /opt/busybox-cap /opt/busybox-suid /opt/setgid /opt/sticky /opt/group | tr '\n' ' ')"
say owners "$(stat -c %u:%g /opt/group /opt/huge-owner | tr '\n' ' ')"
say time "$(stat -c %Y /opt/first)"
say unicode "$(cat '/opt/été 日本.txt') $(cat '/opt/ leading and trailing ')"
say long "$(cat /long/symbolic) $(stat -c %h /long/symbolic | tr -d '\n')"
say longlinks "$(cd /long/d*/e* && stat -c %h f*.txt) $(cd /long/d*/e* && same f*.txt f*.link)"
say gone "$(ls -d /gone /gone-dir /opt/owned 2>/dev/null | wc -l)"
say old "$(ls -A /old | tr '\n' ' ')$(stat -c %a /old)"
say swap "$(cat /swap/inside) $(cat /flip)"
say again "$(ls -A /again)"
say kept "$(cat /kept) $(cat /opt/.hidden)"
say whiteouts "$(find / -xdev -name '.wh.*' 2>/dev/null | wc -l)"
"""
ODDITIES_EXPECTED = {
    "first": "first", "links": "2 yes", "symbolic": "/opt/first ../opt/first nowhere first",
    "modes": "755 4755 2711 1777 2775 ", "owners": "1234:4321 3000000:3000001 ", "time": "1700000000",
    "unicode": "unicode spaces", "long": "long 1", "longlinks": "2 yes", "gone": "0", "old": "new 750",
    "swap": "now a directory now a file", "again": "latter", "kept": "kept hidden", "whiteouts": "0"}
CAPABILITY = ["/opt/busybox-cap", "grep", "CapEff", "/proc/self/status"]


def compare(engine, name, output, expected):
    found = dict(line.split("=", 1) for line in output.splitlines() if "=" in line)
    wrong = [f"{key}: {found.get(key)!r}, not {value!r}" for key, value in expected.items() if found.get(key) != value]
    expect(not wrong, f"{name} under {engine.name}: " + "; ".join(wrong))


def check_capability(engine, name, path=CAPABILITY[0], through_shell=False):
    command = [path, *CAPABILITY[1:]]
    output = engine.run(name, *([" ".join(command)] if through_shell else command), user="1000:1000")
    expect(output.split()[-1:] and int(output.split()[-1], 16) & 0x400,
           f"{name} under {engine.name}: {path} has lost its capability: {output!r}")


def check_oddities(engine, name):
    compare(engine, name, engine.run(name, "sh", "-c", ODDITIES), ODDITIES_EXPECTED)
    check_capability(engine, name)


# What every builder makes

DOCKERFILE = """\
FROM {base} AS maker
ARG WORD=argument
RUN mkdir -p /out/deep && echo "made of $WORD" > /out/made && echo deep > /out/deep/file
RUN chmod 4711 /out/made && ln -s ../made /out/deep/up

FROM {base}
LABEL org.example.title="A title, with \\"quotes\\"" org.example.line=one
ENV GREETING="hello world" EXTRA=$GREETING/x
COPY --from=maker /out /out
COPY files/ /srv/
COPY --chown=1234:4321 files/script.sh /usr/local/bin/script.sh
RUN mkdir /links && echo one > /links/a && ln /links/a /links/b && ln /links/a "/links/$(printf '%0150d' 0)" \\
    && mkdir -p "/names/$(printf '%0200d' 1)" && echo long > "/names/$(printf '%0200d' 1)/$(printf '%0200d' 2)"
RUN rm /kept && rm -r /again && mkdir /again && echo fresh > /again/fresh \\
    && rm -r /flip && mkdir /flip && touch /flip/.hidden && mkdir /volatile && touch /volatile/x
RUN chmod 700 /opt/first && chmod 6755 /srv/script.sh && touch /opt/busybox-cap && rm -r /volatile && chown 5:6 /swap
RUN script.sh > /said
WORKDIR /srv
EXPOSE 8080/tcp
HEALTHCHECK --interval=7s --timeout=3s --retries=2 CMD ["true"]
STOPSIGNAL SIGINT
USER 1000:1000
ENTRYPOINT ["sh", "-c"]
CMD ["echo default $GREETING $(id -u):$(id -g) $(pwd)"]
"""
BUILT = r"""
say() { echo "$1=$2"; }
same() { [ "$1" -ef "$2" ] && echo yes || echo no; }
say made "$(stat -c %a /out/made) $(cat /out/deep/file) $(readlink /out/deep/up)"
say greeting "$GREETING $EXTRA"
say script "$(script.sh)"
say said "$(cat /said)"
say modes "$(stat -c %a /srv/script.sh) $(stat -c %a /srv/private) $(stat -c %u:%g /usr/local/bin/script.sh)"
say links "$(stat -c %h /links/a) $(same /links/a /links/b) $(same /links/a /links/0*)"
say names "$(cat /names/0*/0*)"
say gone "$(ls -d /kept /volatile 2>/dev/null | wc -l)"
say again "$(ls -A /again)$(ls -A /flip)"
say first "$(stat -c %a:%u /opt/first)"
say swap "$(stat -c %u:%g /swap) $(cat /swap/inside)"
say former "$(cat /opt/linked) $(ls -A /old)"
say srv "$(cd /srv && echo *)"
"""
BUILT_EXPECTED = {
    "made": "4711 deep ../made", "greeting": "hello world /x", "script": "script ran", "said": "script ran",
    "modes": "6755 600 1234:4321", "links": "3 yes yes", "names": "long", "gone": "0", "again": "fresh.hidden",
    "first": "700:0", "swap": "5:6 now a directory", "former": "first new", "srv": "private script.sh ünï"}


def context(bed, base):
    """A directory to build in; returns it."""
    place = bed.directory("context")
    files = place / "files"
    files.mkdir()
    (files / "script.sh").write_text("#!/bin/sh\necho script ran\n", "ascii")
    (files / "script.sh").chmod(0o755)
    (files / "private").write_text("private\n", "ascii")
    (files / "private").chmod(0o600)
    (files / "ünï").write_text("", "ascii")
    (files / "ignored.log").write_text("", "ascii")
    (place / ".dockerignore").write_text("**/*.log\n", "ascii")
    (place / "Dockerfile").write_text(DOCKERFILE.format(base=base), "utf-8")
    return place


def check_built(engine, name, has_health=True):
    compare(engine, name, engine.run(name, BUILT, user="0:0"), BUILT_EXPECTED)
    said = engine.run(name).strip()
    expect(said == "default hello world 1000:1000 /srv", f"{name} under {engine.name} printed {said!r} by default")
    check_capability(engine, name, through_shell=True)
    config = engine.inspect(name)["Config"]
    expected = {"User": "1000:1000", "WorkingDir": "/srv", "Entrypoint": ["sh", "-c"], "StopSignal": "SIGINT"}
    wrong = [f"{key}: {config.get(key)!r}, not {value!r}" for key, value in expected.items() if config.get(key) != value]
    if (labels := config.get("Labels") or {}).get("org.example.title") != 'A title, with "quotes"':
        wrong.append(f"Labels: {labels!r}")
    if "8080/tcp" not in (config.get("ExposedPorts") or {}):
        wrong.append(f"ExposedPorts: {config.get('ExposedPorts')!r}")
    if not {"GREETING=hello world", "EXTRA=/x"} <= set(config.get("Env") or []):
        wrong.append(f"Env: {config.get('Env')!r}")
    if has_health:
        health = config.get("Healthcheck") or {}
        if (health.get("Test"), health.get("Interval"), health.get("Retries")) != (["CMD", "true"], 7_000_000_000, 2):
            wrong.append(f"Healthcheck: {health!r}")
    expect(not wrong, f"{name} under {engine.name}: " + "; ".join(wrong))
