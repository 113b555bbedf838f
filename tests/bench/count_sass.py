#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Counts the instructions per weight of the decode loops in libbitloom_cuda.so.

    count_sass.py LIBRARY [--nvdisasm PROGRAM] [--check] [-o TABLE.md]

Reads the machine code of every product kernel (of a library built for one architecture, whose code
is not compressed), finds the innermost loops that multiply matrices, tells each loop's width by its
copies to shared memory, and divides its instructions by the weights that a lane has in it. A loop is
all of it: waiting, copies ahead, addresses, decoding, multiplying, and the int64 sums. `decode` counts
what becomes of a weight alone: loads from shared memory, look-ups, multiplications.

Without --nvdisasm the instructions are told by their opcodes, which is all that counting needs; with
it, its text is read instead. With --check the exit code is 1 if a decode body takes more than 10 %
above its limit, or its loop more than 15 %. The limits are counts of hand-written prototypes of the
decode bodies, fully unrolled, without what stands around them, with nvcc 13.0 for sm_90a.
"""
import argparse
import collections
import datetime
import re
import struct
import subprocess
import sys
import tempfile

# Opcodes (bits 0-8) that are told apart; the same on sm_80 to sm_90.
OPCODES = {
    0x002: "MOV", 0x00C: "ISETP", 0x010: "IADD3", 0x011: "LEA", 0x012: "LOP3", 0x016: "PRMT",
    0x019: "SHF", 0x007: "SEL", 0x024: "IMAD", 0x025: "IMAD.WIDE", 0x026: "IDP", 0x036: "VIADD",
    0x037: "IMMA", 0x184: "LDS", 0x1AE: "LDGSTS", 0x147: "BRA", 0x118: "NOP", 0x185: "CS2R",
    0x005: "CS2R", 0x082: "UMOV", 0x0AF: "LDGDEPBAR", 0x1AF: "LDGDEPBAR", 0x11A: "DEPBAR",
}
BRANCH = 0x147
ALU = {"PRMT", "LOP3", "SHF", "IADD3", "ISETP", "LEA", "SEL", "VIADD", "MOV"}
DECODE = {"PRMT", "LOP3", "SHF", "IMMA", "LDS"}
LIMITS = {("diagonal", 1, 2): 0.68, ("diagonal", 1, 3): 0.81, ("diagonal", 1, 4): 1.09,
          # Without multiplications, whose number depends on the tokens.
          **{("transposed", tokens, 2): 1.16 for tokens in (4, 8, 12, 16)}}


def cubins(data):
    """ELF images of device code in a library."""
    at = 0
    while True:
        at = data.find(b"\x7fELF\x02\x01", at)
        if at < 0:
            return
        machine = struct.unpack_from("<H", data, at + 18)[0]
        if machine == 190:  # EM_CUDA
            sections, = struct.unpack_from("<Q", data, at + 40)
            size, count = struct.unpack_from("<HH", data, at + 58)
            programs, = struct.unpack_from("<Q", data, at + 32)
            psize, pcount = struct.unpack_from("<HH", data, at + 54)
            yield data[at:at + max(sections + size * count, programs + psize * pcount)]
        at += 6


def kernelsByOpcode(cubin):
    """{name: [(opcode, target or None)]}: a branch's target is an index of an instruction."""
    offset, = struct.unpack_from("<Q", cubin, 40)
    size, count, names = struct.unpack_from("<HHH", cubin, 58)
    sections = [struct.unpack_from("<IIQQQQIIQQ", cubin, offset + i * size) for i in range(count)]
    strings = sections[names][4]
    found = {}
    for section in sections:
        begin = strings + section[0]
        name = cubin[begin:cubin.index(b"\0", begin)].decode()
        if not name.startswith(".text."):
            continue
        code = cubin[section[4]:section[4] + section[5]]
        instructions = []
        for i in range(0, len(code) - 15, 16):
            low, high = struct.unpack_from("<QQ", code, i)
            opcode, target = low & 0x1FF, None
            if opcode == BRANCH:
                # Words of 4 bytes from the next instruction, signed: bits 16-23, then 34-81.
                distance = (low >> 34 | (high & 0x3FFFF) << 30) << 8 | (low >> 16 & 0xFF)
                if distance >> 55:
                    distance -= 1 << 56
                target = (i + 16 + 4 * distance) // 16
            instructions.append((OPCODES.get(opcode, f"0x{opcode:03x}"), target))
        found[name[6:]] = instructions
    return found


def kernelsByText(cubin, program):
    """The same from nvdisasm."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        text = subprocess.run([program, "-c", file.name], capture_output=True, text=True,
                              check=True).stdout
    found, labels, current = {}, {}, None
    for line in text.splitlines():
        section = re.match(r"\s*\.section\s+\.text\.(\S+?),", line)
        label = re.match(r"\s*(\.L\S+):", line)
        code = re.match(r"\s*/\*[0-9a-f]+\*/\s+(?:@!?\w+\s+)?([A-Z0-9.]+)(.*?);", line)
        if section:
            current = found.setdefault(section.group(1), [])
        elif label and current is not None:
            labels[label.group(1)] = len(current)
        elif code and current is not None:
            target = re.search(r"`\((\.L\S+)\)", code.group(2)) if code.group(1) == "BRA" else None
            name = code.group(1)
            name = "IMAD.WIDE" if name.startswith("IMAD.WIDE") else name.split(".")[0]
            current.append((name, target.group(1) if target else None))
    return {kernel: [(name, labels.get(target) if target else None) for name, target in code]
            for kernel, code in found.items()}


def innermostLoops(code):
    loops = {(target, i) for i, (_, target) in enumerate(code) if target is not None and target <= i}
    for begin, end in sorted(loops):
        if not any((b, e) != (begin, end) and begin <= b and e <= end for b, e in loops):
            yield collections.Counter(name for name, _ in code[begin:end + 1])


def formOf(name):
    match = re.search(r"(Diagonal|Transposed)FormILi(\d)E", name)
    if not match:
        return None
    form, number = match.group(1).lower(), int(match.group(2))
    return form, number if form == "diagonal" else 4 * number


def widthOf(form, count, loop):
    """Which width a loop of two steps is for, by what only it can have."""
    # A step's copies of codes: bits · 2048 bytes, 512 (a warp) or 2048 (four) at a time.
    activations = 32 * count + (count + 3) // 4 * 4
    threads = 32 if form == "diagonal" else 128
    for bits in (8, 6, 5, 4, 3, 2):
        pieces = 2 if form == "diagonal" and bits > 4 else 1
        tables = {2: 16, 3: 32, 4: 64}.get(bits, 0)
        copies = bits * 128 // threads
        copies += pieces * (-(-tables // threads) + -(-(activations // 4) // threads))
        multiplications = (4 * 8 * count if form == "diagonal" else 2 * 4 * count // 4)
        multiplications *= 2 if bits == 4 and form == "diagonal" else 1
        if loop["LDGSTS"] == 2 * copies and loop["IMMA"] == 2 * multiplications:
            yield bits


def rows(library, nvdisasm):
    data = open(library, "rb").read()
    seen = {}
    for cubin in cubins(data):
        for name, code in (kernelsByText(cubin, nvdisasm) if nvdisasm
                           else kernelsByOpcode(cubin)).items():
            form = formOf(name)
            if not form or "productKernel" not in name:
                continue
            for loop in innermostLoops(code):
                if loop["IMMA"]:
                    for bits in widthOf(*form, loop):
                        # Plain codes are not looked up: what PRMT there is turns or picks bytes.
                        plain = loop["PRMT"] <= (64 * form[1] if form[0] == "diagonal" else 128)
                        if plain == (bits > 4):
                            seen[(*form, bits)] = loop
    for (form, count, bits), loop in sorted(seen.items()):
        weights = 2 * (256 if form == "diagonal" else 64) * 64 // 32
        yield form, count, bits, weights, loop


def table(found, library, command, compiler):
    lines = ["# Instructions per weight",
             "",
             f"`{command}` on {datetime.date.today().isoformat()}, of a library built by {compiler}.",
             "Counts of machine code, not times: none of it has run on a GPU yet.",
             "",
             "`loop`: every instruction of the loop over two steps of 64 columns. `decode`: what becomes of",
             "a weight alone: loads from shared memory, look-ups, and, in the diagonal form, multiplications",
             "(in the other form their number depends on the tokens). `ALU`: of the loop, on the pipe that",
             "takes 64 a clock (look-ups, logic, shifts). Budgets at an H200's full bandwidth: 1.95, 2.92,",
             "3.89 instructions per weight at 2, 3, 4 bits, half of that on the ALU. `limit`: prototypes of",
             "the decode bodies, fully unrolled, nothing around them; `decode` may take 10 % more.",
             "",
             "| form | tokens | bits | loop | decode | ALU | limit | decode / limit | loop / limit | per loop |",
             "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"]
    held = True
    for form, count, bits, weights, loop in found:
        total = sum(loop.values()) / weights
        counted = DECODE if form == "diagonal" else DECODE - {"IMMA"}
        decode = sum(loop[n] for n in counted) / weights
        alu = sum(loop[n] for n in ALU) / weights
        limit = LIMITS.get((form, count, bits))
        held = held and (not limit or decode <= 1.1 * limit)
        held = held and (not limit or form != "diagonal" or total <= 1.15 * limit)
        shares = f"{decode / limit:.2f} | {total / limit:.2f}" if limit else " | "
        most = ", ".join(f"{n} {name}" for name, n in loop.most_common(7))
        lines.append(f"| {form} | {count} | {bits} | {total:.3f} | {decode:.3f} | {alu:.3f} | "
                     f"{limit or ''} | {shares} | {most} |")
    return "\n".join(lines) + "\n", held


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("library")
    parser.add_argument("--nvdisasm")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    found = list(rows(options.library, options.nvdisasm))
    if not found:
        print("no decode loops were found: is the library built for one architecture?")
        return 1
    built = re.search(rb"nvcc [0-9.]+, sm [0-9a-z -]+", open(options.library, "rb").read())
    compiler = built.group(0).decode() if built else "an unknown compiler"
    text, held = table(found, options.library, "tests/bench/count_sass.py LIBRARY", compiler)
    print(text, end="")
    if options.output:
        with open(options.output, "w", encoding="utf-8") as file:
            file.write(text)
    if options.check and not held:
        print("a decode loop takes more instructions than it may")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
