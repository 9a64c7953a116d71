#!/usr/bin/env python3
"""Uses the todo list as a person would: says who they are, adds two todos, ticks one, deletes the other.

usage: todo.py URL

Prints what it saw. On failure: exits 1 with a reason and the path of a screenshot.
"""

from browser import main, wait_until


def use(browser, url):
    browser.open(url)
    browser.type(browser.one("#name"), "Anna")
    browser.click(browser.one("button", "That's me"))
    print(f"opened {url}: {browser.text(browser.one('#hello', 'Anna'))}")
    for title in ("Buy bread", "Call the bank"):
        browser.type(browser.one("#title"), title)
        browser.click(browser.one("button", "Add"))
        browser.one("#todos li", title)
    print(f"added: {browser.texts('#todos li')}")
    wait_until("the worker's count", lambda: "2 open, 0 done" in browser.texts("#counts"))

    browser.click(browser.one("#todos li:first-child input"))
    browser.one("#todos li.done", "Buy bread")
    browser.click(browser.one("button[aria-label='Delete Call the bank']"))
    wait_until("one todo", lambda: len(browser.texts("#todos li")) == 1)
    wait_until("the worker's count", lambda: "0 open, 1 done" in browser.texts("#counts"))
    print(f"ticked one, deleted the other: {browser.texts('#todos li')}, {browser.texts('#counts')}")

    browser.click(browser.one("button", "Add"))
    print(f"without a title: {browser.text(browser.one('[role=alert]', 'The title is missing.'))}")

    browser.open(url)
    print(f"opened again: {browser.text(browser.one('#hello', 'Anna'))}")


if __name__ == "__main__":
    main(use, __doc__)
