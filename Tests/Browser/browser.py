"""A real browser, driven as a person would: Debian's chromium over the W3C WebDriver protocol (JSON over HTTP).

Python's standard library only.
"""

import base64
import contextlib
import ctypes
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # the protocol's key of an element's id
PATIENCE = 120  # seconds, for anything that takes a moment; a busy machine may need many of them


class Failure(Exception):
    """What was expected did not happen."""


class Stale(Failure):
    """An element was replaced by the page between being found and being used."""


class Browser:
    """One WebDriver session."""

    def __init__(self, driver, profile):
        self._driver = driver
        arguments = ["--headless=new", f"--user-data-dir={profile}", "--window-size=900,700", "--disable-gpu",
                     "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking"]
        if os.geteuid() == 0:
            arguments.append("--no-sandbox")  # chromium's sandbox refuses root
        answer = self._call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"binary": program("chromium"), "args": arguments},
            "timeouts": {"pageLoad": PATIENCE * 1000, "implicit": 0},
        }}})
        self._session = f"/session/{answer['sessionId']}"

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._driver + path, data, {"Content-Type": "application/json"}, method=method)
        # Straight to the driver, whatever proxy the environment names.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as response:
                return json.load(response)["value"]
        except urllib.error.HTTPError as error:
            value = json.load(error)["value"]
            if value["error"] == "stale element reference":
                raise Stale(value["error"]) from error
            raise Failure(f"the browser says: {value['error']}: {value['message'].splitlines()[0]}") from error

    def open(self, url):
        self._call("POST", f"{self._session}/url", {"url": url})

    def title(self):
        return self._call("GET", f"{self._session}/title")

    def find(self, selector):
        found = self._call("POST", f"{self._session}/elements", {"using": "css selector", "value": selector})
        return [element[ELEMENT] for element in found]

    def text(self, element):
        return self._call("GET", f"{self._session}/element/{element}/text")

    def texts(self, selector):
        return wait_until(selector, lambda: (self._texts(selector),))[0]

    def _texts(self, selector):
        return [self.text(element) for element in self.find(selector)]

    def click(self, element):
        self._call("POST", f"{self._session}/element/{element}/click", {})

    def type(self, element, text):
        """Puts the text in place of what the field holds."""
        self._call("POST", f"{self._session}/element/{element}/clear", {})
        self._call("POST", f"{self._session}/element/{element}/value", {"text": text})

    def one(self, selector, text=None):
        """Waits for the element, the only one where a text is given that contains it."""
        def found():
            return [one for one in self.find(selector) if text is None or text in self.text(one)]
        return wait_until(f"{selector} {text or ''}", found)[0]

    def screenshot(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self._call("GET", f"{self._session}/screenshot")))

    def quit(self):
        self._call("DELETE", self._session)


def program(name):
    path = shutil.which(name)
    if path is None:
        raise Failure(f"{name} is not installed; apt-get install {'chromium-driver' if 'driver' in name else name}")
    return path


def wait_until(what, condition, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not (value := unless_stale(condition)):
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)
    return value


def unless_stale(look):
    try:
        return look()
    except Stale:
        return None


def adopt_orphans():
    """Processes that the browser leaves behind become children of this one, which can then end and reap them."""
    pr_set_child_subreaper = 36
    ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def end_all_children():
    """Ends what was started here, and what that started, until nothing is left."""
    with contextlib.suppress(ChildProcessError):  # no child left: the way out of the loop
        while True:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="ascii") as children:
                for pid in children.read().split():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(int(pid), signal.SIGKILL)
            os.wait()


@contextlib.contextmanager
def running_browser():
    """A browser and its driver; nothing of them is left, whatever happens."""
    adopt_orphans()
    scratch = tempfile.mkdtemp(prefix="escale-browser.")
    log_path = os.path.join(scratch, "driver.log")
    process = None
    try:
        with open(log_path, "w+", encoding="utf-8") as log:
            process = subprocess.Popen(
                [program("chromedriver"), "--port=0", "--log-level=WARNING"], stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, "HOME": scratch})

        def driver_port():
            with open(log_path, encoding="utf-8") as log:
                said = log.read()
            if process.poll() is not None:
                raise Failure(f"chromedriver ended at once: {said.strip()}")
            return said.partition("started successfully on port ")[2].partition(".")[0]

        port = wait_until("chromedriver", driver_port)
        browser = Browser(f"http://127.0.0.1:{port}", os.path.join(scratch, "profile"))
        try:
            yield browser
        finally:
            with contextlib.suppress(Failure, OSError, http.client.HTTPException):  # one that crashed is gone
                browser.quit()
    finally:
        end_all_children()
        shutil.rmtree(scratch, ignore_errors=True)


def pictured(browser):
    path = os.path.join(tempfile.gettempdir(), f"escale-browser-{os.getpid()}.png")
    try:
        browser.screenshot(path)
    except (Failure, OSError) as error:  # the reason matters more than the picture
        return f"no screenshot: {error}"
    return f"screenshot: {path}"


def end_after_cleaning_up(number, _frame):
    for other in (signal.SIGINT, signal.SIGTERM):
        signal.signal(other, signal.SIG_IGN)  # asked once is enough; a second time must not cut the cleaning short
    sys.exit(128 + number)


def main(use, usage):
    """The whole of a script that is given a URL: a browser, and what to do with it."""
    if len(sys.argv) != 2:
        sys.exit(usage.split("\n\n")[1])
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_after_cleaning_up)
    try:
        with running_browser() as browser:
            try:
                use(browser, sys.argv[1])
            except Failure as failure:
                raise Failure(f"{failure}\n{pictured(browser)}") from failure
    except (Failure, OSError) as problem:
        sys.exit(f"failed: {problem}")
