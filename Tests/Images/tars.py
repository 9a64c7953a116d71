"""Tar archives byte by byte, so that they can be wrong in any way, and the archives of images around them."""

import gzip
import hashlib
import io
import json
import struct
import tarfile
import zlib

BLOCK = 512
END = bytes(2 * BLOCK)


def number(value, length):
    """A field of a header: an octal number, or bytes as they are."""
    if isinstance(value, bytes):
        return value.ljust(length, b"\0")[:length]
    return b"%0*o\0" % (length - 1, value)


def base256(value, length=12):
    """GNU's binary form of a number, which may be huge or negative."""
    sign = b"\xff" if value < 0 else b"\x80"
    return sign + value.to_bytes(length - 1, "big", signed=value < 0)


def header(name, size=0, kind=b"0", mode=0o644, link=b"", uid=0, gid=0, mtime=1_700_000_000, major=0, minor=0,
           prefix=b"", magic=b"ustar\x0000", checksum=None, tail=None):
    """One block. `tail` replaces what comes after the magic (GNU's sparse maps are there)."""
    name, link, prefix = (text.encode() if isinstance(text, str) else text for text in (name, link, prefix))
    block = (name.ljust(100, b"\0")[:100] + number(mode, 8) + number(uid, 8) + number(gid, 8) + number(size, 12)
             + number(mtime, 12) + b" " * 8 + kind + link.ljust(100, b"\0")[:100] + magic)
    block += tail if tail is not None else (
        bytes(64) + number(major, 8) + number(minor, 8) + prefix.ljust(155, b"\0")[:155])
    block = block.ljust(BLOCK, b"\0")[:BLOCK]
    if checksum is None:
        checksum = b"%06o\0 " % sum(block)
    return block[:148] + checksum[:8].ljust(8, b"\0") + block[156:]


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def entry(name, data=b"", kind=b"0", **fields):
    fields.setdefault("size", len(data))
    return header(name, kind=kind, **fields) + padded(data)


def directory(name, mode=0o755, **fields):
    return entry(name, kind=b"5", mode=mode, **fields)


def symlink(name, target, **fields):
    return entry(name, kind=b"2", link=target, mode=0o777, **fields)


def hard_link(name, target, **fields):
    return entry(name, kind=b"1", link=target, **fields)


def device(name, kind, major, minor, **fields):
    return entry(name, kind={"char": b"3", "block": b"4"}[kind], major=major, minor=minor, mode=0o666, **fields)


def fifo(name, **fields):
    return entry(name, kind=b"6", **fields)


def record(key, value):
    """One of a pax header's records, with its own length before it."""
    key, value = (text.encode() if isinstance(text, str) else text for text in (key, value))
    rest = b" " + key + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    if len(str(length)) + len(rest) != length:
        length = len(rest) + len(str(length))
    return str(length).encode() + rest


def pax(records, kind=b"x"):
    """An extended header for the entry that follows: a dictionary, or bytes as they are."""
    if isinstance(records, dict):
        records = b"".join(record(key, value) for key, value in records.items())
    return entry("pax", records, kind=kind)


def gnu_long(value, kind=b"L"):
    value = value.encode() if isinstance(value, str) else value
    return entry("././@LongLink", value + b"\0", kind=kind)


def tar(*parts):
    return b"".join(parts) + END


def zipped(data):
    return gzip.compress(data, 6, mtime=0)


# A gzip member of any length without much work: pieces that end in a full flush can be repeated.

def crc32_combine(first, second, length):
    """The CRC of two pieces put together, as zlib's crc32_combine does it (Python's zlib has none)."""
    def times(matrix, vector):
        total, index = 0, 0
        while vector:
            if vector & 1:
                total ^= matrix[index]
            vector >>= 1
            index += 1
        return total

    def square(matrix):
        return [times(matrix, row) for row in matrix]

    odd = [0xEDB88320] + [1 << bit for bit in range(31)]
    even = square(odd)
    odd = square(even)
    while length:
        even = square(odd)
        if length & 1:
            first = times(even, first)
        length >>= 1
        if not length:
            break
        odd = square(even)
        if length & 1:
            first = times(odd, first)
        length >>= 1
    return first ^ second


class GzipPieces:
    """Writes one valid gzip member; a piece may be repeated thousands of times at no cost."""

    def __init__(self, file):
        self._file = file
        self._crc, self.length = 0, 0
        file.write(b"\x1f\x8b\x08\0\0\0\0\0\0\xff")

    def add(self, piece, times=1):
        deflate = zlib.compressobj(9 if times > 1 else 1, zlib.DEFLATED, -15)
        packed = deflate.compress(piece) + deflate.flush(zlib.Z_FULL_FLUSH)
        crc = zlib.crc32(piece)
        for _ in range(times):
            self._file.write(packed)
            self._crc = crc32_combine(self._crc, crc, len(piece))
            self.length += len(piece)

    def end(self):
        self._file.write(b"\x03\0" + struct.pack("<II", self._crc, self.length & 0xFFFFFFFF))


# Archives of images

def sha256(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def as_json(value):
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def config(diff_ids, **more):
    return {"architecture": "amd64", "os": "linux", "created": "2023-01-01T00:00:00Z", "config": {"Cmd": ["/bin/sh"]},
            "rootfs": {"type": "layers", "diff_ids": diff_ids}, **more}


def plain(data):
    """What is compressed in these bytes; they themselves where they aren't, or aren't whole."""
    if data[:2] == b"\x1f\x8b":
        try:
            return gzip.decompress(data)
        except (OSError, EOFError, zlib.error):
            pass
    return data


def diff_id(data):
    return sha256(plain(data))


def files_tar(files):
    """A good tar of these files, a list of (name, bytes or a path to read from or a tarfile.TarInfo)."""
    buffer = io.BytesIO()
    write_files_tar(buffer, files)
    return buffer.getvalue()


def write_files_tar(target, files):
    with tarfile.open(fileobj=target, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
            elif isinstance(content, bytes):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                info = tarfile.TarInfo(name)
                info.size = content.stat().st_size
                with content.open("rb") as file:
                    archive.addfile(info, file)


GOOD_LAYER = tar(directory("bin"), entry("bin/sh", b"#!\n", mode=0o755), directory("etc"),
                 entry("etc/esc-good", b"good\n"))
IMAGE = "esc/image:1"

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar"


def docker_files(layers=(GOOD_LAYER,), image_config=None, tags=(IMAGE,), manifest=None, names=None):
    """The files of a docker-archive. What is given replaces what would be right."""
    layers = list(layers)
    if image_config is None:
        image_config = config([diff_id(layer) if isinstance(layer, bytes) else sha256(b"unknown") for layer in layers])
    raw = as_json(image_config)
    names = list(names) if names is not None else [f"{number}/layer.tar" for number in range(len(layers))]
    config_name = sha256(raw)[7:] + ".json"
    if manifest is None:
        manifest = [{"Config": config_name, "RepoTags": list(tags), "Layers": names}]
    files = [(config_name, raw)] + list(zip(names, layers))
    return files + ([("manifest.json", as_json(manifest))] if manifest != b"" else [])


def descriptor(kind, data, **more):
    return {"mediaType": kind, "digest": sha256(data), "size": len(data), **more}


def named(described, name=IMAGE):
    return {**described, "annotations": {"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}}


class Oci:
    """An image as blobs. Each part may be replaced; what depends on it is computed from what is there."""

    def __init__(self, layer=GOOD_LAYER, layers=None, image_config=None, manifest=None, change=None, config_type=CONFIG_TYPE):
        self.blobs = {}
        layers = [layer] if layers is None else layers
        self.layers = [descriptor(LAYER_TYPE + ("+gzip" if data[:2] == b"\x1f\x8b" else ""), self.put(data))
                       for data in layers]
        self.raw_config = self.put(as_json(
            config([diff_id(data) for data in layers]) if image_config is None else image_config))
        if manifest is None:
            manifest = {"schemaVersion": 2, "mediaType": MANIFEST_TYPE,
                        "config": descriptor(config_type, self.raw_config), "layers": self.layers}
            if change:
                change(manifest)
        self.raw_manifest = self.put(as_json(manifest))
        self.manifest = descriptor(MANIFEST_TYPE, self.raw_manifest)

    def put(self, data):
        self.blobs[sha256(data)] = data
        return data

    def files(self, index=None, layout=b'{"imageLayoutVersion": "1.0.0"}'):
        if index is None:
            index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [named(self.manifest)]}
        files = [("oci-layout", layout)] if layout else []
        files += [("index.json", as_json(index))] if index != b"" else []
        return files + [("blobs/" + digest.replace(":", "/"), data) for digest, data in self.blobs.items()]
