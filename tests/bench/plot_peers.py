#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Draws what compare_peers.py --json has measured: generated tokens per second over the bytes that a
token reads, below the curve that the memory's bandwidth allows.

    tests/bench/plot_peers.py PEERS.json > resources/screenshots/speed.svg
"""
import html
import json
import math
import sys

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 860, 440, 64, 24, 30, 56
# Distinguishable for every kind of colour vision (Okabe and Ito), on white and on black.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"]


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        data = json.load(file)
    bandwidth = max(data["bitloom"]["read_bandwidth"], data["bitloom"]["read_bandwidth_after"])
    # A peer that was run in several ways counts with its fastest.
    best = {}
    for program, name, size, _, generation in data["rows"]:
        words = program.split()
        key = (" ".join(dict.fromkeys((words[0], words[-1]))), name)
        best[key] = max(best.get(key, (0, 0)), (generation, size / 1e9))
    series = {}
    for (program, name), (generation, gigabytes) in best.items():
        series.setdefault(program, []).append((gigabytes, generation, name))
    sizes = [p[0] for points in series.values() for p in points]
    rates = [p[1] for points in series.values() for p in points]
    low, high = math.log(min(sizes) * 0.85), math.log(max(sizes) * 1.25)
    top = max(max(rates) * 1.3, 1)

    def x(gigabytes):
        return LEFT + (math.log(gigabytes) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(rate):
        return HEIGHT - BOTTOM - rate / top * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           f'viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>']

    def text(at, up, words, anchor="middle", colour="#333333", extra=""):
        out.append(f'<text x="{at:.1f}" y="{up:.1f}" text-anchor="{anchor}" fill="{colour}"{extra}>'
                   f'{html.escape(words)}</text>')

    step = 10 if top > 25 else 5
    for rate in range(0, int(top) + 1, step):
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(rate):.1f}" y2="{y(rate):.1f}" '
                   'stroke="#e4e4e4"/>')
        text(LEFT - 8, y(rate) + 4, str(rate), "end")
    for gigabytes in (0.5, 0.7, 1, 1.5, 2, 3, 4, 5, 7, 10):
        if low < math.log(gigabytes) < high:
            out.append(f'<line x1="{x(gigabytes):.1f}" x2="{x(gigabytes):.1f}" y1="{HEIGHT - BOTTOM}" '
                       f'y2="{HEIGHT - BOTTOM + 5}" stroke="#333333"/>')
            text(x(gigabytes), HEIGHT - BOTTOM + 20, f"{gigabytes:g}")
    text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14, "weights read for a token, GB (logarithmic)")
    text(18, (TOP + HEIGHT - BOTTOM) / 2, "generated tokens per second", extra=
         f' transform="rotate(-90 18 {(TOP + HEIGHT - BOTTOM) / 2:.1f})"')

    limit = []
    for i in range(121):
        gigabytes = math.exp(low + (high - low) * i / 120)
        if bandwidth / 1e9 / gigabytes <= top:
            limit.append(f"{x(gigabytes):.1f},{y(bandwidth / 1e9 / gigabytes):.1f}")
    out.append(f'<polyline points="{" ".join(limit)}" fill="none" stroke="#888888" '
               'stroke-dasharray="6 4"/>')
    at = math.exp(low + (high - low) * 0.62)
    text(x(at) + 8, y(bandwidth / 1e9 / at) - 8, f"what {bandwidth / 1e9:.0f} GB/s allow", "start",
         "#666666")

    for number, (program, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        points.sort()
        if program == "bitloom":
            line = " ".join(f"{x(g):.1f},{y(r):.1f}" for g, r, _ in points)
            out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for gigabytes, rate, name in points:
            out.append(f'<circle cx="{x(gigabytes):.1f}" cy="{y(rate):.1f}" r="5" fill="{colour}"/>')
            if number == 0:
                text(x(gigabytes), y(rate) - 10, name, colour=colour)
            else:
                text(x(gigabytes) + 9, y(rate) + 4, name, "start", colour)
        out.append(f'<circle cx="{WIDTH - RIGHT - 200}" cy="{TOP + 8 + 20 * number}" r="5" fill="{colour}"/>')
        text(WIDTH - RIGHT - 188, TOP + 12 + 20 * number, program, "start")
    out.append("</svg>")
    print("\n".join(out))


if __name__ == "__main__":
    main()
