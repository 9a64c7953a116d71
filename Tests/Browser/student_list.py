#!/usr/bin/env python3
"""Uses the student list as a person would: opens the page in a real browser, presses the button, reads the list.

usage: student_list.py URL

Prints what it saw. On failure: exits 1 with a reason and the path of a screenshot.
"""

from browser import Failure, main, wait_until

EXPECTED = ["Alice is 12 years old", "Bob is 13 years old", "Chloé is 14 years old"]


def use_the_page(browser, url):
    browser.open(url)
    wait_until("the page's heading", lambda: browser.texts("h1"))
    print(f"opened {url}: “{browser.title()}”")
    if already := browser.texts("li"):
        raise Failure(f"the list is there before it was asked for: {already}")

    buttons = [button for button in browser.find("button") if browser.text(button) == "List students"]
    if len(buttons) != 1:
        raise Failure(f"expected one button “List students”, found {len(buttons)}")
    print("pressed “List students”")
    browser.click(buttons[0])

    seen = wait_until("the list or a message", lambda: browser.texts("li") or browser.texts("[role]"))
    for line in seen:
        print(f"saw “{line}”")
    if seen != EXPECTED:
        raise Failure(f"expected {EXPECTED}, saw {seen}")


if __name__ == "__main__":
    main(use_the_page, __doc__)
