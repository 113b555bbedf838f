#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
"""Pretends to be `bitloom serve` and misbehaves in the way that its argument names.

    bad_engine.py MODE
"""
import json
import os
import signal
import sys
import time

MODE = sys.argv[1]


def send(message):
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def lines():
    for line in sys.stdin:
        yield json.loads(line)


def main():
    if MODE == "silent":
        for _ in sys.stdin:
            pass
        return 0
    if MODE == "exits":
        print("no such library: libtorch.so", file=sys.stderr)
        return 127
    if MODE == "endless":
        while True:
            sys.stdout.write("x" * 65536)
    if MODE == "greets":
        print("Welcome to box!\nLast login: yesterday")
        sys.stdout.flush()
    for request in lines():
        method, number = request["method"], request.get("id")
        params = request.get("params", {})
        if method == "hello":
            if MODE == "old":
                send({"id": number, "error": {"code": -32010, "message": "this engine speaks protocol 0",
                                              "data": {"code": 2, "hint": "Install it again."}}})
            elif MODE == "future":
                send({"id": number, "result": {"protocol": 2}})
            elif MODE == "stranger":
                send({"id": number, "result": "hello"})
            elif MODE == "dies-greeting":
                os.kill(os.getpid(), signal.SIGKILL)
            else:
                send({"id": number, "result": {"protocol": 1, "version": "bad", "detached": []}})
                if MODE == "deaf":
                    time.sleep(60)  # reads nothing more
        elif method == "flood":
            for i in range(params["lines"]):
                sys.stdout.write(json.dumps({"jsonrpc": "2.0", "method": "progress", "params": {
                    "job": number, "fraction": i / params["lines"], "what": "z" * 100}}) + "\n")
            send({"id": number, "result": {}})
        elif method == "echo":
            send({"id": number, "result": params})
        elif method == "work" and MODE == "stubborn":
            send({"method": "progress", "params": {"job": number, "fraction": 0.5, "what": "busy"}})
        elif method == "work" and MODE == "crashes":
            send({"method": "progress", "params": {"job": number, "fraction": 0.5, "what": "busy"}})
            print("terminate called without an active exception", file=sys.stderr)
            sys.stderr.flush()
            os.kill(os.getpid(), signal.SIGABRT)
        elif method == "work" and MODE == "last-words":
            # The answer and the end come together.
            send({"id": number, "result": {"late": True}})
            return 3
        elif method == "work" and MODE == "odd":
            sys.stdout.write("not JSON\n[1,2]\n{}\n\"text\"\n")
            send({"id": 424242, "result": {}})
            send({"id": None, "error": {"code": -32700, "message": "what was that"}})
            send({"method": "progress", "params": {"job": 424242, "fraction": 0.1}})
            send({"method": "progress", "params": {"job": number, "fraction": "half", "what": 7}})
            send({"method": "token", "params": {"job": number, "top": "none"}})
            send({"method": "unheard of", "params": {"job": number}})
            send({"id": number, "error": "not an object"})
        elif method == "cancel" and MODE != "stubborn":
            send({"id": number, "result": {"known": True}})
        elif method == "large":
            send({"id": number, "result": {"text": "y" * params["size"]}})
    if MODE == "clings":
        time.sleep(60)  # does not end with its input
    return 0


if __name__ == "__main__":
    sys.exit(main())
