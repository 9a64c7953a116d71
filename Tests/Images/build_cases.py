"""The table of builds: a Dockerfile, a context and options, and what Docker's documentation says comes of them.

In texts `@URL@` is the HTTP server's address, `@ID@` a word of each case's own, `@CTX@` the context, `@PLACE@` its parent.
"""

import gzip
import hashlib
from dataclasses import dataclass, field

from build_bench import (ARCHIVES, CAPABLE, MODIFIED, OLD, TAR, is_dir, is_file, is_like, is_link, Is, put_dir, put_file, put_hard,
                         put_link)

GONE = None
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass
class Case:
    group: str
    name: str
    dockerfile: str | None
    context: dict = field(default_factory=dict)
    options: tuple = ()
    files: dict = field(default_factory=dict)
    #: exactly what is below a directory
    below: dict = field(default_factory=dict)
    config: dict = field(default_factory=dict)
    #: how many layers there are besides the base's
    layers: int | None = None
    error: str | None = None
    code: int = 1
    #: the Dockerfile's line that it is about
    line: int | None = None
    env: dict = field(default_factory=dict)
    stdin: str | None = None
    #: what is told meanwhile, or isn't
    says: tuple = ()
    silent: tuple = ()
    #: texts that are nowhere in the saved archive
    nowhere: tuple = ()
    #: builds before this one: (Dockerfile, options), with the context of this one
    before: tuple = ()
    #: files beside the context
    beside: dict = field(default_factory=dict)

    @property
    def title(self):
        return f"{self.group}/{self.name}"


CASES = []


def case(group, name, dockerfile, context=None, **more):
    CASES.append(Case(group, name.replace(" ", "-"), dockerfile, context or {}, **more))


B = "FROM base:1\n"
S = "FROM scratch\n"


def env_case(group, name, lines, wanted, **more):
    """Lines of ENV without a base: what they come to."""
    case(group, name, S + lines, config={"Env+": wanted}, **more)


# FROM

case("from", "scratch has only what is copied", S + "COPY a /\n", {"a": "1"}, files={"/a": "1"}, below={"/": {"a"}},
     config={"Env": [f"PATH={PATH}"]})
case("from", "scratch without any file", S + "LABEL a=b\n", below={"/": set()}, config={"Labels": {"a": "b"}})
case("from", "a stage by its name", S + "COPY a /x\nFROM scratch AS two\nCOPY b /y\nFROM two\nCOPY a /z\n",
     {"a": "1", "b": "2"}, files={"/y": "2", "/z": "1", "/x": GONE})
case("from", "a stage's configuration goes on", "FROM scratch AS one\nENV A=1\nUSER 5\nWORKDIR /w\nCMD [\"c\"]\nLABEL l=m\n"
     "EXPOSE 1\nFROM one\nENV B=$A\n", config={"Env+": {"A": "1", "B": "1"}, "User": "5", "WorkingDir": "/w", "Cmd": ["c"],
                                             "Labels": {"l": "m"}, "ExposedPorts": {"1/tcp": {}}})
case("from", "a stage by its number", S + "COPY a /x\nFROM scratch\nCOPY --from=0 /x /y\n", {"a": "1"}, files={"/y": "1"})
case("from", "names of stages in any case", "FROM scratch as One\nCOPY a /x\nFROM scratch aS two\nCOPY --from=ONE /x /y\n",
     {"a": "1"}, files={"/y": "1"})
case("from", "ARG in FROM", "ARG V=1\nFROM base:$V\n", files={"/bin/sh": is_link("busybox")})
case("from", "ARG in FROM, given", "ARG NAME=nothing\nARG V=0\nFROM ${NAME}:${V}\n",
     options=("--build-arg", "V=1", "--build-arg", "NAME=base"), files={"/bin/sh": is_link("busybox")})
case("from", "an ARG of a global ARG", "ARG A=ba\nARG B=${A}se\nFROM ${B:-x}:1\n", files={"/bin/sh": is_link("busybox")})
case("from", "an empty variable", "ARG V\nFROM $V\nRUN true\n", error="empty|names nothing|base name", line=2)
case("from", "a stage chosen by an ARG", "ARG which=b\nFROM scratch AS a\nCOPY a /f\nFROM scratch AS b\nCOPY b /f\n"
     "FROM $which\n", {"a": "A", "b": "B"}, options=("--build-arg", "which=a"), files={"/f": "A"})
case("from", "the host's platform", B + "RUN echo run >/r\n", options=("--platform", "@HOST@"),
     files={"/r": "run\n"}, config={"/Architecture": "@HOSTARCH@", "/Os": "linux"})
case("from", "another platform, without RUN", S + "ARG TARGETPLATFORM\nENV P=$TARGETPLATFORM\nCOPY a /\n", {"a": "1"},
     options=("--platform", "@OTHER@"), files={"/a": "1"},
     config={"/Architecture": "@OTHERARCH@", "Env+": {"P": "@OTHER@"}})
case("from", "another platform, with RUN", S + "COPY a /\nRUN [\"/a\"]\n", {"a": "1"}, options=("--platform", "@OTHER@"),
     error="can't run|platform|exec", line=3)
case("from", "another platform, RUN on the build's own",
     "FROM --platform=$BUILDPLATFORM base:1 AS make\nARG TARGETARCH\nRUN echo for $TARGETARCH >/f\nFROM scratch\n"
     "COPY --from=make /f /f\n", options=("--platform", "@OTHER@"), files={"/f": "for @OTHERARCH@\n"},
     config={"/Architecture": "@OTHERARCH@"})
case("from", "no such image", "FROM localhost:1/no/such:1\n", error="no/such", line=1)
case("from", "a target by its name", "FROM scratch AS a\nCOPY a /a\nFROM scratch\nCOPY b /b\n", {"a": "1", "b": "2"},
     options=("--target", "A"), below={"/": {"a"}})
case("from", "a target by its number", S + "COPY a /a\nFROM scratch\nCOPY b /b\n", {"a": "1", "b": "2"},
     options=("--target", "0"), below={"/": {"a"}})
case("from", "no such target", "FROM scratch AS web\n", options=("--target", "wep"), error=r"\"?wep\"?[\s\S]*web")
case("from", "a named context for an image", "FROM whatever:2\nCOPY a /\n", {"a": "1"},
     options=("--build-context", "whatever:2=docker-image://base:1"), files={"/a": "1", "/bin/sh": is_link("busybox")})
case("from", "a named context for a stage", "FROM scratch AS x\nCOPY a /f\nFROM scratch\nCOPY --from=x /f /g\n", {"a": "1"},
     beside={"other/f": "2"}, options=("--build-context", "x=@PLACE@/other"), files={"/g": "2"})
case("from", "a stage's name that can't be", "FROM scratch AS 1x\n", error="1x", line=1)
case("from", "AS without a name", "FROM scratch AS\n", error="FROM", line=1)
case("from", "RUN on scratch", S + "RUN true\n", error="exit code|not found|no such", line=2)

# ARG and ENV

for name, head, lines, options, wanted in [
        ("a global ARG is not seen in a stage", "ARG A=g\n", "ENV X=[$A]\n", {}, "[]"),
        ("a global ARG taken over", "ARG A=g\n", "ARG A\nENV X=[$A]\n", {}, "[g]"),
        ("a stage's own default wins over the global", "ARG A=g\n", "ARG A=s\nENV X=[$A]\n", {}, "[s]"),
        ("what is given wins over both defaults", "ARG A=g\n", "ARG A=s\nENV X=[$A]\n", {"A": "o"}, "[o]"),
        ("what is given without an ARG is not seen", "", "ENV X=[$A]\n", {"A": "o"}, "[]"),
        ("an ARG is seen after its line only", "", "ENV X=[$A]\nARG A=1\nENV Y=$A\n", {}, "[]"),
        ("an ARG without a value", "", "ARG A\nENV X=[${A-unset}]\n", {}, "[unset]"),
        ("an ARG with an empty value", "", "ARG A=\nENV X=[${A-unset}]\n", {}, "[]"),
        ("an ARG given as empty", "", "ARG A=d\nENV X=[${A-unset}]\n", {"A": ""}, "[]"),
        ("ENV wins over ARG", "", "ENV A=e\nARG A=a\nENV X=[$A]\n", {"A": "o"}, "[e]"),
        ("ENV after ARG wins", "", "ARG A=a\nENV A=e\nENV X=[$A]\n", {"A": "o"}, "[e]"),
        ("several ARGs in a line", "", "ARG A=1 B=\"2 3\" C\nENV X=[$A-$B-$C]\n", {"C": "4"}, "[1-2 3-4]"),
        ("an ARG of an ARG", "", "ARG A=1\nARG B=$A$A\nENV X=[$B]\n", {"A": "2"}, "[22]"),
        ("a second ARG of the same name", "", "ARG A=1\nARG A=2\nENV X=[$A]\n", {}, "[2]"),
        ("ENV of a line sees those before the line", "", "ENV A=1\nENV A=2 X=[$A]\n", {}, "[1]"),
        ("ENV again changes it", "", "ENV X=1\nENV X=[2]\n", {}, "[2]"),
        ("ENV in the old form", "", "ENV X [a  b] \"c\"\n", {}, "[a  b] c"),
        ("predefined only with ARG", "", "ENV X=[$TARGETPLATFORM$TARGETOS$BUILDARCH]\n", {}, "[]"),
        ("predefined", "", "ARG TARGETOS TARGETARCH TARGETPLATFORM BUILDOS BUILDARCH BUILDPLATFORM TARGETVARIANT\n"
         "ENV X=[$TARGETOS/$TARGETARCH,$TARGETPLATFORM,$BUILDOS/$BUILDARCH,$BUILDPLATFORM,$TARGETVARIANT]\n", {},
         "[@HOST@,@HOST@,@HOST@,@HOST@,]"),
        ("predefined in a global ARG", "ARG P=$BUILDPLATFORM\n", "ARG P\nENV X=[$P]\n", {}, "[@HOST@]")]:
    given = tuple(word for key, value in options.items() for word in ("--build-arg", f"{key}={value}"))
    case("arg", name, f"{head}{S}{lines}", options=given, config={"Env+": {"X": wanted}})

case("arg", "of an ENV", S + "ENV A=1\nARG B=$A-\nENV X=$B\n", config={"Env+": {"X": "1-"}})
case("arg", "PATH grows", S + "ENV PATH=/x:$PATH\n", config={"Env": [f"PATH=/x:{PATH}"]})
case("arg", "not in the next stage", "FROM scratch\nARG A=1\nFROM scratch\nENV X=[$A]\n", config={"Env+": {"X": "[]"}})
case("arg", "in a stage that builds upon its stage", "FROM scratch AS p\nARG A=1\nFROM p\nENV X=[$A]\n",
     config={"Env+": {"X": "[1]"}})
case("arg", "not in the image", B + "ARG A=1\nRUN echo $A >/f\n", files={"/f": "1\n"}, config={"Env-": ["A"]})
case("arg", "in RUN as ENV has it", B + "ARG A=1\nENV A=2\nARG B=3\nRUN echo $A $B $C >/f\n",
     options=("--build-arg", "A=9", "--build-arg", "C=8"), files={"/f": "2 3\n"})
case("arg", "a value from the surroundings", S + "ARG A=1\nENV X=$A\n", options=("--build-arg", "A"), env={"A": "mine"},
     config={"Env+": {"X": "mine"}})
case("arg", "a warning of one that is not used", S + "ARG A\n", options=("--build-arg", "NOPE=1"), says=("NOPE",))
case("arg", "proxies in RUN, not in the image or its history",
     B + "RUN echo $HTTP_PROXY $https_proxy $no_proxy >/dev/stderr\n", nowhere=("proxy-@ID@", "s3cret-@ID@"),
     options=("--build-arg", "HTTP_PROXY=http://proxy-@ID@", "--build-arg", "https_proxy=http://s3cret-@ID@",
              "--build-arg", "no_proxy=x-@ID@", "--no-cache"),
     config={"Env-": ["HTTP_PROXY", "https_proxy"]}, says=("http://proxy-@ID@ http://s3cret-@ID@ x-@ID@",))
case("arg", "proxies don't count for the cache", B + "RUN echo @ID@ >/f\n", options=("--build-arg", "HTTP_PROXY=http://b:1"),
     before=((None, ("--build-arg", "HTTP_PROXY=http://a:1")),), says=(r"#3 CACHED|#2 CACHED",), silent=(r"DONE",))

# Expansion

for number, (expression, wanted) in enumerate([
        ("$v", "a.tar.gz"), ("${v}x", "a.tar.gzx"), ("$vx", ""), ("${none}", ""), ("${none:-d}", "d"), ("${none-d}", "d"),
        ("${e:-d}", "d"), ("${e-d}", ""), ("${v:-d}", "a.tar.gz"), ("${v:+s}", "s"), ("${none:+s}", ""), ("${e:+s}", ""),
        ("${e+s}", "s"), ("${none:-${v}}", "a.tar.gz"), ("${none:-$v}", "a.tar.gz"), ("${v#*.}", "tar.gz"),
        ("${v##*.}", "gz"), ("${v%.*}", "a.tar"), ("${v%%.*}", "a"), ("${v/a/b}", "b.tar.gz"), ("${v//a/b}", "b.tbr.gz"),
        ("${v#?}", ".tar.gz"), ("${v:?must}", "a.tar.gz"), (r"\$v", "$v"), (r"\${v}", "${v}"), ("'$v'", "$v"),
        ('"$v b"', "a.tar.gz b"), ("\"'$v'\"", "'a.tar.gz'"), (r"a\ b", "a b"), (r'"a\"b"', 'a"b'), (r"'a\b'", r"a\b"),
        (r"a\\b", r"a\b"), ("$v$v", "a.tar.gza.tar.gz"), ("a=b=c", "a=b=c"), ('a"b"c', "abc"), ('""', ""), ("$", "$"),
        ("${none:-a b}", "a b")]):
    env_case("expand", f"{number} {expression}".replace("/", "|"),
             f"ARG e=\nARG v=a.tar.gz\nENV X={expression if ' b}' not in expression else chr(34) + expression + chr(34)}\n",
             {"X": wanted})
case("expand", "${x:?message} of an unset one", S + "ENV A=1\nENV X=\"${nothing:?give me one}\"\n", error="give me one", line=3)
case("expand", "${x?message} of an empty one is fine", S + "ARG e=\nENV X=[${e?no}]\n", config={"Env+": {"X": "[]"}})
case("expand", "an unclosed brace", S + "ENV A=1\nENV X=${A\n", error="", line=3)
case("expand", "a modifier that there isn't", S + "ARG A=1\nENV X=${A^^}\n", error="modifier|\\^", line=3)
V = S + "ARG d=dir n=7 k=key\n"
case("expand", "in COPY", V + "COPY ${k}.txt $d/ /$d/$n/\n", {"key.txt": "1", "dir/f": "2"},
     files={"/dir/7/key.txt": "1", "/dir/7/f": "2"})
case("expand", "in COPY's flags", V + "COPY --chown=$n:1$n --chmod=0${n}00 key.txt /\n", {"key.txt": "1"},
     files={"/key.txt": is_file("1", uid=7, gid=17, mode=0o700)})
case("expand", "in WORKDIR", V + "WORKDIR /a/$d\nWORKDIR ${n}\n", config={"WorkingDir": "/a/dir/7"})
case("expand", "in USER", V + "USER $n:${k}\n", config={"User": "7:key"})
case("expand", "in EXPOSE", V + "EXPOSE 8$n ${n}0/udp\n", config={"ExposedPorts": {"87/tcp": {}, "70/udp": {}}})
case("expand", "in LABEL", V + "LABEL $k=\"$d x\" b='$d'\n", config={"Labels": {"key": "dir x", "b": "$d"}})
case("expand", "in VOLUME", V + "VOLUME /$d /${n}\n", config={"Volumes": {"/dir": {}, "/7": {}}})
case("expand", "in STOPSIGNAL", V + "STOPSIGNAL ${n}\n", config={"StopSignal": "7"})
case("expand", "not in CMD and ENTRYPOINT", V + "ENTRYPOINT [\"$d\"]\nCMD echo ${n}\n",
     config={"Entrypoint": ["$d"], "Cmd": ["/bin/sh", "-c", "echo ${n}"]})
case("expand", "not in RUN but by its shell", B + "ARG A=1\nRUN A=2; echo $A '$A' \\$A >/f\n", files={"/f": "2 $A $A\n"})

# Lines

case("lines", "the escape directive", "# escape=`\nFROM scratch\nENV A=c:\\d `\n    B=`$A\n",
     config={"Env+": {"A": "c:\\d", "B": "$A"}})
case("lines", "a directive after a comment is one itself", "# a comment\n# escape=`\nFROM scratch\nENV A=1 \\\n  B=2\n",
     config={"Env+": {"A": "1", "B": "2"}})
case("lines", "the syntax directive changes nothing", "# syntax=docker/dockerfile:1.7-labs\nFROM scratch\nENV A=1\n",
     config={"Env+": {"A": "1"}})
case("lines", "continuations, comments and empty lines in between",
     B + "RUN echo a \\\n# a comment\n  b \\\n\n   # another\n  c >/f\n", files={"/f": "a b c\n"})
case("lines", "blanks behind a continuation", S + "ENV A=1 \\  \n  B=2\n", config={"Env+": {"A": "1", "B": "2"}})
case("lines", "a # within a line is text", S + "ENV A=b#c\nLABEL l=\"# x\"\n", config={"Env+": {"A": "b#c"},
                                                                                    "Labels": {"l": "# x"}})
case("lines", "blanks before an instruction and a comment", "   FROM scratch\n   # c\n\t ENV A=1\n",
     config={"Env+": {"A": "1"}})
case("lines", "CR LF", "FROM scratch\r\nENV A=1 \\\r\n  B=2\r\n", config={"Env+": {"A": "1", "B": "2"}})
case("lines", "a byte order mark", "\ufeffFROM scratch\nENV A=1\n", config={"Env+": {"A": "1"}})
case("lines", "no line break at the end", "FROM scratch\nENV A=1", config={"Env+": {"A": "1"}})
case("lines", "small letters", "from scratch\nenv A=1\nCmD [\"x\"]\n", config={"Env+": {"A": "1"}, "Cmd": ["x"]})
case("lines", "a label of several lines", S + "LABEL a=\"b \\\n c\" \\\n  d=e\n", config={"Labels": {"a": "b  c", "d": "e"}})
case("lines", "JSON with escapes", S + "CMD [\"a\\tb\", \"\\u00e9\", \"c\\\"d\"]\n", config={"Cmd": ["a\tb", "é", "c\"d"]})
case("lines", "what looks like JSON but isn't", S + "CMD ['a', 'b']\n", config={"Cmd": ["/bin/sh", "-c", "['a', 'b']"]})
case("lines", "COPY in the JSON form", S + "COPY [\"a b\", \"c d/\"]\n", {"a b": "1"}, files={"/c d/a b": "1"})
case("lines", "an unknown instruction", S + "COPPY a b\n", error="(?i)coppy[\\s\\S]*COPY", line=2)
case("lines", "an instruction before FROM", "RUN true\nFROM scratch\n", error="FROM", line=1)
case("lines", "an empty Dockerfile", "", error="empty|no FROM|FROM")
case("lines", "only comments", "# a\n\n# b\n", error="empty|no FROM|FROM")
case("lines", "an instruction without arguments", S + "LABEL a=b\nWORKDIR\n", error="WORKDIR", line=3)
case("lines", "an unknown flag", S + "COPY --chwon=1 a b\n", {"a": ""}, error="--chwon[\\s\\S]*--chown", line=2)
case("lines", "a heredoc that doesn't end", S + "COPY <<EOF /f\nabc\n", error="EOF", line=2)
case("lines", "all errors at once", S + "COPPY a b\nLABEL a=b\nENV\n", error=r"Dockerfile:2:[\s\S]*Dockerfile:4:", line=2)
case("lines", "a Dockerfile of another name", None, {"sub/My.df": S + "COPY a /\n", "a": "1"},
     options=("-f", "@CTX@/sub/My.df"), files={"/a": "1"})
case("lines", "a Dockerfile on standard input", None, {"a": "1"}, options=("-f", "-"), stdin=S + "COPY a /b\n",
     files={"/b": "1"})
case("lines", "no Dockerfile", None, {"a": "1"}, error="Dockerfile")

case("lines", "tabs between words", "FROM\tscratch\nENV\tA=1\t\tB=2\n", config={"Env+": {"A": "1", "B": "2"}})
# COPY

case("copy", "a file to a path", S + "COPY a /x/y\n", {"a": put_file("1", 0o640, uid=12)},
     files={"/x/y": is_file("1", mode=0o640, uid=0, gid=0, mtime=OLD), "/x": is_dir(mode=0o755, uid=0, gid=0)})
case("copy", "a file into a directory that is written so", S + "COPY a /x/\n", {"a": "1"}, files={"/x/a": "1"})
case("copy", "a file into a directory that is there", B + "COPY a /tmp\n", {"a": "1"}, files={"/tmp/a": "1"})
case("copy", "a file to a path without a slash", S + "COPY a /x\n", {"a": "1"}, files={"/x": "1"})
case("copy", "a file over a file", S + "COPY a /x\nCOPY b /x\n", {"a": "1", "b": put_file("2", 0o700)},
     files={"/x": is_file("2", mode=0o700)})
case("copy", "a directory's content", S + "COPY d /x\n", {"d/f": "1", "d/e/g": "2"},
     below={"/": {"x", "x/f", "x/e", "x/e/g"}})
case("copy", "a directory's content, with slashes", S + "COPY d/ /x/\n", {"d/f": "1"}, below={"/": {"x", "x/f"}})
case("copy", "the whole context", S + "WORKDIR /app\nCOPY . .\n", {"a": "1", "d/b": "2"},
     files={"/app/a": "1", "/app/d/b": "2", "/app/Dockerfile": is_like("FROM")})
case("copy", "relative to WORKDIR", S + "WORKDIR /w\nCOPY a b\nCOPY a c/\nCOPY a ./\nCOPY a ../z\n", {"a": "1"},
     files={"/w/b": "1", "/w/c/a": "1", "/w/a": "1", "/z": "1"})
case("copy", "several sources", S + "COPY a b d /x/\n", {"a": "1", "b": "2", "d/c": "3"},
     below={"/": {"x", "x/a", "x/b", "x/c"}})
case("copy", "several sources to a path without a slash", S + "LABEL a=b\nCOPY a b /x\n", {"a": "1", "b": "2"},
     error="slash|directory", line=3)
case("copy", "a source from the context's top", S + "COPY /d/a /x\n", {"d/a": "1"}, files={"/x": "1"})
case("copy", "a source above the context is one in it", S + "COPY ../../a /x\n", {"a": "1"}, files={"/x": "1"})
case("copy", "wildcards", S + "COPY a* b?.txt [cd]e f[^x] /x/\n",
     {"a": "1", "aa": "2", "b1.txt": "3", "b12.txt": "no", "ce": "4", "ee": "no", "fy": "5", "fx": "no"},
     below={"/x": {"a", "aa", "b1.txt", "ce", "fy"}})
case("copy", "wildcards in directories", S + "COPY */*.txt /x/\n", {"d/a.txt": "1", "e/b.txt": "2", "e/c": "no", "t.txt": "no"},
     below={"/x": {"a.txt", "b.txt"}})
case("copy", "an escaped wildcard", S + "COPY arr[[]0].txt /x\n", {"arr[0].txt": "1"}, files={"/x": "1"})
case("copy", "a wildcard for directories", S + "COPY d* /x/\n", {"d1/a": "1", "d2/b": "2"}, below={"/x": {"a", "b"}})
case("copy", "a wildcard for nothing", S + "COPY no* /x/\n", {"a": "1"}, error="no\\*", line=2)
case("copy", "a missing source, with a hint", S + "LABEL a=b\nCOPY  packge.json /\n", {"package.json": "1"},
     error=r"packge\.json[\s\S]*package\.json", line=3)
case("copy", "a missing directory", S + "COPY d/e/f /\n", {"a": "1"}, error="d/e/f", line=2)
case("copy", "links in a directory are kept", S + "COPY d /x\n",
     {"d/f": "1", "d/l": put_link("f"), "d/dangling": put_link("/no/where"), "d/dl": put_link("sub"), "d/sub/g": "2"},
     files={"/x/l": is_link("f"), "/x/dangling": is_link("/no/where"), "/x/dl": is_link("sub"), "/x/sub/g": "2"})
case("copy", "a link as the source is followed", S + "COPY l /x/\nCOPY dl /y/\n",
     {"f": "1", "l": put_link("f"), "d/g": "2", "dl": put_link("d")}, files={"/x/l": is_file("1"), "/y/g": "2"})
case("copy", "a link out of the context leads into it", S + "COPY l /x\n", {"l": put_link("/etc/passwd"), "etc/passwd": "mine"},
     files={"/x": "mine"})
case("copy", "a link out of the context to nothing", S + "COPY l /x\n", {"l": put_link("../../../../../../etc/passwd")},
     error="l", line=2)
case("copy", "a destination through a link of the image", B + "RUN mkdir /real && ln -s real /link\nCOPY a /link/\nCOPY d /link\n",
     {"a": "1", "d/b": "2"}, files={"/real/a": "1", "/real/b": "2", "/link": is_link("real")})
case("copy", "an empty directory", S + "COPY d /x\nCOPY . /y\n", {"d/e": put_dir(0o700)},
     files={"/x/e": is_dir(mode=0o700), "/y/d/e": is_dir(mode=0o700)})
case("copy", "modes of files and directories", S + "COPY d /x/\n",
     {"d/a": put_file("1", 0o755), "d/b": put_file("2", 0o600), "d/s": put_file("3", 0o4755), "d/t": put_dir(0o1777)},
     files={"/x/a": is_file(mode=0o755), "/x/b": is_file(mode=0o600), "/x/s": is_file(mode=0o4755),
            "/x/t": is_dir(mode=0o1777)})
case("copy", "times of files", S + "COPY d /x/\n", {"d/a": put_file("t-@ID@", mtime=1_111_111_111)},
     files={"/x/a": is_file(mtime=1_111_111_111)})
case("copy", "a directory that is there keeps its mode", B + "RUN mkdir -m 1777 /t\nCOPY d /t\n", {"d/a": "1", "d": put_dir(0o700)},
     files={"/t": is_dir(mode=0o1777), "/t/a": "1"})
case("copy", "a subdirectory that is there takes the source's mode", B + "RUN mkdir -p -m 755 /t/s && touch /t/s/old\nCOPY d /t\n",
     {"d/s": put_dir(0o711), "d/s/a": "1"}, files={"/t/s": is_dir(mode=0o711), "/t/s/a": "1", "/t/s/old": ""})
case("copy", "a file over a directory", B + "RUN mkdir -p /x/a/b\nCOPY d /x\n", {"d/a": "1"}, error="director", line=3)
case("copy", "a directory over a file", B + "RUN mkdir /x && echo 1 >/x/a\nCOPY d /x\n", {"d/a/b": "1"}, error="director",
     line=3)
case("copy", "a directory to a path that is a file", B + "RUN echo 1 >/x\nCOPY d /x\n", {"d/a": "1"}, error="director", line=3)
case("copy", "hard links from a stage are kept",
     B[:-1] + " AS one\nRUN mkdir /d && echo 1 >/d/a && ln /d/a /d/b\nFROM scratch\nCOPY --from=one /d /x\n",
     files={"/x/a": "1\n", "/x/b": Is(same="/x/a")})
case("copy", "hard links of the context have their content", S + "COPY d /x\n", {"d/a": "1", "d/b": put_hard("d/a")},
     files={"/x/a": "1", "/x/b": "1"})
case("copy", "a name with blanks, and others", S + "COPY d /x\n", {"d/a b": "1", "d/é 漢字": "2", "d/-r": "3", "d/a\\b": "4",
                                                                   "d/" + "n" * 200: "5"},
     files={"/x/a b": "1", "/x/é 漢字": "2", "/x/-r": "3", "/x/a\\b": "4", "/x/" + "n" * 200: "5"})
case("copy", "a long path", S + "COPY d /x\n", {"d/" + "/".join(["deep" * 10] * 8) + "/f": "1"},
     files={"/x/" + "/".join(["deep" * 10] * 8) + "/f": "1"})

case("copy", "a file to a directory's path where a file is", B + "RUN echo 1 >/x\nCOPY a /x/\n", {"a": "1"}, error="director|file", line=3)
case("copy", "a file below a file", B + "RUN echo 1 >/x\nCOPY a /x/y/z\n", {"a": "1"}, error="director|file", line=3)
case("copy", "a file into the directory that a link leads to", B + "RUN mkdir /r && ln -s /r /l\nCOPY a /l\n", {"a": "1"},
     files={"/r/a": "1", "/l": is_link("/r")})
case("copy", "over a link to a file", B + "RUN echo old >/r && ln -s /r /l\nCOPY d /\n", {"d/l": "new"}, files={"/l": is_file("new"), "/r": "old\n"})
case("copy", "a link over a file", B + "RUN echo old >/x\nCOPY d /\n", {"d/x": put_link("y")}, files={"/x": is_link("y")})
case("copy", "of 120 layers", "FROM base:1\n" + "".join(f"COPY <<E /l/{n}\n{n}\nE\n" for n in range(120)) + "RUN ls /l | wc -l >/f\n",
     files={"/f": "120\n", "/l/0": "0\n", "/l/119": "119\n"})
case("chown", "numbers", S + "COPY --chown=5:6 d /x/y/\n", {"d/a": "1", "d/e/b": "2"},
     files={"/x/y/a": is_file(uid=5, gid=6), "/x/y/e": is_dir(uid=5, gid=6), "/x/y": is_dir(uid=5, gid=6)})
case("chown", "a number alone is the group's too", S + "COPY --chown=5 a /\n", {"a": "1"}, files={"/a": is_file(uid=5, gid=5)})
case("chown", "names", B + "COPY --chown=www-data:nogroup a /\nCOPY --chown=nobody:33 a /b\nCOPY --chown=www-data a /c\n",
     {"a": "1"}, files={"/a": is_file(uid=33, gid=65534), "/b": is_file(uid=65534, gid=33), "/c": is_file(uid=33, gid=33)})
case("chown", "a name that there isn't", B + "COPY --chown=nobodyknows a /\n", {"a": "1"}, error="nobodyknows", line=2)
case("chown", "a name without /etc/passwd", S + "COPY --chown=root a /\n", {"a": "1"}, error="root|passwd", line=2)
case("chown", "a link belongs to them too", S + "COPY --chown=5:6 d /x\n", {"d/l": put_link("a")},
     files={"/x/l": Is("link", uid=5, gid=6)})
case("chown", "USER doesn't count for COPY", B + "USER 33\nCOPY a /\n", {"a": "1"}, files={"/a": is_file(uid=0, gid=0)})
case("chown", "from a stage the owners stay",
     B[:-1] + " AS one\nRUN echo 1 >/a && chown 5:6 /a\nFROM scratch\nCOPY --from=one /a /a\nCOPY --from=one --chown=7:8 /a /b\n",
     files={"/a": is_file(uid=5, gid=6), "/b": is_file(uid=7, gid=8)})
for text, before, after, directory in [("0700", 0o644, 0o700, 0o700), ("644", 0o700, 0o644, 0o644), ("4755", 0o600, 0o4755, 0o4755),
                                       ("u=rwX,go=rX", 0o600, 0o644, 0o755), ("+x", 0o644, 0o755, 0o755),
                                       ("go-rwx", 0o664, 0o600, 0o700), ("a=r", 0o777, 0o444, 0o444),
                                       ("u+s,g=u", 0o740, 0o4770, 0o4775), ("u=rw,g=r,o=", 0o777, 0o640, 0o640),
                                       ("u+X", 0o654, 0o754, 0o755)]:
    case("chmod", text, S + f"COPY --chmod={text} d/ /x/\n", {"d/a": put_file("1", before), "d/e/b": put_file("2", before)},
         files={"/x/a": is_file(mode=after), "/x/e/b": is_file(mode=after), "/x/e": is_dir(mode=directory)})
case("chmod", "one that can't be", S + "COPY --chmod=u=q a /\n", {"a": "1"}, error="u=q", line=2)
case("chmod", "one that can't be, octal", S + "COPY --chmod=999 a /\n", {"a": "1"}, error="999", line=2)
case("chmod", "of a heredoc", S + "COPY --chmod=0711 --chown=3 <<E /x\na\nE\n",
     files={"/x": is_file("a\n", mode=0o711, uid=3, gid=3)})

TREE = {"x/a.txt": "1", "x/y/b.txt": "2", "x/y/c.md": "3", "z/a.txt": "4"}
case("parents", "plain", S + "COPY --parents x/a.txt z/a.txt /d/\n", TREE, below={"/d": {"x", "x/a.txt", "z", "z/a.txt"}})
case("parents", "behind a /./", S + "COPY --parents ./x/./y/*.txt /d/\n", TREE, below={"/d": {"y", "y/b.txt"}})
case("parents", "a wildcard", S + "COPY --parents x/*/*.txt /d/\n", TREE, below={"/d": {"x", "x/y", "x/y/b.txt"}})
case("parents", "**", S + "COPY --parents **/*.txt /d/\n", TREE,
     below={"/d": {"x", "x/a.txt", "x/y", "x/y/b.txt", "z", "z/a.txt"}})
case("parents", "a directory", S + "COPY --parents x/y /d/\n", TREE, below={"/d": {"x", "x/y", "x/y/b.txt", "x/y/c.md"}})
case("parents", "the directories' modes", S + "COPY --parents x/y/f /d/\n",
     {"x": put_dir(0o750), "x/y": put_dir(0o711), "x/y/f": "1"}, files={"/d/x": is_dir(mode=0o750), "/d/x/y": is_dir(mode=0o711)})
case("parents", "from a stage", "FROM scratch AS s\nCOPY . /w/\nFROM scratch\nCOPY --parents --from=s /w/./x/y /d/\n", TREE,
     below={"/d": {"x", "x/y", "x/y/b.txt", "x/y/c.md"}})
case("exclude", "names at the top", S + "COPY --exclude=*.txt --exclude=y x /d/\n", TREE | {"x/k": "5"}, below={"/d": {"k"}})
case("exclude", "only at the top", S + "COPY --exclude=*.txt x /d/\n", TREE, below={"/d": {"y", "y/b.txt", "y/c.md"}})
case("exclude", "anywhere", S + "COPY --exclude=**/*.txt . /d/\n", {"x/a.txt": "1", "x/b": "2", "c.txt": "3"},
     below={"/d": {"x", "x/b", "Dockerfile"}})
case("exclude", "of wildcards", S + "COPY --exclude=*.md h* /d/\n", {"h.md": "1", "h.txt": "2"}, below={"/d": {"h.txt"}})
case("exclude", "of ADD", S + "ADD --exclude=a* d /d/\n", {"d/a1": "1", "d/b": "2"}, below={"/d": {"b"}})
case("link", "files", B + "COPY --link d /x/\nCOPY --link --chown=5:6 --chmod=600 a /y/\n", {"d/b": "1", "a": "2"},
     files={"/x/b": "1", "/y/a": is_file("2", uid=5, gid=6, mode=0o600), "/bin/sh": is_link("busybox")})
case("link", "stays cached upon another base", "ARG X=1\nFROM base:1\nARG X\nRUN echo $X-@ID@ >/r\nCOPY --link a /x\n",
     {"a": "@ID@"}, options=("--build-arg", "X=2"), before=((None, ()),), says=(r"COPY --link a /x\n#\d+ CACHED",),
     files={"/x": "@ID@", "/r": "2-@ID@\n"})
case("link", "replaces a link of the image", B + "RUN mkdir /r && ln -s r /l\nCOPY --link d /l\n", {"d/a": "1"},
     files={"/l/a": "1"})
case("copyfrom", "an image", S + "COPY --from=base:1 /etc/passwd /p\n", files={"/p": is_like("root:x")})
case("copyfrom", "a named directory", S + "COPY --from=extra f /x\nCOPY --from=extra . /all/\n", {}, beside={"more/f": "1", "more/g": "2"},
     options=("--build-context", "extra=@PLACE@/more"), files={"/x": "1", "/all/g": "2"})
case("copyfrom", "a named directory's .dockerignore", S + "COPY --from=extra . /all/\n", {},
     beside={"more/f": "1", "more/g": "2", "more/.dockerignore": "g\n"},
     options=("--build-context", "extra=@PLACE@/more"), files={"/all/f": "1", "/all/g": GONE})
case("copyfrom", "a named image", S + "COPY --from=extra /etc/passwd /x\n", {},
     options=("--build-context", "extra=docker-image://base:1"), files={"/x": is_like("root:x")})
case("copyfrom", "a later stage", "FROM scratch\nCOPY --from=later /a /a\nFROM scratch AS later\n", error="later", line=2,
     options=("--target", "0"))
case("copyfrom", "a number that there isn't", S + "COPY --from=4 /a /a\n", error="4", line=2)
case("copyfrom", "a file that there isn't", "FROM scratch AS one\nCOPY a /apple\nFROM scratch\nCOPY --from=one /aple /\n", {"a": "1"},
     error=r"aple[\s\S]*apple", line=4)
case("copyfrom", "a wildcard in a stage", "FROM scratch AS one\nCOPY a b /d/\nFROM scratch\nCOPY --from=one /d/* /x/\n",
     {"a": "1", "b": "2"}, below={"/x": {"a", "b"}})
case("copyfrom", "relative to the stage's top, not its WORKDIR",
     "FROM scratch AS one\nWORKDIR /w\nCOPY a .\nFROM scratch\nCOPY --from=one w/a /x\n", {"a": "1"}, files={"/x": "1"})
case("copyfrom", "an absolute link in a stage stays in it",
     B[:-1] + " AS one\nRUN mkdir /d && echo in >/d/f && ln -s /d/f /l && ln -s /etc/hostname-x /m\nFROM scratch\nCOPY --from=one /l /x\n",
     files={"/x": "in\n"})
case("copyfrom", "what was removed in the stage doesn't come",
     B[:-1] + " AS one\nRUN mkdir -p /d/e /d/o && touch /d/a /d/b /d/e/c /d/o/x\nRUN rm -r /d/a /d/e /d/o && mkdir /d/o && touch /d/o/y\nFROM scratch\nCOPY --from=one /d /d\n",
     below={"/": {"d", "d/b", "d/o", "d/o/y"}})
case("copyfrom", "what was removed can't be copied", B[:-1] + " AS one\nRUN touch /gone\nRUN rm /gone\nFROM scratch\nCOPY --from=one /gone /\n",
     error="gone", line=5)
case("copyfrom", "--exclude and --chmod", "FROM scratch AS one\nCOPY a b /d/\nFROM scratch\nCOPY --from=one --exclude=b --chmod=711 /d /d\n",
     {"a": "1", "b": "2"}, below={"/d": {"a"}}, files={"/d/a": is_file("1", mode=0o711)})
case("copyfrom", "the stage itself", S + "COPY --from=0 /a /b\n", error="0", line=2)
case("heredoc", "COPY", S + "ARG A=1\nCOPY <<EOF /x\na $A ${B:-b}\n\tt\nEOF\n", files={"/x": is_file("a 1 b\n\tt\n", mode=0o644, uid=0)})
case("heredoc", "COPY, quoted", S + "ARG A=1\nCOPY <<\"EOF\" /x\na $A\nEOF\nCOPY <<'E' /y\n$A\nE\n", files={"/x": "a $A\n", "/y": "$A\n"})
case("heredoc", "COPY, without tabs", S + "COPY <<-EOF /x\n\ta\n\t\tb\n  c\n\tEOF\n", files={"/x": "a\nb\n  c\n"})
case("heredoc", "COPY of two and a file", S + "COPY <<one.txt <<two.txt a /d/\n1\none.txt\n2\ntwo.txt\n", {"a": "3"},
     files={"/d/one.txt": "1\n", "/d/two.txt": "2\n", "/d/a": "3"})
case("heredoc", "COPY of nothing", S + "COPY <<EOF /x\nEOF\n", files={"/x": ""})
case("heredoc", "ADD", S + "ADD <<EOF /x\na\nEOF\n", files={"/x": "a\n"})
case("heredoc", "an escaped variable", S + "ARG A=1\nCOPY <<EOF /x\n\\$A $A\nEOF\n", files={"/x": "$A 1\n"})

# .dockerignore

FULL = {"a.log": "1", "a.txt": "2", "d/b.log": "3", "d/b.txt": "4", "d/keep/c.log": "5", "e/f/g.txt": "6"}
for name, text, wanted in [
        ("a name", "a.log\n", {"a.txt", "d", "d/b.log", "d/b.txt", "d/keep", "d/keep/c.log", "e", "e/f", "e/f/g.txt"}),
        ("a wildcard at the top only", "*.log\n", {"a.txt", "d", "d/b.log", "d/b.txt", "d/keep", "d/keep/c.log", "e", "e/f", "e/f/g.txt"}),
        ("** anywhere", "**/*.log\n", {"a.txt", "d", "d/b.txt", "d/keep", "e", "e/f", "e/f/g.txt"}),
        ("a directory", "d\n", {"a.log", "a.txt", "e", "e/f", "e/f/g.txt"}),
        ("a directory, with slashes", "/d/\n", {"a.log", "a.txt", "e", "e/f", "e/f/g.txt"}),
        ("an exception", "*\n!a.txt\n", {"a.txt"}),
        ("an exception deep below", "d\n!d/keep/c.log\n",
         {"a.log", "a.txt", "d", "d/keep", "d/keep/c.log", "e", "e/f", "e/f/g.txt"}),
        ("the last line that matches decides", "!a.txt\n*.txt\n*.log\n!a.log\n",
         {"a.log", "d", "d/b.log", "d/b.txt", "d/keep", "d/keep/c.log", "e", "e/f", "e/f/g.txt"}),
        ("comments and blanks", "# a.log\n\n  d  \ne\n", {"a.log", "a.txt"}),
        ("? and [ ]", "[ab].tx?\nd\ne\n", {"a.log"}),
        ("a pattern of directories", "*/f\nd\n", {"a.log", "a.txt", "e"})]:
    case("ignore", name, S + "COPY . /x/\n", FULL | {".dockerignore": text},
         options=("-f", "@PLACE@/df"), beside={"df": S + "COPY . /x/\n"},
         below={"/x": wanted | ({".dockerignore"} if "*\n" not in text[:2] else set())})
    CASES[-1].dockerfile = None
case("ignore", "what is left out can't be copied, with a hint", S + "COPY a.log /\n", FULL | {".dockerignore": "*.log\n"},
     error=r"a\.log[\s\S]*\.dockerignore", line=2)
case("ignore", "Dockerfile.dockerignore comes first", S + "COPY . /x/\n",
     FULL | {".dockerignore": "**/*.txt\n", "Dockerfile.dockerignore": "d\ne\n*ockerfile*\n.d*\n"}, below={"/x": {"a.log", "a.txt"}})
case("ignore", "of a Dockerfile of another name", None,
     {"a": "1", "b": "2", "my.df": S + "COPY . /x/\n", "my.df.dockerignore": "*\n!a\n"}, options=("-f", "@CTX@/my.df"),
     below={"/x": {"a"}})
case("ignore", "the Dockerfile itself may be left out", S + "COPY . /x/\n", {"a": "1", ".dockerignore": "Dockerfile\n.dockerignore\n"},
     below={"/x": {"a"}})
case("ignore", "wildcards of COPY don't see it", S + "COPY *.t /x/\n", {"a.t": "1", "b.t": "2", ".dockerignore": "b.t\n"},
     below={"/x": {"a.t"}})
case("ignore", "doesn't count for stages", "FROM scratch AS one\nCOPY a /a.log\nFROM scratch\nCOPY --from=one / /x/\n",
     {"a": "1", ".dockerignore": "*.log\n"}, below={"/x": {"a.log"}})

# ADD

for kind, data in ARCHIVES.items():
    case("add", f"unpacks {kind}", S + f"ADD a.{kind} /x/\n", {f"a.{kind}": data},
         files={"/x/d": is_dir(mode=0o750), "/x/d/f": is_file("packed", uid=7, gid=8, mode=0o640, mtime=1_500_000_000),
                "/x/d/l": is_link("f"), "/x/d/h": Is(same="/x/d/f"), f"/x/a.{kind}": GONE})
case("add", "unpacks also to a path without a slash", S + "ADD a.tar /x\n", {"a.tar": TAR}, files={"/x/d/f": "packed"})
case("add", "knows an archive by its content", S + "ADD a.bin /x/\nADD b.tar.gz /y/\n", {"a.bin": ARCHIVES["tar.gz"], "b.tar.gz": "plain"},
     files={"/x/d/f": "packed", "/y/b.tar.gz": "plain"})
case("add", "--unpack=false", S + "ADD --unpack=false a.tar.gz /x/\n", {"a.tar.gz": ARCHIVES["tar.gz"]}, below={"/x": {"a.tar.gz"}})
case("add", "COPY doesn't unpack", S + "COPY a.tar /x/\n", {"a.tar": TAR}, below={"/x": {"a.tar"}})
case("add", "a compressed file that is no archive", S + "ADD a.gz /x/\n", {"a.gz": gzip.compress(b"text", mtime=0)},
     below={"/x": {"a.gz"}})
case("add", "--chown goes for what is unpacked", S + "ADD --chown=3:4 a.tar /x/\n", {"a.tar": TAR}, files={"/x/d/f": is_file(uid=3, gid=4)})
case("add", "archives within a directory stay", S + "ADD d /x\n", {"d/a.tar": TAR}, below={"/x": {"a.tar"}})
case("add", "an archive and a file", S + "WORKDIR /w\nADD a.tar b ./x/\n", {"a.tar": TAR, "b": "1"}, files={"/w/x/d/f": "packed", "/w/x/b": "1"})
case("add", "archives of a wildcard", S + "ADD *.tar* /x/\n", {"a.tar": TAR, "b.tar.gz": ARCHIVES["tar.gz"]}, below={"/x": {"d", "d/f", "d/l", "d/h"}})
case("add", "a directory is copied", S + "ADD d /x\n", {"d/f": "1"}, files={"/x/f": "1"})
case("add", "a URL to a path", S + "ADD @URL@/file.txt /x/y.txt\n",
     files={"/x/y.txt": is_file("fetched\n", mode=0o600, uid=0, mtime=MODIFIED)})
case("add", "a URL into a directory", S + "ADD @URL@/file.txt?a=b /x/\n", files={"/x/file.txt": is_file("fetched\n")})
case("add", "a URL with --chmod and --chown", S + "ADD --chmod=755 --chown=1:2 @URL@/file.txt /x\n",
     files={"/x": is_file("fetched\n", mode=0o755, uid=1, gid=2)})
case("add", "a URL that redirects", S + "ADD @URL@/redirect /x\n", files={"/x": "fetched\n"})
case("add", "a URL without a time", S + "ADD @URL@/nodate /x\n", files={"/x": is_file("undated\n", mtime=0)})
case("add", "a URL with the right checksum",
     S + f"ADD --checksum=sha256:{hashlib.sha256(b'fetched' + bytes([10])).hexdigest()} @URL@/file.txt /x\n", files={"/x": "fetched\n"})
case("add", "a URL with a wrong checksum", S + f"LABEL a=b\nADD --checksum=sha256:{'0' * 64} @URL@/file.txt /x\n", error="checksum", line=3)
case("add", "a URL that there isn't", S + "ADD @URL@/missing /x\n", error="404", line=2)
case("add", "a URL without a name", S + "ADD @URL@/ /x/\n", error="name", line=2)
case("add", "a URL without a name to a path", S + "ADD @URL@/ /x\n", files={"/x": "index\n"})
case("add", "a URL that nobody serves", S + "ADD http://127.0.0.1:1/x /x\n", error="127.0.0.1", line=2)
case("add", "an archive of a URL stays one", S + "ADD @URL@/sub/a.tar.gz /x/\n", below={"/x": {"a.tar.gz"}})
case("add", "an archive of a URL with --unpack", S + "ADD --unpack=true @URL@/sub/a.tar.gz /@ID@/\n",
     files={"/@ID@/d/f": "packed", "/@ID@/a.tar.gz": GONE})
case("add", "an archive of a URL with --unpack, after one without", S + "ADD --unpack=true @URL@/sub/a.tar.gz /@ID@/\n",
     before=((S + "ADD @URL@/sub/a.tar.gz /@ID@/\n", ()),), files={"/@ID@/d/f": "packed", "/@ID@/a.tar.gz": GONE})
case("add", "a URL of an ARG", S + "ARG U=@URL@\nADD $U/file.txt /x\n", files={"/x": "fetched\n"})
case("add", "a Git repository that nobody serves", S + "ADD https://127.0.0.1:1/a/b.git /x\n", error="(?i)git", line=2)
case("add", "--checksum of a local file", S + f"ADD --checksum=sha256:{'0' * 64} a /x\n", {"a": "1"}, error="--checksum", line=2)
case("add", "COPY of a URL", S + "COPY @URL@/file.txt /x\n", error="file.txt", line=2)

# RUN

case("run", "the shell form", B + "RUN echo \"$0\" a && echo b >/f\n", files={"/f": "b\n"}, says=("/bin/sh a",))
case("run", "the exec form", B + "ENV A=1\nRUN [\"/bin/sh\", \"-c\", \"echo $A >/f\"]\nRUN [\"touch\", \"/$A\"]\n",
     files={"/f": "1\n", "/$A": ""})
case("run", "SHELL", B + "SHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN echo $- >/f\nCMD x\n", files={"/f": is_like("e")},
     config={"Shell": ["/bin/sh", "-e", "-c"], "Cmd": ["/bin/sh", "-e", "-c", "x"]})
case("run", "SHELL has to be JSON", B + "SHELL /bin/sh -c\n", error="SHELL", line=2)
case("run", "a heredoc", B + "ENV A=1\nRUN <<EOF\nB=2\necho $A $B >/f\nfalse\necho on >>/f\nEOF\n", files={"/f": "1 2\non\n"})
case("run", "a heredoc that fails at its end", B + "RUN <<EOF\ntrue\nexit 4\nEOF\n", error="exit code:? 4", line=2)
case("run", "a heredoc for a command", B + "RUN cat >/f <<EOF\na\nEOF\nRUN sort <<A >/g && cat <<B >>/g\n2\n1\nA\n3\nB\n",
     files={"/f": "a\n", "/g": "1\n2\n3\n"})
case("run", "a heredoc with #!", B + "RUN <<EOF\n#!/bin/awk -f\nBEGIN { print 6 * 7 > \"/f\" }\nEOF\n", files={"/f": "42\n"},
     below={"/dev": set()})
case("run", "a heredoc without tabs", B + "RUN <<-EOF\n\tcat >/f <<-X\n\t\ta\n\tX\n\tEOF\n", files={"/f": "a\n"})
case("run", "the exit code and an excerpt", B + "LABEL a=b\nRUN echo before-@ID@; \\\n  exit 42\nLABEL c=d\n",
     error=r"exit code 42[\s\S]*LABEL a=b[\s\S]*RUN echo before[\s\S]*before-@ID@", line=3)
case("run", "a command that there isn't", B + "RUN nosuchcommand\n", error="127", line=2)
case("run", "a program that there isn't", B + "RUN [\"/no/such\"]\n", error="/no/such|127|not found", line=2)
case("run", "killed by a signal", B + "RUN sh -c 'kill -9 $$'; exit $?\n", error="137", line=2)
case("run", "the environment", B + "ENV A=1 B='x y'\nARG C=2\nRUN env | sort >/f\n",
     files={"/f": is_like(rf"(?s)^A=1\nB=x y\nC=2\nHOME=/root\n.*PATH={PATH}\n")})
case("run", "as a user by name", B + "RUN chmod 1777 /tmp\nUSER www-data\nRUN id -u >/tmp/f; id -g >>/tmp/f; echo $HOME >>/tmp/f\n",
     files={"/tmp/f": is_file("33\n33\n/var/www\n", uid=33, gid=33)})
case("run", "as a user by number and group", B + "RUN chmod 1777 /tmp\nUSER 12:nogroup\nRUN id -u >/tmp/f; id -g >>/tmp/f\n",
     files={"/tmp/f": is_file("12\n65534\n", uid=12, gid=65534)}, config={"User": "12:nogroup"})
case("run", "as a user that there isn't", B + "USER ghost\nRUN true\n", error="ghost", line=3)
case("run", "in WORKDIR", B + "WORKDIR /a/b\nRUN pwd >f\n", files={"/a/b/f": "/a/b\n"})
case("run", "with nothing on standard input", B + "RUN cat >/f; echo end >>/f\n", files={"/f": "end\n"})
case("run", "what it prints is shown", B + "RUN echo out-@ID@; echo err-@ID@ >&2; printf no-newline-@ID@\n",
     says=("#2 [0-9.]+ out-@ID@", "#2 [0-9.]+ err-@ID@", "no-newline-@ID@"))
case("run", "names and resolver are not in the layer", B + "RUN cat /etc/hosts /etc/resolv.conf >/dev/null; echo @ID@ >/f\n",
     files={"/etc/hosts": GONE, "/etc/resolv.conf": GONE, "/etc/hostname": GONE, "/f": "@ID@\n"},
     below={"/dev": set(), "/proc": set(), "/sys": set()})
case("run", "without a change", B + "RUN true\nRUN :\n", files={"/bin/sh": is_link("busybox")})
case("run", "--network=none", B + "RUN --network=none ip -o link | wc -l >/f; ip -o link | grep -c LOOPBACK >>/f\n", files={"/f": "1\n1\n"})
case("run", "--network=host", B + "RUN --network=host wget -qO /f @URL@/file.txt\n", files={"/f": "fetched\n"})
case("run", "no network for all", B + "RUN ip -o link | wc -l >/f # @ID@\n", options=("--network", "none"), files={"/f": "1\n"})
case("run", "the host's network for all", B + "RUN wget -qO /f @URL@/file.txt # @ID@\n", options=("--network", "host"),
     files={"/f": "fetched\n"})
case("run", "the usual network is not the host's", B + "RUN wget -qO /f @URL@/file.txt || echo unreachable >/f\n",
     files={"/f": "unreachable\n"})
case("run", "--add-host", B + "RUN grep 10.1.2.3 /etc/hosts >/f # @ID@\n", options=("--add-host", "fancy:10.1.2.3"),
     files={"/f": is_like(r"10\.1\.2\.3\s+fancy"), "/etc/hosts": GONE})
case("run", "--shm-size", B + "RUN df -k /dev/shm | tail -1 | awk '{print $2}' >/f # @ID@\n", options=("--shm-size", "8m"),
     files={"/f": "8192\n"})
case("run", "--security=insecure is refused", B + "RUN --security=insecure true\n", error="insecure", line=2)
case("run", "can't write to the kernel's settings", B + "RUN echo x >/proc/sys/kernel/hostname || echo refused >/f\n",
     files={"/f": "refused\n"})
case("run", "the host's files are not there", B + "RUN ls / >/f\n", files={"/f": is_like("(?s)^bin\n(?!.*boot)")})

case("run", "a heredoc with SHELL", B + "SHELL [\"/bin/sh\", \"-e\", \"-c\"]\nRUN <<EOF\nfalse\ntrue\nEOF\n", error="exit code 1", line=3)
case("run", "as a number that nobody has", B + "RUN chmod 1777 /tmp\nUSER 1234\nRUN id -u >/tmp/f; id -g >>/tmp/f; echo $HOME >>/tmp/f\n",
     files={"/tmp/f": "1234\n0\n/\n"})
case("run", "with the user's other groups", B + "RUN echo extra:x:77:www-data >>/etc/group && chmod 1777 /tmp\nUSER www-data\nRUN id -G >/tmp/f\n",
     files={"/tmp/f": "33 77\n"})
case("run", "HOME of ENV stays", B + "ENV HOME=/elsewhere\nRUN echo $HOME >/f\n", files={"/f": "/elsewhere\n"})
case("run", "a process left behind ends with it", B + "RUN sleep 300 & echo @ID@ >/f\n", files={"/f": "@ID@\n"})
case("run", "an /etc/hosts of the image stays", B + "COPY hosts /etc/hosts\nRUN echo 1.2.3.4 x >>/etc/hosts; grep -c mine /etc/hosts >/f; true\n",
     {"hosts": "10.0.0.1 mine\n"}, files={"/etc/hosts": "10.0.0.1 mine\n", "/f": "0\n"})
case("run", "files in /run and /tmp stay", B + "RUN echo 1 >/run/f; echo 2 >/tmp/f; echo 3 >/var/run/g\n", files={"/run/f": "1\n", "/tmp/f": "2\n"})
case("run", "mknod", B + "RUN mknod /n c 1 3\n", files={"/n": Is("char")})
case("run", "output that is no text", B + "RUN printf 'a\\377\\000b\\n-@ID@-\\n'; exit 3\n", error="-@ID@-", line=2)
case("run", "much output, and the last of it in the error", B + "RUN seq 1 20000; echo last-@ID@; exit 3\n", error=r"output, the last lines[\s\S]*20000\s+last-@ID@", line=2)
case("run", "a line of a megabyte", B + "RUN head -c 1000000 /dev/zero | tr '\\0' x; echo; echo @ID@ >/f\n", files={"/f": "@ID@\n"})
case("run", "many processes' files", B + "RUN for i in $(seq 1 2000); do echo $i >/tmp/$i; done; ls /tmp | wc -l >/f\n", files={"/f": "2000\n", "/tmp/2000": "2000\n"})
# RUN --mount

SECRET = "top-s3cret-@ID@"
case("mount", "a secret", B + "RUN --mount=type=secret,id=s stat -c '%a %u %g' /run/secrets/s >/f; wc -c </run/secrets/s >>/f\n",
     beside={"s.txt": SECRET}, options=("--secret", "id=s,src=@PLACE@/s.txt"), nowhere=(SECRET,),
     files={"/f": is_like(r"^400 0 0\n\d+\n"), "/run/secrets": GONE, "/run/secrets/s": GONE})
case("mount", "a secret's target, mode and owner",
     B + "RUN --mount=type=secret,id=s,target=/etc/x/s,mode=0440,uid=5,gid=6 stat -c '%a %u %g' /etc/x/s >/f\n",
     beside={"s.txt": SECRET}, options=("--secret", "id=s,src=@PLACE@/s.txt"), files={"/f": "440 5 6\n", "/etc/x": GONE})
case("mount", "a secret named by its target", B + "RUN --mount=type=secret,target=/x/tok cat /x/tok | wc -c >/f\n", beside={"s": "1234"},
     options=("--secret", "id=tok,src=@PLACE@/s"), files={"/f": "4\n", "/x": GONE})
case("mount", "a required secret, said shortly", B + "RUN --mount=type=secret,id=tok,required true\n", error="tok", line=2)
case("mount", "a secret of any bytes", B + "RUN --mount=type=secret,id=tok sha256sum </run/secrets/tok | cut -c1-64 >/f\n",
     beside={"s": put_file(bytes(range(256)) * 400)}, options=("--secret", "id=tok,src=@PLACE@/s"),
     files={"/f": hashlib.sha256(bytes(range(256)) * 400).hexdigest() + "\n"})
case("mount", "a secret as a variable", B + "RUN --mount=type=secret,id=s,env=TOKEN test \"$TOKEN\" = " + SECRET.replace("@ID@", "")
     + "`echo @ID@` && test ! -e /run/secrets/s && echo fine >/f\n", env={"MINE": SECRET}, options=("--secret", "id=s,env=MINE"),
     nowhere=(SECRET,), files={"/f": "fine\n"}, config={"Env-": ["TOKEN"]})
case("mount", "a secret as a variable and a file",
     B + "RUN --mount=type=secret,id=s,env=TOKEN,target=/t test \"$TOKEN\" = \"$(cat /t)\" && echo fine >/f\n",
     env={"s": SECRET}, options=("--secret", "id=s"), nowhere=(SECRET,), files={"/f": "fine\n", "/t": GONE})
case("mount", "a secret that isn't given", B + "RUN --mount=type=secret,id=s ls /run/secrets/s 2>/dev/null || echo none >/f\n",
     files={"/f": "none\n"})
case("mount", "a required secret that isn't given", B + "LABEL a=b\nRUN --mount=type=secret,id=tok,required=true true\n", error="tok", line=3)
case("mount", "a secret's file that there isn't", B + "RUN true\n", options=("--secret", "id=s,src=/no/such"), error="/no/such", code=2)
case("mount", "another secret doesn't run it again", B + "RUN --mount=type=secret,id=s cat /run/secrets/s >/dev/null; echo @ID@ >/f\n",
     beside={"a": "1", "b": "2"}, before=((None, ("--secret", "id=s,src=@PLACE@/a")),), options=("--secret", "id=s,src=@PLACE@/b"),
     says=(r"\] RUN[^\n]*\n#\d+ CACHED",))
case("mount", "the context", B + "RUN --mount=target=/c cat /c/a >/f; echo x 2>/dev/null >/c/b || echo ro >>/f\n", {"a": "1\n"},
     files={"/f": "1\nro\n", "/c": GONE})
case("mount", "a file of the context", B + "RUN --mount=type=bind,source=d/a,target=/tmp/x/a.txt cat /tmp/x/a.txt >/f\n", {"d/a": "1"},
     files={"/f": "1", "/tmp/x": GONE})
case("mount", "the context to write to, and nothing stays",
     B + "RUN --mount=type=bind,target=/c,rw echo new >/c/new && ls /c >/f\nRUN --mount=type=bind,target=/c ls /c >/g\n", {"a": "1"},
     files={"/f": "Dockerfile\na\nnew\n", "/g": "Dockerfile\na\n"})
case("mount", "the context without what is ignored", B + "RUN --mount=type=bind,target=/c ls -A /c >/f\n",
     {"a": "1", "b": "2", ".dockerignore": "b\n.d*\n"}, files={"/f": "Dockerfile\na\n"})
case("mount", "a source that there isn't", B + "RUN --mount=type=bind,source=nope,target=/c true\n", {"a": "1"}, error="nope", line=2)
case("mount", "a change in what is bound runs it again", B + "RUN --mount=type=bind,source=a,target=/a cp /a /f\n", {"a": "@ID@"},
     files={"/f": "@ID@"})
case("mount", "a stage", B[:-1] + " AS one\nRUN mkdir -p /d/e && echo 1 >/d/e/f\nFROM base:1\n"
     "RUN --mount=type=bind,from=one,source=/d/e,target=/m cp /m/f /f; touch /m/x 2>/dev/null || echo ro >>/f\n", files={"/f": "1\nro\n", "/m": GONE})
case("mount", "what is written to a stage doesn't stay there",
     B[:-1] + " AS one\nRUN echo 1 >/x\nFROM base:1\nRUN --mount=from=one,target=/m,rw echo 2 >/m/x && rm -r /m/etc && cat /m/x >/f\nCOPY --from=one /x /etc/passwd /d/\n",
     files={"/f": "2\n", "/d/x": "1\n", "/d/passwd": is_like("root")})
case("mount", "an image", B + "RUN --mount=from=base:1,target=/m ls /m/etc >/f\n", files={"/f": "group\npasswd\n"})
case("mount", "a named context", B + "RUN --mount=from=more,target=/m cat /m/x >/f\n", beside={"m/x": "1"},
     options=("--build-context", "more=@PLACE@/m"), files={"/f": "1"})
case("mount", "owners of a stage's files", B[:-1] + " AS one\nRUN mkdir /d && touch /d/f && chown 5:6 /d/f && chmod 4711 /d/f\nFROM base:1\n"
     "RUN --mount=from=one,source=/d,target=/m stat -c '%u %g %a' /m/f >/f\n", files={"/f": "5 6 4711\n"})
case("mount", "tmpfs", B + "RUN --mount=type=tmpfs,target=/t echo 1 >/t/a && grep -c ' /t tmpfs' /proc/mounts >/f\n",
     files={"/f": "1\n", "/t": GONE})
case("mount", "tmpfs of a size", B + "RUN --mount=type=tmpfs,target=/t,size=1m dd if=/dev/zero of=/t/a bs=1k count=2000 2>/dev/null || echo full >/f\n",
     files={"/f": "full\n"})
case("mount", "a cache", B + "RUN --mount=type=cache,target=/c,id=@ID@ echo 1 >>/c/n\nRUN --mount=type=cache,target=/d,id=@ID@ echo 2 >>/d/n; cat /d/n >/f\n",
     files={"/f": "1\n2\n", "/c": GONE, "/d": GONE})
case("mount", "a cache is there in the next build", B + "RUN --mount=type=cache,target=/c-@ID@ cat /c-@ID@/n >/f; echo x >>/c-@ID@/n\n",
     before=((B + "RUN --mount=type=cache,target=/c-@ID@ echo first >/c-@ID@/n\n", ()),), files={"/f": "first\n"})
case("mount", "caches of different ids", B + "RUN --mount=type=cache,target=/c,id=a@ID@ touch /c/a\nRUN --mount=type=cache,target=/c,id=b@ID@ ls /c >/f\n",
     files={"/f": ""})
case("mount", "a cache's mode and owner", B + "RUN --mount=type=cache,target=/c,id=@ID@,mode=0710,uid=5,gid=6 stat -c '%a %u %g' /c >/f\n",
     files={"/f": "710 5 6\n"})
case("mount", "a cache to read only", B + "RUN --mount=type=cache,target=/c,id=@ID@,ro touch /c/a 2>/dev/null || echo ro >/f\n", files={"/f": "ro\n"})
case("mount", "a cache that begins with a stage's files",
     B[:-1] + " AS one\nRUN mkdir /d && echo 1 >/d/f\nFROM base:1\nRUN --mount=type=cache,target=/c,id=@ID@,from=one,source=/d cat /c/f >/f\n",
     files={"/f": "1\n"})
case("mount", "a cache of the target /root/.cache leaves no directory", B + "RUN --mount=type=cache,target=/root/.cache touch /root/.cache/x; echo @ID@ >/f\n",
     files={"/root/.cache": GONE})
case("mount", "a cache within the image's directory hides it", B + "RUN mkdir /c && echo 1 >/c/own\nRUN --mount=type=cache,target=/c,id=@ID@ ls /c >/f\n",
     files={"/f": "", "/c/own": "1\n"})
case("mount", "relative to WORKDIR", B + "WORKDIR /w\nRUN --mount=type=tmpfs,target=t grep -c ' /w/t tmpfs' /proc/mounts >/f\n", files={"/f": "1\n"})
case("mount", "several", B + "RUN --mount=type=tmpfs,target=/t --mount=type=bind,source=a,target=/b --mount=type=secret,id=s "
     "cat /b /run/secrets/s >/t/x && wc -c </t/x >/f\n", {"a": "12"}, beside={"s": "345"}, options=("--secret", "id=s,src=@PLACE@/s"),
     files={"/f": "5\n"})
case("mount", "of variables", B + "ARG D=dir\nRUN --mount=type=bind,source=$D/a,target=/x cat /x >/f\n", {"dir/a": "1"}, files={"/f": "1"})
case("mount", "an unknown type", B + "RUN --mount=type=magic,target=/x true\n", error="magic", line=2)
case("mount", "an unknown field", B + "RUN --mount=type=cache,targt=/x true\n", error="targt", line=2)
case("mount", "ssh that isn't given", B + "RUN --mount=type=ssh echo [$SSH_AUTH_SOCK] >/f\n", files={"/f": "[]\n"})
case("mount", "required ssh that isn't given", B + "RUN --mount=type=ssh,required true\n", error="(?i)ssh", line=2)

# CMD, ENTRYPOINT and the rest of the configuration

for name, parent, child, entrypoint, command in [
        ("both of the base", "ENTRYPOINT [\"e\"]\nCMD [\"c\"]\n", "", ["e"], ["c"]),
        ("CMD over the base's", "ENTRYPOINT [\"e\"]\nCMD [\"c\"]\n", "CMD [\"d\"]\n", ["e"], ["d"]),
        ("ENTRYPOINT clears the base's CMD", "CMD [\"c\"]\n", "ENTRYPOINT [\"e\"]\n", ["e"], None),
        ("ENTRYPOINT leaves its own CMD", "CMD [\"c\"]\n", "CMD [\"d\"]\nENTRYPOINT [\"e\"]\n", ["e"], ["d"]),
        ("ENTRYPOINT of the shell", "", "ENTRYPOINT exec top -b\n", ["/bin/sh", "-c", "exec top -b"], None),
        ("CMD of the shell", "", "CMD echo \"a  b\" | cat\n", None, ["/bin/sh", "-c", "echo \"a  b\" | cat"]),
        ("the last of several", "", "CMD [\"a\"]\nCMD [\"b\"]\nENTRYPOINT [\"x\"]\nENTRYPOINT [\"y\"]\n", ["y"], ["b"]),
        ("ENTRYPOINT [] takes it back", "ENTRYPOINT [\"e\"]\n", "ENTRYPOINT []\nCMD [\"c\"]\n", None, ["c"]),
        ("CMD with variables stays", "", "CMD [\"$HOME\", \"${A}\"]\n", None, ["$HOME", "${A}"])]:
    case("config", name, f"FROM scratch AS p\n{parent}FROM p\n{child}", config={"Entrypoint": entrypoint, "Cmd": command})
case("config", "HEALTHCHECK", S + "HEALTHCHECK --interval=1m30s --timeout=2s --start-period=3s --start-interval=500ms --retries=4 CMD [\"a\", \"b\"]\n",
     config={"Healthcheck": {"Test": ["CMD", "a", "b"], "Interval": 90_000_000_000, "Timeout": 2_000_000_000,
                             "StartPeriod": 3_000_000_000, "StartInterval": 500_000_000, "Retries": 4}})
case("config", "HEALTHCHECK of the shell", S + "HEALTHCHECK CMD curl -f http://x/ || exit 1\n",
     config={"Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://x/ || exit 1"]}})
case("config", "HEALTHCHECK is inherited", "FROM scratch AS p\nHEALTHCHECK --retries=2 CMD a\nFROM p\n",
     config={"Healthcheck": {"Test": ["CMD-SHELL", "a"], "Retries": 2}})
case("config", "HEALTHCHECK NONE", "FROM scratch AS p\nHEALTHCHECK CMD a\nFROM p\nHEALTHCHECK NONE\n", config={"Healthcheck": {"Test": ["NONE"]}})
case("config", "HEALTHCHECK with a wrong time", S + "HEALTHCHECK --interval=soon CMD a\n", error="soon", line=2)
case("config", "VOLUME", S + "VOLUME /a /b\nVOLUME [\"/c d\", \"/e\"]\n", config={"Volumes": {"/a": {}, "/b": {}, "/c d": {}, "/e": {}}})
case("config", "what RUN writes into a VOLUME stays", B + "VOLUME /v\nRUN mkdir -p /v && echo 1 >/v/f\n", files={"/v/f": "1\n"})
case("config", "EXPOSE", S + "EXPOSE 80 53/udp 8000-8002 9/TCP 7/sctp\n",
     config={"ExposedPorts": {f"{port}": {} for port in ("80/tcp", "53/udp", "8000/tcp", "8001/tcp", "8002/tcp", "9/tcp", "7/sctp")}})
case("config", "EXPOSE adds to the base's", "FROM scratch AS p\nEXPOSE 1\nFROM p\nEXPOSE 2/udp\n", config={"ExposedPorts": {"1/tcp": {}, "2/udp": {}}})
case("config", "EXPOSE of no port", S + "EXPOSE http\n", error="http", line=2)
case("config", "EXPOSE of too high a port", S + "EXPOSE 70000\n", error="70000", line=2)
case("config", "STOPSIGNAL", S + "STOPSIGNAL SIGQUIT\n", config={"StopSignal": "SIGQUIT"})
case("config", "STOPSIGNAL, one of real time", S + "STOPSIGNAL SIGRTMIN+3\n", config={"StopSignal": "SIGRTMIN+3"})
case("config", "LABEL without a value", S + "LABEL a= b=\"\"\n", config={"Labels": {"a": "", "b": ""}})
case("config", "CMD [] takes it back", "FROM scratch AS p\nCMD [\"c\"]\nFROM p\nCMD []\n", config={"Cmd": None})
case("config", "WORKDIR through a link", B + "RUN mkdir /r && ln -s r /l\nWORKDIR /l/x\nRUN touch f\n", config={"WorkingDir": "/l/x"}, files={"/r/x/f": "", "/l": is_link("r")})
case("config", "WORKDIR where a file is", B + "RUN echo 1 >/x\nWORKDIR /x\n", error="director|file", line=3)
case("config", "WORKDIR is left as it is by what follows", B + "WORKDIR /w\nRUN chmod 700 /w && chown 5 /w\nWORKDIR /w\nCOPY a .\n", {"a": "1"},
     files={"/w": is_dir(mode=0o700, uid=5), "/w/a": "1"})
case("config", "STOPSIGNAL that there isn't", S + "STOPSIGNAL SIGNOPE\n", error="SIGNOPE", line=2)
case("config", "MAINTAINER", S + "MAINTAINER Jane Doe <jane@example.org>\n", config={"/Author": "Jane Doe <jane@example.org>"})
case("config", "LABEL again", "FROM scratch AS p\nLABEL a=1 b=2\nFROM p\nLABEL b=3 c=4\n", config={"Labels": {"a": "1", "b": "3", "c": "4"}})
case("config", "LABEL's quotes", S + "LABEL \"com.example.k\"=\"v w\" x='y z' z=a\\ b\n", config={"Labels": {"com.example.k": "v w", "x": "y z", "z": "a b"}})
case("config", "LABEL in the old form", S + "LABEL a b c\n", config={"Labels": {"a": "b c"}})
case("config", "--label wins", S + "LABEL a=1 b=2\n", options=("--label", "a=9", "--label", "c=x=y"), config={"Labels": {"a": "9", "b": "2", "c": "x=y"}})
case("config", "WORKDIR relative", S + "WORKDIR /a\nWORKDIR b\nWORKDIR ../c/./d/\n", config={"WorkingDir": "/a/c/d"},
     files={"/a/b": is_dir(mode=0o755), "/a/c/d": is_dir(mode=0o755)})
case("config", "WORKDIR relative at the beginning", S + "WORKDIR a\n", config={"WorkingDir": "/a"})
case("config", "WORKDIR with blanks", S + "WORKDIR /a b\n", config={"WorkingDir": "/a b"}, files={"/a b": is_dir()})
case("config", "WORKDIR belongs to USER", B + "USER www-data\nWORKDIR /srv/app\n", files={"/srv/app": is_dir(uid=33, gid=33)})
case("config", "WORKDIR that is there stays", B + "RUN mkdir -m 700 /d && chown 5:6 /d\nWORKDIR /d\n", files={"/d": is_dir(mode=0o700, uid=5, gid=6)})
case("config", "USER", S + "USER a\nUSER 10:20\n", config={"User": "10:20"})
case("config", "SHELL goes on", "FROM scratch AS p\nSHELL [\"/s\", \"-c\"]\nFROM p\nCMD a\nENTRYPOINT b\n",
     config={"Shell": ["/s", "-c"], "Cmd": ["/s", "-c", "a"], "Entrypoint": ["/s", "-c", "b"]})
case("config", "ENV keeps its order and place", S + "ENV B=1 A=2\nENV B=3 C=4\n", config={"Env": [f"PATH={PATH}", "B=3", "A=2", "C=4"]})
case("config", "several tags", S + "COPY a /\n", {"a": "1"}, options=("-t", "second:@ID@"), files={"/a": "1"})

ONBUILD = B + "ONBUILD RUN echo run-$A >>/f\nONBUILD COPY a /copied\nONBUILD ENV A=1\n"
case("onbuild", "is kept, and does nothing yet", ONBUILD, files={"/f": GONE, "/copied": GONE},
     config={"OnBuild": ["RUN echo run-$A >>/f", "COPY a /copied", "ENV A=1"]})
case("onbuild", "runs in the child", "FROM onb-@ID@\nRUN cat /copied >>/f\n", {"a": "a"}, before=((ONBUILD, ("-t", "onb-@ID@")),),
     files={"/f": "run-\na", "/copied": "a"}, config={"OnBuild": None, "Env+": {"A": "1"}})
case("onbuild", "doesn't run in the grandchild", "FROM onc-@ID@\n", {"a": "a"},
     before=((ONBUILD, ("-t", "onb-@ID@")), ("FROM onb-@ID@\n", ("-t", "onc-@ID@"))), files={"/f": "run-\n", "/copied": "a"},
     config={"OnBuild": None}, silent=("ONBUILD", "RUN"))
case("onbuild", "runs in a stage upon its stage", B[:-1] + " AS p\nONBUILD RUN echo 1 >>/f\nFROM p AS q\nRUN echo 2 >>/f\nFROM q\nRUN echo 3 >>/f\n",
     files={"/f": "1\n2\n3\n"}, config={"OnBuild": None})
case("onbuild", "ARG and flags", "FROM onb-@ID@\n", {"a": "x"},
     before=((B + "ONBUILD ARG V=1\nONBUILD COPY --chmod=0700 --chown=$V a /a\n", ("-t", "onb-@ID@")),), options=("--build-arg", "V=7"),
     files={"/a": is_file("x", mode=0o700, uid=7)})
case("onbuild", "COPY --from", "FROM onb-@ID@\n", {}, before=((S + "ONBUILD COPY --from=base:1 /etc/passwd /p\n", ("-t", "onb-@ID@")),),
     files={"/p": is_like("root")})
case("onbuild", "of ONBUILD", S + "ONBUILD ONBUILD RUN true\n", error="ONBUILD", line=2)
case("onbuild", "of FROM", S + "ONBUILD FROM x\n", error="FROM", line=2)
case("onbuild", "what fails in the child", "# one\n# two\nFROM onb-@ID@\nRUN true\n", {}, before=((B + "ONBUILD RUN exit 6\n", ("-t", "onb-@ID@")),),
     error="exit code 6", line=3)

# Layers

case("layer", "rm of a file below", B + "RUN mkdir /d && touch /d/a /d/b\nRUN rm /d/a\n", below={"/d": {"b"}})
case("layer", "rm -r and make again is opaque", B + "RUN mkdir /d && touch /d/a /d/b\nRUN rm -r /d && mkdir /d && touch /d/c\n", below={"/d": {"c"}})
case("layer", "rm -r of a directory", B + "RUN mkdir -p /d/e && touch /d/e/a\nRUN rm -r /d\n", files={"/d": GONE, "/d/e/a": GONE})
case("layer", "rm and COPY again", B + "RUN mkdir /d && echo old >/d/a\nRUN rm -r /d\nCOPY a /d/b\n", {"a": "1"}, below={"/d": {"b"}})
case("layer", "a file becomes a directory", B + "RUN echo 1 >/x\nRUN rm /x && mkdir /x && echo 2 >/x/y\n", files={"/x": is_dir(), "/x/y": "2\n"})
case("layer", "a directory becomes a file", B + "RUN mkdir /x && echo 2 >/x/y\nRUN rm -r /x && echo 1 >/x\n", files={"/x": "1\n", "/x/y": GONE})
case("layer", "a directory becomes a link", B + "RUN mkdir /x /z && echo 2 >/x/y\nRUN rm -r /x && ln -s z /x\n", files={"/x": is_link("z"), "/x/y": GONE})
case("layer", "mv of a directory", B + "RUN mkdir /x && echo 1 >/x/a\nRUN mv /x /y\n", files={"/x": GONE, "/y/a": "1\n"})
case("layer", "chmod and chown of what is below", B + "RUN echo 1 >/a && mkdir /d && touch /d/f\nRUN chmod 600 /a && chown 5:6 /d\n",
     files={"/a": is_file("1\n", mode=0o600), "/d": is_dir(uid=5, gid=6), "/d/f": ""})
case("layer", "hard links", B + "RUN echo 1 >/a && ln /a /b && mkdir /d && ln /a /d/c\n", files={"/b": Is(same="/a"), "/d/c": Is(same="/a")})
case("layer", "set-user-id and sticky", B + "RUN touch /s /g && chmod 4755 /s && chmod 2755 /g && mkdir -m 1777 /t\n",
     files={"/s": is_file(mode=0o4755), "/g": is_file(mode=0o2755), "/t": is_dir(mode=0o1777)})
case("layer", "special files", B + "RUN mkfifo /p && chown 3 /p\n", files={"/p": Is("fifo", uid=3)})
case("layer", "long names and links", B + "RUN n=$(printf 'n%.0s' $(seq 1 220)); mkdir -p /$n/$n; echo 1 >/$n/$n/$n; ln -s /$n/$n/$n /l\n",
     files={"/" + "/".join(["n" * 220] * 3): "1\n", "/l": is_link("/" + "/".join(["n" * 220] * 3))})
CAPABLE_HERE = is_file("1", attribute="security.capability")
case("layer", "file capabilities of an archive", S + "ADD c.tar /d/\n", {"c.tar": CAPABLE}, files={"/d/f": CAPABLE_HERE})
case("layer", "file capabilities of a stage's directory", "FROM scratch AS one\nADD c.tar /d/\nFROM scratch\nCOPY --from=one /d /e\n",
     {"c.tar": CAPABLE}, files={"/e/f": CAPABLE_HERE})
case("layer", "file capabilities of a stage's file", "FROM scratch AS one\nADD c.tar /d/\nFROM scratch\nCOPY --from=one /d/f /g\n",
     {"c.tar": CAPABLE}, files={"/g": CAPABLE_HERE})
case("layer", "file capabilities after mv", B + "ADD c.tar /d/\nRUN mv /d/f /i\n", {"c.tar": CAPABLE}, files={"/i": CAPABLE_HERE, "/d/f": GONE})
case("layer", "times stay", B + "RUN touch -d '2001-02-03 04:05:06' /a\n", files={"/a": is_file(mtime=981173106)})
case("layer", "a file that came and went", B + "RUN echo a-@ID@-secret >/x\nRUN rm /x\nRUN echo 1 >/y && rm /y\n", files={"/x": GONE, "/y": GONE})
case("layer", "an empty directory", B + "RUN mkdir -m 711 /e\n", files={"/e": is_dir(mode=0o711)})
case("layer", "a sparse and a large file", B + "RUN dd if=/dev/zero of=/s bs=1 count=1 seek=3000000 2>/dev/null\n", files={"/s": b"\0" * 3000001})

# --check

case("check", "a clean one", "FROM scratch\nCOPY a /\nCMD [\"x\"]\n", {"a": "1"}, options=("--check",))
case("check", "what it finds", "FROM scratch as x\nCMD echo a\nWORKDIR b\n", options=("--check",),
     error=r"FromAsCasing[\s\S]*JSONArgsRecommended[\s\S]*WorkdirRelativePath", line=1)
case("check", "an undefined variable", S + "ENV A=$nope\n", options=("--check",), error="UndefinedVar[\\s\\S]*nope", line=2)
case("check", "a secret in ENV", S + "ENV API_TOKEN=x\n", options=("--check",), error="SecretsUsedInArgOrEnv", line=2)
case("check", "what is skipped", "# check=skip=FromAsCasing\nFROM scratch as x\n", options=("--check",))
case("check", "error=true fails a build", "# check=error=true\nFROM scratch as x\n", error="FromAsCasing", line=2)
case("check", "a file that is left out", S + "COPY a /\n", {"a": "1", ".dockerignore": "a\n"}, options=("--check",), error="CopyIgnoredFile", line=2)
