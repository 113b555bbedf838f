#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
"""Runs the parts of a test program one after another, each as a process of its own, on a display
server that is started for them, in a home that is empty at first.

    run_on_display.py --bin BUILD/bin PROGRAM PART...

Exit code 77 (skipped) where no display server can be started.
"""
import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path


def startServer(xvfb, log):
    """An Xvfb on a free display; returns it and its name."""
    reader, writer = os.pipe()
    server = subprocess.Popen(
        [xvfb, "-displayfd", str(writer), "-screen", "0", "1600x1000x24", "-nolisten", "tcp",
         "-noreset"], pass_fds=[writer], stdout=log, stderr=log)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        number = pipe.readline().strip()  # empty where it ended instead
    return server, f":{number}" if number else None


def environmentOf(folder, display, binaries):
    env = dict(os.environ, DISPLAY=display, QT_QPA_PLATFORM="xcb", HOME=str(folder / "home"),
               XDG_CONFIG_HOME=str(folder / "config"), XDG_STATE_HOME=str(folder / "state"),
               XDG_CACHE_HOME=str(folder / "cache"), XDG_DATA_HOME=str(folder / "data"),
               XDG_RUNTIME_DIR=str(folder / "run"), E2E_FOLDER=str(folder),
               E2E_BIN=binaries, LC_ALL="C.UTF-8", LANGUAGE="en",
               QTEST_FUNCTION_TIMEOUT="3600000", PATH=f"{binaries}:{os.environ['PATH']}")
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME",
                 "XDG_RUNTIME_DIR"):
        Path(env[name]).mkdir(mode=0o700)
    # Whatever the machine is set to: scaled by its own screen, no desktop's theme, no input method.
    for name in ("QT_SCALE_FACTOR", "QT_STYLE_OVERRIDE", "QT_QPA_PLATFORMTHEME", "QT_IM_MODULE",
                 "XAUTHORITY", "WAYLAND_DISPLAY", "DBUS_SESSION_BUS_ADDRESS"):
        env.pop(name, None)
    return env


def end(process):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--xvfb", default="Xvfb")
    parser.add_argument("--bin", required=True, help="folder of bitloom and bitloom-studio")
    parser.add_argument("--window-manager", choices=["auto", "none"], default="auto")
    parser.add_argument("program")
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()
    # ctest's time limit ends this program; what it started must end with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    manager = server = test = None
    with tempfile.TemporaryDirectory(prefix="bitloom-e2e-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with open(folder / "server.log", "w") as log:
            try:
                try:
                    server, display = startServer(arguments.xvfb, log)
                except OSError as error:
                    print(f"skipped: {error}")
                    return 77
                if not display:
                    print("skipped: no display server:", (folder / "server.log").read_text())
                    return 77
                env = environmentOf(folder, display, arguments.bin)
                openbox = shutil.which("openbox")
                if arguments.window_manager == "auto" and openbox:
                    manager = subprocess.Popen([openbox, "--sm-disable"], env=env, stdout=log,
                                               stderr=log)
                print("display", display, "with openbox" if manager else "without window manager",
                      flush=True)
                for part in arguments.parts:
                    test = subprocess.Popen([arguments.program, part], env=env)
                    if test.wait() != 0:
                        return 1
                return 0
            finally:
                end(test)
                end(manager)
                end(server)


if __name__ == "__main__":
    sys.exit(main())
