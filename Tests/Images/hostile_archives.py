"""Layers that were made to do harm: each case is a function that gives a tar, as bytes or as a file's path.

REFUSED: the command ends with 1 and tells the reason. CONTAINED: it is taken, and nothing outside changes.
EITHER: both can be defended, so it may be taken or be refused for that reason; nothing outside changes.
"""

import dataclasses
import gzip
import io
import os
import shutil
import struct
import subprocess
import time
import zipfile

from tars import (BLOCK, END, GOOD_LAYER, GzipPieces, base256, device, directory, entry, fifo, gnu_long, hard_link, header,
                  padded, pax, record, symlink, tar, zipped)

REFUSED, CONTAINED, EITHER = "refused", "contained", "either"

OUTSIDE = r"outside|\.\.|unsafe|escapes?"
LINK = r"link|exists|outside|\.\.|no such|not exist|missing|loop|not a directory|cross-device"
LONG = r"too (many|large|long)|name|long|larger|more than|limit"
LARGE = r"too (many|large|long|big|deep)|larger|more than|limit|larger than|exceeds|bigger|overflow"
BROKEN = r"truncated|damaged|unreadable|can't read|corrupt|invalid|malformed|checksum|unrecogni[sz]ed|not a tar|unexpected"
SIZE = rf"{LARGE}|{BROKEN}|size|negative"
ANY = r"."


@dataclasses.dataclass(frozen=True)
class Case:
    name: str
    way: str  # import; layer-docker, layer-oci: its bytes are a layer; docker, oci: they are the archive; pull: it is a Site
    make: object
    outcome: str
    reason: str
    inside: object = None  # looks at what was taken; says what is wrong
    seconds: int = 60
    may_appear: bool = False  # a part of it may be taken


CASES = []


def case(outcome, reason=ANY, ways=("import",), **more):
    def add(make):
        name = make.__name__.strip("_").replace("_", "-")
        for way in ways:
            suffix = "" if len(ways) == 1 else "@" + way.removeprefix("layer-")
            CASES.append(Case(name + suffix, way, make, outcome, reason, **more))
        return make
    return add


ALL = ("import", "layer-docker", "layer-oci")
TWO = ("import", "layer-oci")
UP = "../" * 24


def written(name="esc-written", data=b"written by a hostile archive\n"):
    return entry(name, data, mode=0o644)


def away(world, name="esc-written"):
    """From inside a root, by many `..`, to the canary tree."""
    return UP + str(world.canary).lstrip("/") + "/" + name


# What is looked at inside

def has(name):
    def look(_, store):
        return None if store.find(name) else f"no {name} is in the store: it went somewhere else or nowhere"
    return look


def has_no(name):
    def look(_, store):
        return f"{name} is in the store" if store.find(name) else None
    return look


def no_overlay_marks(_, store):
    for path in store.find("esc-marked"):
        marks = [name for name in os.listxattr(path, follow_symlinks=False) if name.startswith("trusted.overlay.")]
        if marks:
            return f"{path} has {marks}"
    return None


def out_of_reach(_, store):
    """Neither a device nor a set-user-id program of a layer may be used by the host's other users."""
    for path in store.find("esc-reach"):
        if all(parent.stat().st_mode & 0o001 for parent in store.parents(path)):
            return f"any user of the host gets to {path}"
    return None


def not_a_device(_, store):
    for path in store.find("esc-plain"):
        if not path.is_file() or path.is_symlink():
            return f"{path} is not a plain file"
    return None


# Names with ..

@case(REFUSED, OUTSIDE, ALL)
def dotdot_first(world):
    return tar(written(away(world)))


@case(REFUSED, OUTSIDE)
def dotdot_one_up(world):
    return tar(written("../esc-written"))


@case(REFUSED, OUTSIDE, TWO)
def dotdot_middle(world):
    return tar(directory("a"), written("a/" + away(world)))


@case(REFUSED, OUTSIDE)
def dotdot_last(world):
    return tar(directory("a"), directory("a/../..", mode=0o777))


@case(REFUSED, OUTSIDE)
def dotdot_alone(world):
    return tar(directory("..", mode=0o777))


@case(REFUSED, OUTSIDE)
def dotdot_absolute(world):
    return tar(written("/" + away(world)))


@case(REFUSED, OUTSIDE)
def dotdot_slashes_and_dots(world):
    return tar(written(".//.///" + away(world).replace("../", "..//./")))


@case(EITHER, OUTSIDE)
def dotdot_that_stays_inside(world):
    return tar(directory("a"), written("a/../b"))


@case(REFUSED, OUTSIDE, ALL)
def dotdot_in_pax_path(world):
    return tar(pax({"path": away(world)}), written("harmless"))


@case(REFUSED, OUTSIDE)
def dotdot_in_gnu_long_name(world):
    return tar(gnu_long(away(world)), written("harmless"))


@case(REFUSED, OUTSIDE)
def dotdot_in_ustar_prefix(world):
    return tar(header("esc-written", prefix="../../.."))


@case(EITHER, OUTSIDE)
def dotdot_in_global_pax(world):
    return tar(pax({"path": away(world)}, kind=b"g"), written("harmless"))


@case(REFUSED, OUTSIDE)
def dotdot_directory(world):
    return tar(directory(away(world, "esc-directory"), mode=0o777))


@case(REFUSED, OUTSIDE)
def dotdot_existing_directory(world):
    return tar(directory(away(world, "dir"), mode=0o777, mtime=1))


@case(REFUSED, OUTSIDE)
def dotdot_symlink(world):
    return tar(symlink(away(world), "/etc/passwd"))


@case(REFUSED, OUTSIDE)
def dotdot_fifo(world):
    return tar(fifo(away(world)))


@case(REFUSED, OUTSIDE)
def dotdot_device(world):
    return tar(device(away(world), "char", 1, 3))


@case(CONTAINED, inside=has("esc-inside"))
def three_dots_and_backslashes(world):
    return tar(directory("..."), entry(".../esc-inside", b"x"), entry("..\\..\\x", b"x"), entry("..x", b"x"))


@case(CONTAINED, ways=ALL, inside=has("esc-inside"))
def absolute_name(world):
    return tar(entry(f"{world.canary}/esc-inside"[:99], b"x"))


@case(CONTAINED, inside=has("esc-inside"))
def absolute_names_of_all_kinds(world):
    return tar(directory("//etc"), entry("///etc/esc-inside", b"x"), symlink("/etc/esc-link", "/etc/passwd"),
               fifo("/tmp/esc-fifo"), directory(f"{world.canary}"[:99], mode=0o777))


# Hard links

@case(REFUSED, LINK, ALL)
def hard_link_to_dotdot(world):
    return tar(pax({"linkpath": away(world, "secret")}), hard_link("esc-link", "x"))


@case(EITHER, LINK, TWO)
def hard_link_to_absolute(world):
    return tar(hard_link("esc-link", f"{world.canary}/secret"))


@case(EITHER, LINK, TWO)
def hard_link_through_symlinked_directory(world):
    return tar(symlink("d", str(world.canary)), hard_link("esc-link", "d/secret"), written("esc-link"))


@case(EITHER, LINK)
def hard_link_through_relative_symlink(world):
    return tar(symlink("d", UP + str(world.canary)[1:]), hard_link("esc-link", "d/secret"))


@case(EITHER, LINK)
def hard_link_to_symlink_then_write(world):
    return tar(symlink("l", f"{world.canary}/secret"), hard_link("h", "l"), written("h"))


@case(EITHER, LINK)
def hard_link_placed_through_symlink(world):
    return tar(entry("f", b"x"), symlink("d", str(world.canary)), hard_link("d/esc-written", "f"))


@case(EITHER, LINK + "|damaged")
def hard_link_with_content_over_symlink(world):
    return tar(symlink("l", f"{world.canary}/secret"), entry("h", b"evil", kind=b"1", link="l"))


@case(EITHER, LINK)
def hard_link_to_itself(world):
    return tar(hard_link("a", "a"), entry("b", b"x"), hard_link("b", "b"))


@case(REFUSED, LINK)
def hard_link_to_nothing(world):
    return tar(hard_link("a", "later"), entry("later", b"x"))


@case(REFUSED, LINK + "|directory|permitted")
def hard_link_to_directory(world):
    return tar(directory("d"), hard_link("a", "d"))


@case(REFUSED, LINK + "|directory|permitted|exist")
def hard_link_to_the_root(world):
    return tar(directory("."), hard_link("a", "."))


@case(EITHER, LINK)
def hard_link_named_dot(world):
    return tar(entry("f", b"x"), hard_link(".", "f"))


# Symbolic links

@case(EITHER, LINK, ALL)
def symlink_absolute_then_write(world):
    return tar(symlink("d", str(world.canary)), written("d/esc-written"))


@case(EITHER, LINK)
def symlink_to_etc_then_write(world):
    return tar(symlink("d", "/etc"), written("d/esc-written"), entry("d/passwd", b"evil::0:0::/:/bin/sh\n"))


@case(EITHER, LINK, TWO)
def symlink_relative_then_write(world):
    return tar(symlink("d", UP + str(world.canary)[1:]), written("d/esc-written"))


@case(EITHER, LINK)
def symlink_chain_then_write(world):
    return tar(directory("x"), symlink("a", "x/.."), symlink("b", "a/.."), symlink("c", "b/../../../../../../../../../.."),
               symlink("d", "c" + str(world.canary)), written("d/esc-written"))


@case(CONTAINED)
def symlink_to_file_then_overwrite(world):
    return tar(symlink("f", f"{world.canary}/secret"), entry("f", b"overwritten\n"))


@case(CONTAINED)
def symlink_to_file_relative_then_overwrite(world):
    return tar(symlink("f", UP + f"{world.canary}/secret"[1:]), entry("f", b"overwritten\n", mode=0o777, uid=4242))


@case(CONTAINED, ways=TWO)
def symlink_then_directory_of_its_name(world):
    return tar(symlink("d", f"{world.canary}/dir"), directory("d/", mode=0o777, uid=4242, mtime=1), written("d/esc-written"))


@case(CONTAINED)
def symlink_owner_and_time(world):
    return tar(pax({"mtime": "1.5"}), symlink("f", f"{world.canary}/secret", uid=4242, gid=4242, mtime=1))


@case(EITHER, "attribute|xattr|permitted")
def symlink_with_attribute(world):
    """Set on the link, which Linux doesn't allow, or on the host's file?"""
    return tar(pax({"SCHILY.xattr.user.esc": "x", "SCHILY.xattr.trusted.esc": "x"}), symlink("f", f"{world.canary}/secret"))


@case(EITHER, LINK)
def symlink_then_whiteout_through(world):
    return tar(symlink("d", str(world.canary)), entry("d/.wh.secret"), entry("d/.wh.dir"))


@case(EITHER, LINK)
def symlink_then_opaque_through(world):
    return tar(symlink("d", str(world.canary)), entry("d/.wh..wh..opq"))


@case(EITHER, LINK)
def symlink_then_others_through(world):
    return tar(symlink("d", str(world.canary)), symlink("d/esc-l", "x"), fifo("d/esc-f"), directory("d/esc-d"),
               device("d/esc-c", "char", 1, 3))


@case(EITHER, LINK)
def symlink_to_proc_root(world):
    return tar(directory("proc"), symlink("p", "/proc/self/root"), written(f"p{world.canary}/esc-written"[:99]),
               symlink("q", "/proc/self/cwd"), written("q/esc-written"), symlink("r", "/proc/1/root/etc"),
               written("r/esc-written"))


@case(EITHER, LINK)
def symlink_to_proc_fds(world):
    return tar(*[part for number in range(3, 40) for part in
                 (symlink(f"p{number}", f"/proc/self/fd/{number}"), written(f"p{number}/../../esc-written"[:12]))])


@case(EITHER, LINK + "|too many|symbolic")
def symlink_loop(world):
    return tar(symlink("a", "b"), symlink("b", "a"), written("a/esc-written"), entry("a/b/c", b"x"))


@case(EITHER, LINK + "|too many|symbolic")
def symlink_to_itself(world):
    return tar(symlink("a", "a"), written("a/esc-written"), directory("a/b"), symlink("a/c", "."))


@case(EITHER, LINK + "|too many|symbolic")
def symlink_chain_of_two_hundred(world):
    return tar(*[symlink(f"l{number}", f"l{number + 1}") for number in range(200)],
               symlink("l200", str(world.canary)), written("l0/esc-written"))


@case(EITHER, LINK + "|empty|name|invalid")
def symlink_to_nothing_at_all(world):
    return tar(symlink("a", ""), entry("b", b"x"))


@case(EITHER, LINK + "|" + LONG)
def symlink_target_too_long(world):
    return tar(pax({"linkpath": "x/" * 4000}), symlink("a", "x"))


@case(EITHER, LINK)
def symlink_swapped_for_directory(world):
    return tar(directory("d"), entry("d/f", b"x"), symlink("d", str(world.canary)), written("d/esc-written"),
               directory("d"), symlink("d", str(world.canary)), entry("d/secret", b"overwritten\n"))


@case(EITHER, LINK + "|root|directory|not permitted|busy")
def root_replaced_by_symlink(world):
    return tar(symlink(".", str(world.canary)), written("esc-written"), symlink("./", str(world.canary)), written("./esc-2"))


@case(EITHER, "root|directory|name|empty|damaged|exist|outside|busy")
def root_replaced_by_file(world):
    return tar(entry(".", b"a file as root"), fifo("./"), entry("/", b"x"), entry("b", b"x"))


# Whiteouts

WHITEOUT = OUTSIDE + r"|whiteout|name|invalid"


@case(REFUSED, WHITEOUT, ALL)
def whiteout_of_dotdot(world):
    return tar(directory("a"), entry("a/.wh..."))


@case(REFUSED, WHITEOUT)
def whiteout_of_dotdot_at_root(world):
    return tar(entry(".wh..."))


@case(REFUSED, WHITEOUT)
def whiteout_of_dot(world):
    return tar(directory("a"), entry("a/.wh.."))


@case(EITHER, WHITEOUT)
def whiteout_of_nothing(world):
    return tar(entry(".wh."))


@case(REFUSED, WHITEOUT, TWO)
def whiteout_outside(world):
    return tar(entry(away(world, ".wh.secret")), entry(away(world, ".wh.dir")))


@case(CONTAINED)
def whiteout_absolute(world):
    return tar(entry(f"{world.canary}/.wh.secret"[:99]))


@case(REFUSED, WHITEOUT)
def opaque_outside(world):
    return tar(entry(away(world, ".wh..wh..opq")))


@case(CONTAINED, ways=TWO)
def opaque_at_root(world):
    return tar(entry(".wh..wh..opq"), entry("a", b"x"))


@case(EITHER, WHITEOUT)
def opaque_as_other_kinds(world):
    return tar(directory("a"), directory("a/.wh..wh..opq"), directory("b"), symlink("b/.wh..wh..opq", str(world.canary)),
               directory("c"), hard_link("c/.wh..wh..opq", "a"))


@case(EITHER, WHITEOUT)
def whiteout_as_other_kinds(world):
    return tar(directory(".wh.a"), entry(".wh.a/b", b"x"), symlink(".wh.c", str(world.canary)),
               device(".wh.d", "char", 1, 3), hard_link(".wh.e", "nothing"))


@case(EITHER, WHITEOUT + "|" + LONG)
def whiteout_of_long_name(world):
    return tar(pax({"path": ".wh." + "x" * 255}), entry("x"), pax({"path": ".wh." + "x" * 300}), entry("x"))


@case(CONTAINED)
def whiteout_of_the_same_layer(world):
    return tar(directory("a"), entry("a/f", b"x"), entry("a/.wh.f"), entry(".wh.a"), directory("b"), entry("b/.wh..wh..opq"),
               entry("b/.wh.c"), entry("b/c", b"x"))


def a_second_later(_, store):
    """So that `image fsck` unpacks it at another time than it was taken, which must make no difference."""
    time.sleep(1.2)
    return None


@case(CONTAINED, ways=ALL, inside=a_second_later)
def whiteout_without_its_directory(world):
    return tar(entry("bin/.wh.vi"), entry("x", b"x"))


@case(CONTAINED, ways=ALL, inside=a_second_later)
def file_without_its_directory(world):
    return tar(entry("a/b/c", b"x"), symlink("d/e", "f"))


@case(EITHER, WHITEOUT)
def aufs_marks(world):
    return tar(directory(".wh..wh.plnk"), entry(".wh..wh.plnk/1.2", b"x"), entry(".wh..wh.aufs"), entry(".wh..wh...", b"x"))


@case(EITHER, "device|whiteout")
def overlay_whiteout_as_device(world):
    return tar(device("bin", "char", 0, 0))


# Devices and other kinds

@case(EITHER, "device|number|invalid|damaged", TWO, inside=out_of_reach)
def devices(world):
    return tar(directory("dev", mode=0o777), device("dev/esc-reach", "block", 240, 77), device("esc-reach", "char", 240, 77))


@case(EITHER, "device|number|invalid|damaged|range")
def devices_with_odd_numbers(world):
    return tar(device("a", "block", b"7777777\0", b"7777777\0"), device("b", "char", base256(-1, 8), base256(1 << 40, 8)),
               device("c", "char", 4095, 1048575), device("d", "block", 4096, 1048576),
               pax({"SCHILY.devmajor": "-1", "SCHILY.devminor": "99999999999999999999"}), device("e", "char", 1, 3))


@case(CONTAINED, ways=TWO, inside=not_a_device)
def fifo_then_file(world):
    return tar(fifo("esc-plain"), entry("esc-plain", b"a writer of a fifo waits for a reader for ever\n"))


@case(CONTAINED)
def fifo_then_hard_link_then_file(world):
    return tar(fifo("a"), hard_link("b", "a"), entry("b", b"x"), directory("a"), entry("a/c", b"x"))


@case(EITHER, "device|exist", inside=not_a_device)
def device_then_file(world):
    return tar(device("esc-plain", "char", 1, 3), entry("esc-plain", b"not into the device\n"))


@case(CONTAINED, inside=out_of_reach)
def set_user_id(world):
    return tar(entry("esc-reach", b"#!/bin/sh\nid\n", mode=0o6755), directory("esc-d", mode=0o7777))


@case(CONTAINED)
def duplicates(world):
    return tar(*[entry("a", b"%d" % number) for number in range(100)], *[directory("d")] * 50, *[symlink("s", "a")] * 50,
               *[hard_link("h", "a")] * 50)


@case(EITHER, "exist|directory|not a")
def file_then_directory(world):
    return tar(entry("a", b"x"), directory("a"), entry("a/b", b"x"))


@case(EITHER, "exist|directory|not empty")
def directory_then_file(world):
    return tar(directory("a"), entry("a/b", b"x"), directory("a/c"), entry("a", b"x"))


@case(EITHER, "exist|directory|not a")
def file_as_parent(world):
    return tar(entry("a", b"x"), entry("a/b/c", b"x"), fifo("f"), entry("f/b", b"x"))


@case(EITHER, BROKEN + "|kind|type|unknown")
def unknown_kinds(world):
    return tar(*[entry(f"k{number}", b"data", kind=bytes([number])) for number in b"7ABDEFGHIJMNOPQRSTUVWYZ89\xff"])


@case(EITHER, SIZE)
def sizes_where_none_belong(world):
    return tar(entry("d", b"x" * 700, kind=b"5"), entry("l", b"x" * 700, kind=b"2", link="d"), entry("f", b"x" * 700, kind=b"6"),
               entry("after", b"x"))


# Names

@case(CONTAINED, ways=TWO)
def names_with_control_characters(world):
    return tar(entry("a\nb", b"x"), entry("c\td\r", b"x"), entry("\x1b[2J\x1b]0;title\x07", b"x"), entry(" ", b"x"),
               entry("-rf", b"x"), entry("$(touch esc-written)", b"x"), entry("\u202egnp.exe", b"x"))


@case(CONTAINED, ways=TWO)
def names_not_utf8(world):
    return tar(entry(b"\xff\xfe\x80", b"x"), directory(b"d\xc3("), entry(b"d\xc3(/\xed\xa0\x80", b"x"),
               symlink(b"l\xff", b"\xf0\x28\x8c\x28"), pax({"path": b"p\xff\xfe"}), entry("x", b"x"))


@case(EITHER, BROKEN + "|name")
def names_with_nul(world):
    return tar(entry(b"a\0/../../esc-written", b"x"), pax({"path": b"b\0/../../../esc-written"}), entry("x", b"x"),
               gnu_long(b"c\0/../../../esc-written"), entry("x", b"x"), pax({"linkpath": b"/etc\0x"}), symlink("l", "x"))


@case(EITHER, BROKEN + "|name|empty|root")
def names_empty(world):
    return tar(entry("", b"x"), directory(""), symlink("", "/etc"), hard_link("", "x"), pax({"path": ""}), entry("", b"x"))


@case(REFUSED, LONG, ALL)
def component_too_long(world):
    return tar(pax({"path": "n" * 256}), entry("x", b"x"))


@case(EITHER, LONG)
def path_too_long(world):
    return tar(pax({"path": ("d" * 99 + "/") * 50 + "f"}), entry("x", b"x"))


@case(EITHER, LONG + "|deep", seconds=180)
def path_very_deep(world):
    return tar(pax({"path": "a/" * 20000 + "f"}), entry("x", b"x"))


@case(EITHER, LONG + "|deep", seconds=180)
def path_very_deep_step_by_step(world):
    # Each entry one step deeper, through a chain of names no longer than a tar allows at first.
    return tar(*[part for depth in range(50, 3000, 50) for part in (pax({"path": "b/" * depth}), directory("x"))])


@case(EITHER, LONG + "|" + BROKEN)
def path_of_a_megabyte(world):
    return tar(pax({"path": "a" * (1 << 20)}), entry("x", b"x"), gnu_long("b/" * (1 << 20)), entry("x", b"x"))


# Numbers

@case(REFUSED, SIZE, ALL)
def pax_size_enormous(world):
    return tar(pax({"size": str((1 << 63) - 1)}), header("a", size=0), b"x" * BLOCK)


@case(EITHER, SIZE)
def pax_size_beyond_64_bits(world):
    return tar(pax({"size": "9" * 40}), header("a", size=4), padded(b"data"))


@case(EITHER, SIZE)
def pax_size_negative(world):
    return tar(pax({"size": "-512"}), header("a", size=4), padded(b"data"), entry("b", b"x"))


@case(EITHER, SIZE)
def pax_size_no_number(world):
    return tar(pax({"size": "0x10; many"}), header("a", size=4), padded(b"data"), entry("b", b"x"))


@case(REFUSED, SIZE, TWO)
def base256_size_enormous(world):
    return tar(header("a", size=base256((1 << 63) - 1)), b"x" * BLOCK)


@case(EITHER, SIZE)
def base256_size_beyond_64_bits(world):
    return tar(header("a", size=b"\x80" + b"\xff" * 11), b"x" * BLOCK)


@case(EITHER, SIZE)
def base256_size_negative(world):
    return tar(header("a", size=base256(-512)), entry("b", b"x"))


@case(REFUSED, SIZE)
def octal_size_without_content(world):
    return tar(header("a", size=b"77777777777"), b"x" * BLOCK)


@case(EITHER, SIZE)
def octal_size_no_number(world):
    return tar(header("a", size=b"zz!9 \xff"), entry("b", b"x"))


@case(REFUSED, SIZE, TWO)
def extended_header_of_ten_gigabytes(world):
    return tar(header("pax", size=base256(10 << 30), kind=b"x"), b"x" * 4096)


@case(REFUSED, SIZE)
def long_name_of_eight_gigabytes(world):
    return tar(header("././@LongLink", size=b"77777777777", kind=b"L"), b"x" * 4096)


@case(EITHER, SIZE, seconds=120)
def extended_header_of_200_megabytes(world):
    path = world.file()
    with gzip.open(path, "wb", 1) as file:
        value = b"x" * (200 << 20)
        records = record("comment", value)
        file.write(header("pax", size=len(records), kind=b"x"))
        file.write(padded(records))
        file.write(tar(entry("a", b"x")))
    return path


@case(EITHER, BROKEN)
def extended_header_wrong_lengths(world):
    broken = (b"999999999 path=x\n", b"0 path=x\n", b"-5 path=x\n", b"11 path=xyz", b"path=x\n", b"7 nothing\n", b"18446744073709551616 p=x\n",
              b"3 \n", b"\0" * 20, b"12 path\0=xyz\n", b"5=\n")
    return tar(*[part for text in broken for part in (pax(text), entry("a", b"x"))])


@case(EITHER, BROKEN)
def extended_header_without_entry(world):
    return tar(pax({"path": "a"}), pax({"path": "b"}), gnu_long("c"), pax({"comment": "x"}, kind=b"g"))


@case(EITHER, BROKEN, seconds=120)
def extended_headers_ten_thousand_in_a_row(world):
    return tar(*[pax({"path": f"a{number}"}) for number in range(10000)], entry("x", b"x"))


@case(EITHER, BROKEN + "|time|range|mode|owner|id")
def times_owners_and_modes_absurd(world):
    return tar(entry("a", b"x", mtime=base256(-(1 << 62))), entry("b", b"x", mtime=base256(1 << 62)),
               entry("c", b"x", uid=base256(-1, 8), gid=base256(1 << 50, 8)), entry("d", b"x", mode=0o7777777),
               pax({"mtime": "1e400", "atime": "-9223372036854775809.99999999999999", "uid": "-1", "gid": "4294967296"}),
               entry("e", b"x"), pax({"mtime": "nan", "uid": "1" * 400}), entry("f", b"x"))


# Extended attributes

@case(CONTAINED, ways=TWO, inside=no_overlay_marks)
def attributes_of_overlayfs(world):
    marks = {f"SCHILY.xattr.trusted.overlay.{name}": value for name, value in
             (("opaque", "y"), ("redirect", "/../../../.." + str(world.canary)), ("metacopy", ""), ("origin", "x" * 20),
              ("whiteout", "y"), ("nlink", "U+1"), ("impure", "y"), ("upper", "x"), ("protattr", "x"))}
    return tar(pax(marks), directory("esc-marked"), pax(marks), entry("a/esc-marked", b"x"))


@case(CONTAINED, inside=no_overlay_marks)
def attributes_of_overlayfs_other_spellings(world):
    marks = {"LIBARCHIVE.xattr.trusted.overlay.redirect": "L2V0Yw==", "LIBARCHIVE.xattr.trusted%2Eoverlay%2Eopaque": "eQ==",
             "RHT.security.selinux": "system_u:object_r:etc_t:s0", "SCHILY.xattr.trusted.other": "x",
             "SCHILY.xattr.user.overlay.opaque": "y", "SCHILY.acl.access": "user::rwx,user:4242:rwx"}
    return tar(pax(marks), directory("esc-marked"), pax(marks), entry("a/esc-marked", b"x"))


@case(EITHER, "attribute|xattr|support|permitted|invalid", inside=no_overlay_marks)
def attributes_of_security(world):
    marks = {"SCHILY.xattr.security.capability": struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0),
             "SCHILY.xattr.security.selinux": "x", "SCHILY.xattr.security.ima": b"\x03\x02" + bytes(20),
             "SCHILY.xattr.security.evm": b"\x01" * 21, "SCHILY.xattr.system.posix_acl_access": b"\x02\0\0\0garbage"}
    return tar(pax(marks), entry("esc-marked", b"x", mode=0o755))


@case(EITHER, "attribute|xattr|" + LARGE, seconds=120)
def attributes_too_many_and_too_large(world):
    return tar(pax({f"SCHILY.xattr.user.n{number}": "v" for number in range(20000)}), entry("a", b"x"),
               pax({"SCHILY.xattr.user.large": "v" * (1 << 20)}), entry("b", b"x"),
               pax({"SCHILY.xattr.user." + "n" * 300: "v", "SCHILY.xattr.": "v", "SCHILY.xattr.nothing": "v"}), entry("c", b"x"))


# Sparse files

def gnu_sparse(pieces, real, data=b"", name="a"):
    """Old GNU format: four pieces in the header."""
    table = b"".join(base256(offset) + base256(length) for offset, length in pieces[:4]).ljust(96, b"\0")
    tail = bytes(12 * 2 + 12 + 4 + 1) + table + b"\0" + base256(real)
    return header(name, size=len(data), kind=b"S", magic=b"ustar  \0", tail=bytes(64) + bytes(16) + tail) + padded(data)


@case(REFUSED, SIZE, TWO)
def sparse_of_eight_exbibytes(world):
    return tar(gnu_sparse([((1 << 63) - 512, 4)], (1 << 63) - 1, b"data"))


@case(REFUSED, SIZE)
def sparse_pax_of_eight_exbibytes(world):
    return tar(pax({"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.name": "a",
                    "GNU.sparse.size": str((1 << 63) - 1), "GNU.sparse.numblocks": "1",
                    "GNU.sparse.map": f"{(1 << 63) - 10},4"}), entry("GNUSparseFile.0/a", b"data"))


@case(EITHER, SIZE)
def sparse_pax_1_0_with_a_wrong_map(world):
    return tar(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "../../esc-written",
                    "GNU.sparse.realsize": "100"}),
               entry("x", padded(b"999999999\n1\n2\n3\nx\n") + b"data"))


@case(REFUSED, OUTSIDE)
def sparse_name_with_dotdot(world):
    return tar(pax({"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": away(world),
                    "GNU.sparse.realsize": "4"}), entry("x", padded(b"1\n0\n4\n") + b"data"))


@case(EITHER, SIZE)
def sparse_pieces_that_overlap(world):
    return tar(gnu_sparse([(100, 400), (0, 400), (50, 10), (1 << 50, 0)], 500, b"d" * 810),
               gnu_sparse([(-512, 512)], -1, b"d" * 512, "b"))


# Damage

@case(REFUSED, BROKEN, ALL)
def checksum_wrong(world):
    return tar(entry("a", b"x"), header("b", size=0, checksum=b"012345\0 "), entry("c", b"x"))


@case(REFUSED, BROKEN, TWO)
def not_a_tar(world):
    return bytes(range(1, 256)) * 64


@case(REFUSED, BROKEN)
def a_page_of_html(world):
    return b"<!DOCTYPE html><html><body>Not found</body></html>\n" * 40


@case(EITHER, BROKEN + "|empty")
def nothing_at_all(world):
    return b""


@case(EITHER, BROKEN + "|empty")
def only_zeros(world):
    return bytes(10240)


@case(REFUSED, BROKEN, ALL)
def truncated_in_header(world):
    return entry("a", b"x") + entry("b", b"x")[:300]


@case(REFUSED, BROKEN, ALL)
def truncated_in_content(world):
    return entry("a", b"x") + entry("b", b"x" * 100000)[:50000]


@case(REFUSED, BROKEN)
def truncated_in_extended_header(world):
    return entry("a", b"x") + pax({"path": "x" * 2000})[:900]


@case(EITHER, BROKEN)
def truncated_before_the_end_mark(world):
    return entry("a", b"x") + entry("b", b"x")


@case(REFUSED, BROKEN, TWO)
def truncated_gzip(world):
    return zipped(tar(entry("a", os.urandom(100000))))[:60000]


@case(EITHER, BROKEN + "|digest")
def truncated_gzip_without_trailer(world):
    return zipped(GOOD_LAYER)[:-8]


# A root file system has no digest that it is compared with, and libarchive does not look at gzip's own sum.
@case(EITHER, BROKEN + "|digest|gzip|crc|decompress", TWO)
def gzip_with_wrong_checksum(world):
    data = bytearray(zipped(tar(entry("a", os.urandom(100000)))))
    data[50000] ^= 0xFF
    return bytes(data)


def packed_by(world, tool, data, *words):
    if not shutil.which(tool):
        world.skip(f"there is no {tool}")
    return subprocess.run([tool, *words], input=data, capture_output=True, check=True).stdout


@case(REFUSED, BROKEN + "|decompress")
def truncated_zstd(world):
    return packed_by(world, "zstd", tar(entry("a", os.urandom(100000))), "-q", "-c")[:60000]


@case(REFUSED, BROKEN + "|decompress")
def truncated_xz(world):
    return packed_by(world, "xz", tar(entry("a", os.urandom(100000))), "-c", "-0")[:60000]


@case(EITHER, BROKEN + "|memory|" + LARGE, seconds=120)
def zstd_with_enormous_window(world):
    return packed_by(world, "zstd", tar(entry("a", b"x" * 1000)), "-q", "-c", "--ultra", "-22", "--long=31")


@case(EITHER, BROKEN + "|memory|" + LARGE)
def zstd_frame_that_claims_two_gigabytes_of_window(world):
    # Magic, no content size, window descriptor of 2 GiB, one last raw block.
    return bytes.fromhex("28b52ffd 00 a8".replace(" ", "")) + struct.pack("<I", (4 << 3) | 1)[:3] + b"abcd"


@case(EITHER, BROKEN)
def trailing_garbage(world):
    return GOOD_LAYER + os.urandom(100000)


@case(EITHER, BROKEN + "|digest")
def trailing_garbage_after_gzip(world):
    return zipped(GOOD_LAYER) + os.urandom(100000)


@case(EITHER, BROKEN)
def second_tar_after_the_end(world):
    return GOOD_LAYER + tar(written(away(world)))


@case(EITHER, BROKEN + "|digest")
def compressed_twice(world):
    return zipped(zipped(GOOD_LAYER))


@case(REFUSED, BROKEN + "|image load|docker|kind|not the archive")
def a_zip_file(world):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../../esc-written", b"x" * 2000)
    return buffer.getvalue()


@case(REFUSED, BROKEN)
def a_cpio_archive(world):
    name = b"esc-written\0"
    head = b"070701" + b"".join(b"%08x" % value for value in (1, 0o100644, 0, 0, 1, 0, 4, 0, 0, 0, 0, len(name), 0))
    return (head + name).ljust(124, b"\0") + b"data" + bytes(512)


# Bombs

@case(REFUSED, LARGE, ("import", "layer-oci"), seconds=300)
def bomb_of_entries(world):
    """Two million empty files, each of another name, in some megabytes."""
    path = world.cached("entries.tar.gz")
    if not path.exists():
        with path.open("wb") as file:
            gzip_file = GzipPieces(file)
            for piece in two_million_headers():
                gzip_file.add(piece)
            gzip_file.add(END)
            gzip_file.end()
    return path


def two_million_headers():
    """2000 pieces of 1000 headers each: a piece is another one with some digits changed, all at once."""
    base = {}
    for total in range(0, 30):
        # Any four digits with that sum; the checksum is right for all of them.
        digits, rest = [], total
        for _ in range(4):
            digits.append(min(9, rest))
            rest -= digits[-1]
        prefix = "".join(map(str, digits))
        base[total] = b"".join(header(f"esc-{prefix}-{number:03}") for number in range(1000)) if not rest else None
    for high in range(2000):
        digits = f"{high:04}"
        piece = bytearray(base[sum(map(int, digits))])
        for place, digit in enumerate(digits):
            piece[4 + place::BLOCK] = digit.encode() * 1000
        yield bytes(piece)


def zeros_file(world, name, before, after=b"", size=10 << 30):
    path = world.cached(name)
    if not path.exists():
        with path.open("wb") as file:
            gzip_file = GzipPieces(file)
            gzip_file.add(before)
            gzip_file.add(bytes(16 << 20), size >> 24)
            gzip_file.add(after + END)
            gzip_file.end()
    return path


@case(REFUSED, LARGE, ("import", "layer-docker", "layer-oci"), seconds=180)
def bomb_gzip(world):
    """Ten gigabytes of zeros in a file."""
    return zeros_file(world, "zeros.tar.gz", header("zeros", size=base256(10 << 30)))


@case(REFUSED, LARGE + "|" + BROKEN, TWO, seconds=180)
def bomb_gzip_behind_the_end(world):
    """The archive is at its end; ten gigabytes follow, of which the digest would have to be made."""
    return zeros_file(world, "behind.tar.gz", GOOD_LAYER)


@case(REFUSED, SIZE, seconds=180)
def bomb_gzip_in_extended_header(world):
    return zeros_file(world, "header.tar.gz", header("pax", size=base256(10 << 30), kind=b"x"))


@case(REFUSED, LARGE + "|" + BROKEN, seconds=180)
def bomb_gzip_of_gzip(world):
    path = world.cached("nested.gz")
    if not path.exists():
        inner = zeros_file(world, "zeros.tar.gz", header("zeros", size=base256(10 << 30)))
        with inner.open("rb") as source, gzip.open(path, "wb", 6) as target:
            shutil.copyfileobj(source, target)
    return path


def tool_bomb(world, tool, name, *words):
    path = world.cached(name)
    if not path.exists():
        if not shutil.which(tool):
            world.skip(f"there is no {tool}")
        with path.open("wb") as target, subprocess.Popen(
                [tool, *words], stdin=subprocess.PIPE, stdout=target) as process:
            process.stdin.write(header("zeros", size=base256(4 << 30)))
            piece = bytes(4 << 20)
            for _ in range(1024):
                process.stdin.write(piece)
            process.stdin.write(END)
            process.stdin.close()
    return path


@case(REFUSED, LARGE, seconds=180)
def bomb_zstd(world):
    return tool_bomb(world, "zstd", "zeros.tar.zst", "-q", "-1", "-c")


@case(REFUSED, LARGE, seconds=180)
def bomb_xz(world):
    # One block compressed by the tool, and then repeated as streams, which xz allows: 64 times 64 MiB.
    path = world.cached("zeros.tar.xz")
    if not path.exists():
        first = packed_by(world, "xz", header("zeros", size=base256(4 << 30)), "-c", "-0")
        piece = packed_by(world, "xz", bytes(64 << 20), "-c", "-0")
        path.write_bytes(first + piece * 64 + packed_by(world, "xz", END, "-c", "-0"))
    return path


@case(REFUSED, SIZE, seconds=120)
def many_sparse_files(world):
    """Each just fits, all together they are a petabyte."""
    return tar(*[gnu_sparse([(1 << 40, 0)], 1 << 40, b"", f"a{number}") for number in range(1000)])


@case(EITHER, LARGE + "|link", seconds=120)
def many_hard_links(world):
    """More than a file can have on ext4."""
    return zipped(tar(entry("f", b"x"), *[hard_link(f"l{number}", "f") for number in range(70000)]))


@case(EITHER, LARGE, seconds=120)
def many_symlinks(world):
    return zipped(tar(*[symlink(f"l{number}", "t" * 99) for number in range(100000)]))
