#!/usr/bin/env python3
"""The student list from end to end, with three replicas of each service.

usage: student_list.py
"""

import json
import os
import signal
import subprocess
import sys

from support import Client, Example, Failure, expect, free_port, request, wait_until


def students(site):
    """Status and text of the page with the list."""
    return site.ask("POST", "/", form="submit=list")


def lists(site, name):
    wait_until(f"{name} to be listed", lambda: name in students(site)[1])


def a_second_up_changes_nothing(site):
    def identities():
        return sorted((one["id"], one["pid"], one["startedAt"]) for one in site.containers())

    before = identities()
    site.up()
    expect(identities() == before, f"a second up replaced containers: {before}, then {identities()}")
    site.say("a second up changes nothing")


def says_when_the_api_is_away(site):
    pids = [one["pid"] for one in site.running("api")]
    children = subprocess.run(["pgrep", "-P", ",".join(map(str, pids))], capture_output=True, text=True).stdout.split()
    every = pids + [int(pid) for pid in children]
    for pid in every:
        os.kill(pid, signal.SIGSTOP)
    try:
        status, page = students(site)
    finally:
        for pid in every:
            os.kill(pid, signal.SIGCONT)
    expect(status == 502 and 'role="alert"' in page, f"without its API the page is {status}: {page[-600:]}")
    expect(not any(word in page for word in ("Warning", "Fatal", "Stack trace")), f"the page shows PHP's words: {page}")
    lists(site, "Alice is 12 years old")
    site.say("without its API the page says so; with it, the list is back")


def releases_under_load(site):
    site.edit("website/public/index.php", "<h1>", "<h1>Our ")
    site.edit("api/app.py", '"""The student list', '"""Our student list')
    with Client(site.url, "/", form="submit=list") as client:
        site.up()
        site.page_says("/", "<h1>Our ")
        site.say(f"a release of both: {client.lost(0, 'the release')}")


def survives(site):
    # Each of the two callers may have had a request in the replica that dies.
    with Client(site.url, "/", form="submit=list") as client:
        for service in ("website", "api"):
            site.kill_each(service, client, most=2)


def has_a_private_registry(site):
    """As the README says: both images in a registry of the host's own, whose page lists them."""
    port = free_port()
    site.escale("registry", "serve", "-d", "--listen", f"127.0.0.1:{port}")
    try:
        for service in ("api", "website"):
            name = f"127.0.0.1:{port}/pozos/{service}:1"
            site.escale("tag", f"student-list-{service}", name)
            site.escale("push", "-q", name)
        status, page = request(f"http://127.0.0.1:{port}", "GET", "/")
        expect(status == 200 and "pozos/api" in page and "pozos/website" in page, f"the page is {status}: {page[-600:]}")
        status, page = request(f"http://127.0.0.1:{port}", "GET", "/repositories/pozos/api")
        expect(status == 200 and "sha256:" in page and "layer" in page, f"the repository's page is {status}: {page[-600:]}")
        pulled = site.escale("pull", "-q", name).stdout
        expect(f"{name}@sha256:" in pulled, f"pulling it back says {pulled}")
    finally:
        site.escale("registry", "stop")
    site.say("both images are in a private registry, and on its page")


def main():
    try:
        with Example("student-list", "WEBSITE_PORT", "compose.yaml", "compose.prod.yaml") as site:
            site.up()
            expect(len(site.running("api")) == len(site.running("website")) == 3, "not three replicas each")
            site.say("up from nothing, three replicas each")
            site.browse()
            a_second_up_changes_nothing(site)
            says_when_the_api_is_away(site)
            has_a_private_registry(site)
            site.up("--scale", "website=4")
            expect(len(site.running("website")) == 4, "not 4 replicas of the website")

            data = {"Alice": 12, "Bob": 13, "Chloé": 14, "Yann": 15}
            change = "cat > /data/new && mv /data/new /data/student_age.json"
            site.escale("exec", "-T", "api", "sh", "-c", change, typed=json.dumps(data))
            lists(site, "Yann is 15 years old")
            site.say("the data was changed in place")

            releases_under_load(site)
            survives(site)
            with Client(site.url, "/") as client:
                site.roll_back(client, "/", "<h1>Our ")
            site.escale("down")
            site.up()
            lists(site, "Yann is 15 years old")
            site.say("down and up again: the data is there")
    except Failure as failure:
        sys.exit(f"failed: {failure}")


if __name__ == "__main__":
    main()
