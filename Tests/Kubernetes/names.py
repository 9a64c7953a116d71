"""The names of Services, for pods: what the API server knows, as a file of hosts that dnsmasq reads anew when it changes.

A Service with an address has that one; one without has its ready pods', each with its own name too where it has one.
"""

import signal
import time


def name_of(item):
    return f"{item['metadata']['name']}.{item['metadata']['namespace']}.svc.cluster.local"


def lines(services, endpoints):
    """The lines of a file of hosts."""
    headless = set()
    for service in services:
        address = service["spec"].get("clusterIP")
        if address == "None":
            headless.add(name_of(service))
        elif address:
            yield f"{address} {name_of(service)}"
    for endpoint in endpoints:
        name = name_of(endpoint)
        if name not in headless:
            continue
        for subset in endpoint.get("subsets") or []:
            for address in subset.get("addresses") or []:
                yield f"{address['ip']} {name}"
                if "hostname" in address:
                    yield f"{address['ip']} {address['hostname']}.{name}"


def keep(api, file, resolver):
    """Never returns."""
    known = None
    while True:
        try:
            now = "".join(sorted(f"{line}\n" for line in lines(api.items("/api/v1/services"), api.items("/api/v1/endpoints"))))
        except OSError:
            now = known  # the next round asks again
        if now != known:
            file.write_text(now, encoding="utf-8")
            resolver.send_signal(signal.SIGHUP)
            known = now
        time.sleep(0.25)
