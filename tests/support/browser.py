"""A page in headless Chromium, driven as a reader would: keys, themes, widths, print. Over a pipe, with no library."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--hide-scrollbars",
)
SECONDS = 120
KEYS = {"Enter": ("\r", 13), "Tab": ("", 9), " ": (" ", 32)}


def found() -> str | None:
    """Return where Chromium is, or None."""
    return next((place for name in NAMES if (place := shutil.which(name))), None)


@dataclass
class Page:
    """One page; every answer and every event comes over the pipe, in order."""

    to: int
    back: int
    session: str = ""
    asked: int = 0
    buffer: bytes = b""
    complaints: list[str] = field(default_factory=list)  # exceptions, and what the page's own policy refused

    def call(self, method: str, **given: Any) -> dict[str, Any]:
        """Send a command of the DevTools protocol and wait for its answer."""
        self.asked += 1
        number = self.asked
        message = {"id": number, "method": method, "params": given}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.to, json.dumps(message).encode() + b"\0")
        while True:
            told = self._next()
            if told.get("id") == number:
                assert "error" not in told, f"{method}: {told.get('error')}"
                return dict(told["result"])

    def open(self, path: Path) -> None:
        """Go to a file and wait until it stands."""
        self.call("Page.navigate", url=path.resolve().as_uri())
        self.settled()

    def settled(self) -> None:
        """Wait until the page has loaded."""
        end = time.monotonic() + SECONDS
        while self.run("document.readyState") != "complete" or self.run("location.href") == "about:blank":
            assert time.monotonic() < end, "the page did not load"
            time.sleep(0.05)

    def run(self, script: str) -> Any:
        """Return the value of an expression."""
        told = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def press(self, key: str) -> None:
        """Press and release a key."""
        text, code = KEYS[key]
        name = {" ": "Space"}.get(key, key)
        pressed = {"key": key, "code": name, "windowsVirtualKeyCode": code}
        self.call("Input.dispatchKeyEvent", type="keyDown", **pressed, **({"text": text} if text else {}))
        self.call("Input.dispatchKeyEvent", type="keyUp", **pressed)

    def media(self, kind: str = "screen", scheme: str = "light") -> None:
        """Show the page on a screen or on paper, to a reader who prefers a scheme of colours."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def width(self, pixels: int, height: int = 900, *, scale: float = 1.0) -> None:
        """Make the window so wide."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            **{"width": pixels, "height": height, "deviceScaleFactor": scale, "mobile": pixels < 500},
        )

    def screenshot(self, path: Path, *, height: int | None = None) -> None:
        """Write the top of the page, ``height`` pixels of it or the window's, as PNG."""
        size = self.run("[document.documentElement.clientWidth, innerHeight]")
        clip = {"x": 0, "y": 0, "width": size[0], "height": height or size[1], "scale": 1}
        told = self.call("Page.captureScreenshot", format="png", clip=clip, captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))

    def pdf(self, path: Path) -> None:
        """Print on A4."""
        self.media("print")
        told = self.call("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False)
        path.write_bytes(base64.b64decode(told["data"]))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self.buffer:
            more = os.read(self.back, 1 << 20)
            assert more, "Chromium went away"
            self.buffer += more
        line, _, self.buffer = self.buffer.partition(b"\0")
        told: dict[str, Any] = json.loads(line)
        match told.get("method"):
            case "Runtime.exceptionThrown":
                self.complaints.append(str(told["params"]["exceptionDetails"]["text"]))
            case "Log.entryAdded" if told["params"]["entry"]["level"] == "error":
                self.complaints.append(str(told["params"]["entry"]["text"]))
        return told


@contextmanager
def page() -> Iterator[Page]:
    """Start Chromium with an empty page; it is gone when the block ends."""
    there = found()
    assert there, "no Chromium"
    (theirs, to), (back, answers) = os.pipe(), os.pipe()
    high = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (theirs, answers)]

    def wire() -> None:
        for number, end in zip((3, 4), high, strict=True):  # where --remote-debugging-pipe reads and writes
            os.dup2(end, number)

    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [there, *OPTIONS, f"--user-data-dir={profile}", "--remote-debugging-pipe"]
        quiet = subprocess.DEVNULL
        process = subprocess.Popen(command, pass_fds=(3, 4), preexec_fn=wire, stdout=quiet, stderr=quiet)
        for end in (theirs, answers, *high):
            os.close(end)
        try:
            own = Page(to, back)
            target = own.call("Target.createTarget", url="about:blank")["targetId"]
            own.session = own.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log"):
                own.call(f"{domain}.enable")
            yield own
        finally:
            process.kill()
            process.wait()
            os.close(to)
            os.close(back)
