"""Brings what `escale config` and `docker-compose config` print into one form, so that only meaning is compared.

Short forms become long ones, lists of KEY=value become maps, sizes become bytes, durations nanoseconds, and what is only
text for a program of the other generation (`version`, `name`) goes. Nothing here forgives a difference in meaning:
what differs on purpose stands in differences.txt.
"""

import re
import shlex

UNITS = {"": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30}
SECONDS = {"ns": 1, "us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


def text(value):
    """A scalar as the text that a container would see."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def size(value):
    match = re.fullmatch(r"([0-9.]+)([a-z]*)", str(value).lower())
    return int(float(match[1]) * UNITS[match[2]]) if match and match[2] in UNITS else value


def duration(value):
    parts = re.findall(r"([0-9.]+)([a-z]+)", str(value))
    return sum(int(float(number) * SECONDS[unit]) for number, unit in parts) if parts else value


def pairs(value, separator="="):
    """A map, or a list of KEY=value, as a map of texts."""
    if isinstance(value, list):
        items = (str(item).partition(separator) for item in value)
        value = {key: rest if sign or separator == ":" else "" for key, sign, rest in items}
    # Without a value it is one that the shell doesn't have: not set at all.
    return {key: text(item) for key, item in (value or {}).items() if item is not None}


def words(value):
    return [text(word) for word in (shlex.split(value) if isinstance(value, str) else value or [])]


def several(value):
    return [text(item) for item in (value if isinstance(value, list) else [value])]


def port(value):
    if isinstance(value, dict):
        kept = {key: text(item) for key, item in value.items()}
        return {"protocol": "tcp", **kept}
    head, _, protocol = str(value).partition("/")
    *address, target = head.rsplit(":", 2)
    result = {"target": target, "protocol": protocol or "tcp"}
    if address and address[-1]:
        result["published"] = address[-1]
    if len(address) == 2 and address[0]:
        result["host_ip"] = address[0]
    return result


def mount(value):
    if isinstance(value, dict):
        result = {key: item for key, item in value.items() if item not in (None, {}, False)}
        if "tmpfs" in result:
            result["tmpfs"] = {key: size(item) for key, item in result["tmpfs"].items()}
        return result
    parts = value.split(":")
    if len(parts) == 1:
        return {"type": "volume", "target": parts[0]}
    result = {"type": "bind" if parts[0].startswith("/") else "volume", "source": parts[0], "target": parts[1]}
    if len(parts) > 2 and "ro" in parts[2].split(","):
        result["read_only"] = True
    return result


def depends(value):
    if isinstance(value, list):
        value = {name: {"condition": "service_started"} for name in value}
    return {name: {key: item for key, item in entry.items() if (key, item) != ("required", True)}
            for name, entry in value.items()}


def attached(value):
    if isinstance(value, list):
        value = {name: None for name in value}
    return {name: entry or {} for name, entry in value.items()}


def reference(value):
    """A secret or config of a service. A mode is octal as text, and what it says as a number."""
    if isinstance(value, str):
        return {"source": value}
    result = {key: text(item) for key, item in value.items()}
    if "mode" in value:
        result["mode"] = value["mode"] if isinstance(value["mode"], int) else int(value["mode"], 8)
    return result


def secret(value):
    """A secret's file is in /run/secrets, under its own name where there is no other."""
    result = reference(value)
    return {**result, "target": "/run/secrets/" + result.get("target", result["source"]).removeprefix("/run/secrets/")}


def device(value):
    if isinstance(value, dict):
        return value
    source, target, permissions = (value.split(":") + ["rwm"])[:3] if value.count(":") else (value, value, "rwm")
    return {"source": source, "target": target, "permissions": permissions}


def build(value):
    value = {"context": value} if isinstance(value, str) else dict(value)
    for key in ("args", "labels"):
        if key in value:
            value[key] = pairs(value[key])
    if "shm_size" in value:
        value["shm_size"] = size(value["shm_size"])
    return value


def healthcheck(value):
    value = dict(value)
    if isinstance(value.get("test"), str):
        value["test"] = ["CMD-SHELL", value["test"]]
    if value.get("test") == ["NONE"]:
        value = {"disable": True}
    for key in ("interval", "timeout", "start_period"):
        if key in value:
            value[key] = duration(value[key])
    return value


def deploy(value):
    value = dict(value)
    if "labels" in value:
        value["labels"] = pairs(value["labels"])
    for part in ("update_config", "rollback_config", "restart_policy"):
        for key in set(value.get(part, {})) & {"delay", "monitor", "window"}:
            value[part][key] = duration(value[part][key])
    for limit in value.get("resources", {}).values():
        if "memory" in limit:
            limit["memory"] = size(limit["memory"])
        if "cpus" in limit:
            limit["cpus"] = float(limit["cpus"])
    return value


def ulimits(value):
    return {name: {"soft": limit, "hard": limit} if isinstance(limit, int) else limit for name, limit in value.items()}


def by_text(items):
    return sorted(items, key=str)


def ports(value):
    return sorted(map(port, value), key=lambda item: [str(item.get(key)) for key in ("target", "protocol", "published", "host_ip")])


def taken_from(value):
    """An item of volumes_from: whose volumes, and whether they may be written."""
    name, _, mode = value.removeprefix("service:").partition(":")
    return {"service": name, "mode": mode or "rw"}


ATTRIBUTES = {
    "build": build, "command": words, "entrypoint": words, "environment": pairs, "labels": pairs,
    "ports": ports, "volumes_from": lambda value: [taken_from(item) for item in value], "volumes": lambda value: sorted(map(mount, value), key=lambda item: str(item.get("target"))),
    "depends_on": depends, "networks": attached, "healthcheck": healthcheck, "deploy": deploy, "ulimits": ulimits,
    "secrets": lambda value: [secret(item) for item in value],
    "configs": lambda value: [reference(item) for item in value],
    "expose": lambda value: by_text(map(text, value)), "dns": several, "dns_search": several, "dns_opt": several,
    "tmpfs": several, "cap_add": by_text, "cap_drop": by_text, "sysctls": pairs,
    "extra_hosts": lambda value: pairs([re.sub("=", ":", str(item), count=1) for item in value]
                                       if isinstance(value, list) else value, ":"),
    "stop_grace_period": duration, "mem_limit": size, "mem_reservation": size, "memswap_limit": size, "shm_size": size,
    "group_add": several, "cpus": float, "devices": lambda value: [device(item) for item in value],
}


def service(value):
    result = {}
    for key, item in value.items():
        if item is None:
            continue
        result[key] = ATTRIBUTES[key](item) if key in ATTRIBUTES else text(item) if not isinstance(item, (dict, list)) else item
    return result


def resource(value):
    value = dict(value or {})
    if isinstance(value.get("external"), dict):
        value = {**value, "external": True, **value["external"]}
    if "labels" in value:
        value["labels"] = pairs(value["labels"])
    return value


def project(tree):
    """What `config` printed, in the one form."""
    result = {key: value for key, value in tree.items() if key not in ("version", "name") and value}
    result["services"] = {name: service(value) for name, value in tree.get("services", {}).items()}
    for kind in ("networks", "volumes", "secrets", "configs"):
        if kind in result:
            result[kind] = {name: resource(value) for name, value in result[kind].items()}
    return result
