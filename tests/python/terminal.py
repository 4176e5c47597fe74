"""A program on a pseudo-terminal, and what its user sees."""

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pyte

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(os.environ.get("SHARPSCOPE", ROOT / "target/release/sharpscope"))
GOLDENS = ROOT / "tests/goldens"
PATIENCE = 60


def _own_terminal():
    """The terminal is that of the process, whose Ctrl-C counts even where these tests run in the background."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Seen:
    """The program under way on a terminal of that size (columns, lines)."""

    def __init__(self, *arguments, cwd, size=(80, 24), env=()):
        self.screen = pyte.Screen(*size)
        self.stream = pyte.ByteStream(self.screen)
        self.sent = b""
        self.master, self.slave = pty.openpty()
        self._set_size(size)
        self.before = termios.tcgetattr(self.slave)
        clean = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen(
            [PROGRAM, *map(str, arguments)],
            cwd=cwd,
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
            preexec_fn=_own_terminal,
            env={**clean, "TERM": "xterm-256color", **dict(env)},
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self.master)
        os.close(self.slave)

    def _set_size(self, size):
        columns, lines = size
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, size):
        self.screen.resize(lines=size[1], columns=size[0])
        self._set_size(size)

    def type(self, keys):
        os.write(self.master, keys.encode())

    def _read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            found = os.read(self.master, 65536)
            self.sent += found
            self.stream.feed(found)

    @property
    def text(self):
        return "\n".join(self.screen.display)

    def wait_for(self, *parts):
        """Waits until all of this is on the screen; returns the screen."""
        return self.wait_until(lambda text: all(part in text for part in parts), parts)

    def wait_until(self, holds, what="that"):
        end = time.monotonic() + PATIENCE
        while not holds(self.text):
            ended = self.process.poll() is not None and not select.select([self.master], [], [], 0)[0]
            assert not ended, f"ended with {self.process.returncode} before {what}:\n{self.text}"
            assert time.monotonic() < end, f"waited for {what}:\n{self.text}"
            self._read(0.05)
        return self.text

    def end(self):
        """Waits for the program's end, and checks that the terminal is as it was. Its exit code."""
        end = time.monotonic() + PATIENCE
        while self.process.poll() is None:
            assert time.monotonic() < end, f"waited for the end:\n{self.text}"
            self._read(0.05)
        while select.select([self.master], [], [], 0.05)[0]:
            self._read(0)
        assert termios.tcgetattr(self.slave) == self.before, "the terminal's modes are others"
        entered, left = (self.sent.rfind(code) for code in (b"\x1b[?1049h", b"\x1b[?1049l"))
        assert entered < left or entered == left == -1, "the alternate screen was not left"
        hidden, shown = (self.sent.rfind(code) for code in (b"\x1b[?25l", b"\x1b[?25h"))
        assert hidden <= shown, "the cursor stays hidden"
        return self.process.returncode

    @property
    def after(self):
        """What was printed after the screen was left."""
        return self.sent.rsplit(b"\x1b[?1049l", 1)[1].decode()
