#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
"""Pretends to be `bitloom serve` with a script in place of models.

    fake_engine.py [name=value]...

    tokens=N   every answer has N tokens                     (20)
    differ=K   the second model leaves the first at token K  (-1: never)
    delay=S    seconds a token                               (0)
    order=     "turns": streams take turns; "blocks": three tokens each; "late": every second token
               of a stream comes before the one that precedes it    (turns)
    steps=N    progress steps of try, quantize and evaluate  (4)
    lose=N     the first N generate calls say that their try: handle is gone  (0)
    limit=B    memory limit in bytes
    device=D   as it was started: cpu, cuda or auto          (cpu)
    gpu=NAME   there is one; without a name there is none
    threads=N                                                (2)
    stubborn=S a cancelled job goes on for so many seconds  (0)
    says=S     and this is what the answer to cancel says of it  (0)
"""
import json
import os
import queue
import shutil
import sys
import threading
import time

OPTIONS = {"tokens": "20", "differ": "-1", "delay": "0", "order": "turns", "steps": "4",
           "lose": "0", "limit": "8000000000", "device": "cpu", "gpu": "", "threads": "2",
           "stubborn": "0", "says": "0"}
OPTIONS.update(argument.split("=", 1) for argument in sys.argv[1:])
TOKENS, DIFFER, STEPS = int(OPTIONS["tokens"]), int(OPTIONS["differ"]), int(OPTIONS["steps"])
DELAY, ORDER = float(OPTIONS["delay"]), OPTIONS["order"]
GPU = OPTIONS["gpu"] if OPTIONS["device"] != "cpu" else ""
VRAM = 3_000_000_000 if GPU else 0
WORDS = " once upon a time there was a small red fox who lived in the old wood".split(" ")[1:]

lock = threading.Lock()
cancelled = {}  # job: when it may end
waiting = set()  # numbers of calls behind the one that runs
state = {"tries": 0, "lose": int(OPTIONS["lose"])}


CANCELLED = {"code": -32003, "message": "cancelled", "data": {"code": 3, "hint": ""}}


class Cancelled(Exception):
    pass


class Failed(Exception):
    pass


def send(message):
    with lock:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def notify(name, job, /, **fields):
    send({"method": name, "params": {"job": job, **fields}})


def pause(job, seconds):
    end = time.monotonic() + seconds
    while True:
        if time.monotonic() >= cancelled.get(job, float("inf")):
            raise Cancelled
        left = end - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(left, 0.002))


def work(job, what):
    for step in range(STEPS):
        notify("progress", job, fraction=step / STEPS, what=f"{what} {step + 1} of {STEPS}",
               eta_s=STEPS - step, seconds=step, rss=1000, peak_rss=5000, vram=VRAM)
        pause(job, DELAY)


def second(model):
    return model.startswith("try:") or "export" in model


def token_of(model, index):
    """Id and text of a token: words by id, so that ids tell the texts apart."""
    parted = second(model) and DIFFER >= 0 and index >= DIFFER
    word = (index * 7 + 3 if parted else index) % len(WORDS)
    return word + (100 if parted else 0), " " + WORDS[word]


def stream_fields(request, sent):
    ids = [token_of(request["model"], i)[0] for i in range(sent)]
    prompt = request.get("ids") or [1] + list(range(len(request.get("prompt", ""))))
    place = {"device": GPU or "processor"}
    if OPTIONS["device"] != "cpu" and not GPU:
        place["device_reason"] = "no <device>"
    return {"model": request["model"], "prompt_ids": prompt, "ids": ids, **place,
            "text": "".join(token_of(request["model"], i)[1] for i in range(sent)),
            "prompt_tokens": len(prompt), "cached_tokens": 0, "tokens": sent, "load_seconds": 0.2,
            "prompt_seconds": 0.1, "first_token_seconds": 0.31, "seconds": 1.0,
            "tokens_per_second": 32.0, "memory": 123456789, "resident": True,
            "context_used": len(prompt) + sent, "context_total": 512}


def schedule(streams):
    order = []
    if ORDER == "turns":
        order = [(s, i) for i in range(TOKENS) for s in range(streams)]
    elif ORDER == "blocks":
        for begin in range(0, TOKENS, 3):
            for s in range(streams):
                order += [(s, i) for i in range(begin, min(begin + 3, TOKENS))]
    else:
        for begin in range(0, TOKENS, 2):
            for s in range(streams):
                order += [(s, i) for i in reversed(range(begin, min(begin + 2, TOKENS)))]
    return order


def generate(job, params):
    requests = []
    for stream in params["streams"]:
        requests.append({"prompt": params.get("prompt", ""), **stream})
    if state["lose"] > 0 and any(r["model"].startswith("try:") for r in requests):
        state["lose"] -= 1
        raise Failed("the model 'try:1' is not kept any more")
    sent = [0] * len(requests)
    try:
        for s, index in schedule(len(requests)):
            pause(job, DELAY)
            token, text = token_of(requests[s]["model"], index)
            sent[s] += 1
            notify("token", job, stream=s, index=index, id=token, text=text, logprob=-0.5,
                   top=[{"id": token, "text": text, "logprob": -0.5},
                        {"id": 999, "text": " zebra", "logprob": -2.0}])
    except Cancelled:
        for s, request in enumerate(requests):
            notify("stream", job, stream=s, **stream_fields(request, sent[s]), end="cancelled")
        raise
    for s, request in enumerate(requests):
        notify("stream", job, stream=s, **stream_fields(request, TOKENS), end="max_tokens")
    return {"streams": [{**stream_fields(r, TOKENS), "end": "max_tokens"} for r in requests],
            "seconds": 1.0}


def score(job, params):
    ids = params["answer_ids"]
    same = second(params["model"]) == second(params["reference"])
    first = len(params["ids"])
    for begin in range(0, len(ids), 8):
        part = list(range(begin, min(begin + 8, len(ids))))
        kl = [0.0 if same else 0.01 * (i + 1) for i in part]
        notify("scores", job, first=first + begin, kl=kl, delta_logprob=[-value for value in kl],
               logprob=[-0.5 - value for value in kl], reference_logprob=[-0.5 for _ in kl],
               same_top=[same or i % 5 != 4 for i in part], ids=[ids[i] for i in part],
               text=[token_of("", i)[1] for i in part])
        pause(job, DELAY)
    return {"tokens": len(ids), "first": first}


def quantize(job, params):
    partial = params["output"] + ".partial"
    os.makedirs(partial, exist_ok=True)
    header = json.dumps({"a": {"dtype": "U8", "shape": [4096], "data_offsets": [0, 4096]},
                         "b": {"dtype": "U8", "shape": [2048], "data_offsets": [4096, 6144]}})
    os.makedirs(os.path.join(partial, "work"), exist_ok=True)
    with open(os.path.join(partial, "model.safetensors"), "wb") as file:
        file.write(len(header).to_bytes(8, "little") + header.encode() + b"x" * 6144)
    with open(os.path.join(partial, "work", "journal"), "a", encoding="utf-8") as file:
        file.write('0123456789abcdef {"fingerprint": "f"}\n')
        file.write('0123456789abcdef {"put": {"a": "hash"}}\n0123456789abcdef {"put": {"b')
    work(job, "quantizing block")
    shutil.rmtree(os.path.join(partial, "work"))
    os.rename(partial, params["output"])
    return {"output": params["output"], "bytes": 8192, "predicted_bytes": 8192, "seconds": 4.0,
            "layers_resumed": 0, "verified": params.get("verify", False), "asked": params,
            "device": "cuda" if GPU else "cpu", "threads": int(OPTIONS["threads"])}


def run(request):
    job, method, params = request["id"], request["method"], request.get("params", {})
    notify("started", job, method=method)
    if job in cancelled:
        raise Cancelled
    if method == "generate":
        return generate(job, params)
    if method == "score":
        return score(job, params)
    if method == "try":
        work(job, "quantizing block")
        state["tries"] += 1
        return {"model": f"try:{state['tries']}", "mode": params["mode"], "bytes": 4000000,
                "memory": 9000000, "seconds": 1.0}
    if method == "quantize":
        return quantize(job, params)
    if method == "evaluate":
        work(job, "window")
        return {"model": params["model"], "text": "/texts/valid.txt", "text_hash": "abc",
                "protocol": "gptq-512", "tokens": 1000, "nll": 1.5, "stderr": 0.01,
                "reference_nll": 1.4, "delta_stderr": 0.001, "kl_mean": 0.05, "kl_p99": 0.4,
                "top1_agreement": 0.9}
    if method == "verify":
        return {"intact": True, "damaged": [], "bytes": 8192, "seconds": 0.1}
    raise Failed("unknown method " + method)


def compute(jobs):
    while True:
        request = jobs.get()
        job = request["id"]
        with lock:
            if job not in waiting:
                continue  # cancelled, and answered
            waiting.remove(job)
        try:
            send({"id": job, "result": run(request)})
        except Cancelled:
            send({"id": job, "error": CANCELLED})
        except Failed as error:
            send({"id": job, "error": {"code": -32001, "message": str(error),
                                       "data": {"code": 1, "hint": "Try again."}}})
        except Exception as error:  # a slip of this script must not look like a hang
            send({"id": job, "error": {"code": -32603, "message": repr(error),
                                       "data": {"code": 1, "hint": ""}}})


def main():
    jobs = queue.Queue()
    threading.Thread(target=compute, args=(jobs,), daemon=True).start()
    for line in sys.stdin:
        request = json.loads(line)
        method, number = request["method"], request.get("id")
        params = request.get("params", {})
        if method == "hello":
            send({"id": number, "result": {
                "protocol": 1, "version": "fake", "pid": os.getpid(),
                "threads": int(OPTIONS["threads"]), "detached": [],
                "memory_limit": int(OPTIONS["limit"]), "device": OPTIONS["device"],
                "devices": [{"name": "cpu", "available": True, "reason": ""},
                            {"name": "cuda", "available": bool(OPTIONS["gpu"]),
                             "reason": "" if OPTIONS["gpu"] else "no device",
                             "generate_reason": "" if OPTIONS["gpu"] else "no library",
                             "methods": ["quantize", "generate"] if OPTIONS["gpu"] else []}]}})
        elif method == "cancel":
            cancelled[params["job"]] = time.monotonic() + float(OPTIONS["stubborn"])
            with lock:
                waited = params["job"] in waiting
                waiting.discard(params["job"])
            if waited:
                send({"id": params["job"], "error": CANCELLED})
            send({"id": number, "result": {"known": True, "state": "running",
                                           "unbreakable_s": float(OPTIONS["says"])}})
        elif method == "info":
            send({"id": number, "result": {
                "kind": "quantized" if "export" in params["model"] else "model",
                "has_tokenizer": True, "bits_per_weight": 3.0, "bytes": 4000000,
                "memory": {"chat_resident": 5000000000}}})
        elif method == "tokenize":
            ids = list(range(500, 500 + len(params["text"])))
            send({"id": number, "result": {"ids": ids, "tokens": len(ids)}})
        elif method == "detach":
            send({"id": number, "result": {"key": "1-2", "lock": "/none"}})
        elif method == "shutdown":
            send({"id": number, "result": {}})
            return
        else:
            with lock:
                waiting.add(number)
            jobs.put(request)


main()
