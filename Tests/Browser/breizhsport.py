#!/usr/bin/env python3
"""Buys something in the Breizhsport shop as a person would: looks at the products, fills the cart, orders.

usage: breizhsport.py URL

Prints what it saw. On failure: exits 1 with a reason and the path of a screenshot.
"""

from browser import Failure, main, wait_until


def buy(browser, url):
    browser.open(url)
    wait_until("the products", lambda: browser.texts("#products h3"))
    print(f"opened {url}: {browser.texts('#products h3')}")
    prices = browser.texts("#products .price")
    if not all("€" in price and "en stock" in price for price in prices):
        raise Failure(f"the prices are {prices}")
    for product in ("Ciré jaune", "Ciré jaune", "Planche de surf"):
        browser.click(browser.one(f"#products button[aria-label*='{product}']"))
        browser.one("#cart tbody tr", product)
    wait_until("two coats", lambda: any("Ciré jaune 2 " in row for row in browser.texts("#cart tbody tr")))
    total = browser.texts("#total")[0]
    print(f"the cart: {browser.texts('#cart tbody tr')}, {total} in all")
    if "508,00" not in total:
        raise Failure(f"two coats and a board come to {total}, not 508,00 €")
    browser.type(browser.one("#customer"), "Anna Le Goff")
    browser.click(browser.one("#order button"))
    print(f"ordered: {browser.text(browser.one('#confirmation', 'Votre commande nº'))}")
    wait_until("an empty cart", lambda: "vide" in browser.texts("#cart-empty")[0])


if __name__ == "__main__":
    main(buy, __doc__)
