#!/usr/bin/env python3
"""Validates the golden files' inputs with docs/reference/x-escale.schema.json, as an editor would.

What loads must be valid. What has a mistake in x-escale that a schema can know, such as an unknown key or a number out of
its range, must not be. Needs python3-yaml and python3-jsonschema.
"""

import json
import re
import sys
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
SCHEMA = ROOT / "docs/reference/x-escale.schema.json"
# Mistakes in one value. What depends on several values, on what a name may be, or on the machine, is beyond a schema.
KNOWN = {"compose.attribute.unknown", "compose.range", "compose.value", "compose.share", "compose.duration", "compose.size",
         "compose.type"}
ERROR = re.compile(r"error\[([\w.-]+)\]: (\S*x-escale[^\s:]*)(.*)")
# Errors with those codes that a schema can't know, by their message's end: durations that must not be 0, keys' neighbours.
UNKNOWABLE = re.compile(r"is 0; it must be (longer|larger|above 0)|must be a finite number")


class Loader(yaml.SafeLoader):
    """YAML with the scalars of the 1.2 core schema, and tags left alone."""


Loader.yaml_implicit_resolvers = {}
for kind, pattern, first in [
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("int", r"[-+]?[0-9]+", [*"-+0123456789"]),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
    ("merge", r"<<", ["<"]),
]:
    Loader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(f"^(?:{pattern})$"), first)
Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node), 10))
Loader.add_multi_constructor("!", lambda loader, _, node: None)


def cases():
    """Of each golden file with x-escale: name, tree of the main file, places of the errors that a schema knows, whether it
    loads."""
    for path in sorted((ROOT / "Tests/Golden/compose").glob("*.golden")):
        text, _, outcome = path.read_text(encoding="utf-8").partition("----\n")
        main = text.split("\n=== ", 1)[0] if not text.startswith("=== ") else ""
        if "x-escale" not in main:
            continue
        places = {place for code, place, rest in ERROR.findall(outcome)
                  if (code in KNOWN or rest.startswith(" has no `")) and not UNKNOWABLE.search(rest)}
        try:
            yield path.stem, yaml.load(main, Loader), places, "error[" not in outcome
        except yaml.YAMLError:
            continue


def spoken(path):
    """A path as diagnostics write it."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def main():
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    right = wrong = 0
    failed = []
    for name, tree, places, loads in cases():
        problems = {spoken(problem.path): problem.message for problem in validator.iter_errors(tree)}
        if loads:
            right += 1
            failed += [f"{name} loads, but by the schema {place}: {message}" for place, message in problems.items()]
        for place in sorted(places):
            wrong += 1
            if place not in problems:
                failed.append(f"{name}: {place} is wrong, but the schema has no problem there")
    if failed:
        sys.exit("error: " + "\n  ".join(["x-escale.schema.json and the loader differ:", *failed]))
    if right < 4 or wrong < 40:
        sys.exit(f"error: only {right} golden files with x-escale and {wrong} mistakes in them were found: are these all?")
    print(f"    {right} golden files are valid by x-escale.schema.json, and it knows {wrong} mistakes in others")


if __name__ == "__main__":
    main()
