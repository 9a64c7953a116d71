#!/usr/bin/env python3
"""The shop from end to end: buy, sell out, release under load, break it, roll back, take it down and bring it up again.

usage: breizhsport.py
"""

import json
import sys
import threading
import time

from support import Client, Example, Failure, expect, wait_until


def api(shop, method, path, body=None):
    status, text = shop.ask(method, path, body)
    return status, json.loads(text)


def stock(shop, name):
    return next(one for one in api(shop, "GET", "/api/products")[1] if name in one["name"])


def buy(shop, product, quantity, customer):
    """The status of the order."""
    _, cart = api(shop, "POST", "/api/carts")
    api(shop, "PUT", f"/api/carts/{cart['id']}/items/{product}", {"quantity": quantity})
    return api(shop, "POST", "/api/orders", {"cart": cart["id"], "customer": customer})[0]


def never_oversells(shop):
    kayak = stock(shop, "Kayak")
    results = []
    buyers = [
        threading.Thread(target=lambda n=number: results.append(buy(shop, kayak["id"], 1, f"Buyer {n}")))
        for number in range(12)]
    for buyer in buyers:
        buyer.start()
    for buyer in buyers:
        buyer.join()
    expect(sorted(set(results)) == [201, 409], f"the orders ended with {results}")
    expect(results.count(201) == kayak["stock"], f"{results.count(201)} of {kayak['stock']} kayaks were sold")
    expect(stock(shop, "Kayak")["stock"] == 0, "kayaks are left")
    shop.say(f"12 buyers at once for {kayak['stock']} kayaks: {results.count(201)} got one, the others were told")


def refuses_nonsense(shop):
    for method, path, body, status in (
            ("GET", "/api/nothing", None, 404), ("POST", "/api/orders", {"customer": "x"}, 400),
            ("GET", "/api/carts/00000000-0000-0000-0000-000000000000", None, 404)):
        seen, answer = api(shop, method, path, body)
        expect(seen == status and "error" in answer, f"{method} {path} gives {seen} {answer}")


def releases_under_load(shop):
    shop.edit("web/site/index.html", "<h1>Breizhsport</h1>", "<h1>Breizhsport, nouvelle saison</h1>")
    (shop.directory / "api/shop/migrations/002_season.sql").write_text(
        "ALTER TABLE products ADD COLUMN season integer NOT NULL DEFAULT 2027;\n", encoding="utf-8")
    with Client(shop.url, "/", "/api/products") as client:
        shop.up()
        shop.page_says("/", "nouvelle saison")
        shop.say(f"a release of page, API and tables: {client.lost(0, 'the release')}")


def survives(shop):
    with Client(shop.url, "/", "/api/products") as client:
        # The two callers may each have had a request in what died.
        for service in ("web", "api", "db"):
            shop.kill_each(service, client, most=2)
        with shop.cut_off("db"):
            time.sleep(3)
        time.sleep(1)
        wait_until("the shop to be ready", lambda: shop.get("/api/products")[0] == 200)
        shop.say(f"the database cut off for 3 s: {client.lost(2, 'the database was cut off')}")


def from_inside(shop, path):
    """The status that the API's first replica gives for a path that nginx does not pass on."""
    script = ("import http.client as h; c = h.HTTPConnection('127.0.0.1', 5000); "
              f"c.request('GET', '{path}'); print(c.getresponse().status)")
    return int(shop.escale("exec", "-T", "api", "python3", "-c", script).stdout)


def says_what_is_wrong(shop):
    expect(from_inside(shop, "/readyz") == 200, "the API is not ready")
    with shop.cut_off("db"):
        status, text = shop.get("/api/products")
        expect(status == 503 and "ne répond pas" in text, f"without the database: {status} {text}")
        probes = from_inside(shop, "/healthz"), from_inside(shop, "/readyz")
        expect(probes == (200, 503), f"without the database /healthz and /readyz give {probes}")
        shop.say(f"without the database for long: {status} {text.strip()}; alive, and not ready")
    wait_until("the shop to be ready", lambda: shop.get("/api/products")[0] == 200)


def a_bad_release_goes_back(shop):
    good, bad = '    app = flask.Flask(__name__)\n', '    raise RuntimeError("no such season")\n    app = flask.Flask(__name__)\n'
    shop.edit("api/shop/web.py", good, bad)
    with Client(shop.url, "/", "/api/products") as client:
        shop.goes_back(client, "no such season")
    shop.edit("api/shop/web.py", bad, good)


def main():
    try:
        with Example("breizhsport", "SHOP_PORT") as shop:
            shop.up()
            shop.say("up from nothing")
            shop.browse()
            never_oversells(shop)
            refuses_nonsense(shop)
            shop.up("--scale", "api=4")
            expect(len(shop.running("api")) == 4, "not 4 replicas of the API")
            shop.say("4 replicas of the API")
            releases_under_load(shop)
            sold = api(shop, "GET", "/api/orders/summary")[1]
            survives(shop)
            says_what_is_wrong(shop)
            a_bad_release_goes_back(shop)
            with Client(shop.url, "/", "/api/products") as client:
                shop.roll_back(client, "/", "nouvelle saison")
            shop.escale("down")
            shop.up()
            expect(api(shop, "GET", "/api/orders/summary")[1] == sold, "orders are missing")
            shop.say(f"down and up again: the {sold['count']} orders are there")
    except Failure as failure:
        sys.exit(f"failed: {failure}")


if __name__ == "__main__":
    main()
