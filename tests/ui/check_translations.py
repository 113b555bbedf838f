#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
# SPDX-FileCopyrightText: The Bitloom authors
"""Checks that every text of ui/ and app/studio* that can be translated is in every language.

    check_translations.py ROOT            prints what is missing or no longer there
    check_translations.py ROOT --update   writes it into the .ts files, as unfinished
    check_translations.py ROOT --list     prints "context<TAB>text" of everything found
"""
import re
import sys
from pathlib import Path
from xml.etree import ElementTree
from xml.sax.saxutils import escape

STRING = r'"((?:[^"\\]|\\.)*)"'
STRINGS = rf"{STRING}(?:\s*{STRING})*"
CALL = re.compile(rf"(?<![\w.>])(?:(\w+)::)?tr\(\s*((?:{STRING}\s*)+)")
EXPLICIT = re.compile(rf"translate\(\s*{STRING}\s*,\s*((?:{STRING}\s*)+)")
MARKED = re.compile(rf"QT_TRANSLATE_NOOP\(\s*{STRING}\s*,\s*((?:{STRING}\s*)+)")
PIECE = re.compile(STRING)
CLASS = re.compile(r"^(?:[A-Za-z_][\w:<>,*& ]*?[ *&])?(\w+)::~?(?:\w+|operator\W+)\(", re.M)
# Free functions of a file that have a tr() of their own name their context in it.
OWN = re.compile(
    r'(?:QString tr|auto tr = \[\])\(const char\* text[^)]*\) \{\s*return QCoreApplication::translate\("(\w+)"')
# A class that is no QObject names its context in a macro.
MACRO = re.compile(r"class (\w+)[^;]*?\{\s*Q_DECLARE_TR_FUNCTIONS\((\w+)\)")
DECLARED = re.compile(r"^class (\w+)[^;]*?\{", re.M)


ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)")
SIMPLE = {"n": "\n", "t": "\t"}


def unescape(text):
    def one(match):
        code = match.group(1)
        return chr(int(code[1:], 16)) if len(code) > 1 else SIMPLE.get(code, code)
    return "".join(ESCAPE.sub(one, piece) for piece in PIECE.findall(text))


def texts(root):
    found, renamed = {}, {}
    sources = sorted(p for folder in ("ui", "app") for p in (root / folder).rglob("*.[ch]*")
                     if folder == "ui" or p.name.startswith("studio"))
    for path in sources:
        renamed.update(MACRO.findall(path.read_text(encoding="utf-8")))
    for path in sources:
        if path.suffix not in (".cpp", ".h"):
            continue
        code = path.read_text(encoding="utf-8")
        own = OWN.search(code)
        for pattern in (EXPLICIT, MARKED):
            for match in pattern.finditer(code):
                found.setdefault((match.group(1), unescape(match.group(2))), path)
        places = [(m.start(), m.group(1)) for m in CLASS.finditer(code)]
        if path.suffix == ".h":
            places = [(m.start(), m.group(1)) for m in DECLARED.finditer(code)]
        for match in CALL.finditer(code):
            before = [name for start, name in places if start <= match.start()]
            context = match.group(1) or (own.group(1) if own else before[-1] if before else None)
            if context is None:
                print(f"{path}: no class for tr({match.group(2).strip()})")
                continue
            context = renamed.get(context, context)
            found.setdefault((context, unescape(match.group(2))), path)
    return found


def load(file):
    entries = {}
    for context in ElementTree.parse(file).getroot().iter("context"):
        name = context.findtext("name")
        for message in context.iter("message"):
            translation = message.find("translation")
            forms = [f.text or "" for f in translation.iter("numerusform")]
            text = forms or [translation.text or ""]
            entries[(name, message.findtext("source"))] = (
                text, translation.get("type") is None and all(text), bool(forms))
    return entries


def save(file, language, entries):
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>",
             f'<TS version="2.1" language="{language}">']
    for context in sorted({c for c, _ in entries}):
        lines += ["<context>", f"    <name>{escape(context)}</name>"]
        for (own, source), (text, done, plural) in sorted(entries.items()):
            if own != context:
                continue
            lines.append('    <message numerus="yes">' if plural else "    <message>")
            lines.append(f"        <source>{escape(source)}</source>")
            kind = "" if done else ' type="unfinished"'
            if plural:
                lines.append(f"        <translation{kind}>")
                lines += [f"            <numerusform>{escape(t)}</numerusform>" for t in text]
                lines.append("        </translation>")
            else:
                lines.append(f"        <translation{kind}>{escape(text[0])}</translation>")
            lines.append("    </message>")
        lines.append("</context>")
    lines.append("</TS>")
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main():
    root = Path(sys.argv[1])
    wanted = everything = texts(root)
    if "--list" in sys.argv:
        for (context, text), path in sorted(wanted.items()):
            print(f"{context}\t{text!r}")
        return 0
    faults = 0
    for file in sorted((root / "resources/translations").glob("bitloom_*.ts")):
        entries = load(file)
        # English is in the source; its file holds the plurals.
        wanted = {key: path for key, path in everything.items()
                  if file.stem != "bitloom_en" or "%n" in key[1]}
        if "--update" in sys.argv:
            kept = {}
            for key in wanted:
                plural = "%n" in key[1]
                kept[key] = entries.get(key, (["", ""] if plural else [""], False, plural))
            save(file, file.stem.split("_", 1)[1], kept)
            continue
        for key, path in sorted(wanted.items()):
            if key not in entries:
                faults += 1
                print(f"{file.name}: '{key[1]}' ({key[0]}, {path.relative_to(root)}) is missing")
            elif not entries[key][1]:
                faults += 1
                print(f"{file.name}: '{key[1]}' ({key[0]}) is not translated")
            else:
                marks = lambda s: sorted(re.findall(r"%\d|%n", s))
                for text in entries[key][0]:
                    if set(marks(text)) != set(marks(key[1])) and "%n" not in key[1]:
                        faults += 1
                        print(f"{file.name}: '{text}' has other places than '{key[1]}'")
        for key in entries:
            if key not in wanted:
                faults += 1
                print(f"{file.name}: '{key[1]}' ({key[0]}) is in no source any more")
    if not faults:
        print(f"{len(everything)} texts, all translated")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
