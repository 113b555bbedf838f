#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Bitloom authors
"""Makes tests/data/text: small tokenizers, a corpus, and what other programs make of it.

Run once, by hand, with transformers 4.57.6, tokenizers 0.22.2 and sentencepiece 0.2.3:
    make_vectors.py DATA OUT
DATA holds the sample model, the vocabularies and the texts (folders models/, tokenizers/, text/);
OUT is tests/data/text. The tests themselves need no Python.

corpus.txt        records, each ended by "\\x1e\\n"
expected.json     for every tokenizer: a hash of the ids of each record and of all records joined
                  with "\\n", with special tokens read as text and parsed; BOS; some ids in full
variants.json     parts of a tokenizer.json put in place of those of a base tokenizer
"""
import json
import random
import shutil
import sys
from pathlib import Path

import sentencepiece
from tokenizers import (Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers,
                        processors, trainers)
from transformers import AutoTokenizer, LlamaTokenizer

DATA, OUT = Path(sys.argv[1]), Path(sys.argv[2])
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")


def corpus():
    wiki = (DATA / "text/wikitext2-test.raw").read_text(encoding="utf-8")
    c4 = (DATA / "text/c4-sample.txt").read_text(encoding="utf-8")
    records = [p for p in wiki[:230_000].split("\n \n")] + c4[:200_000].split("\n")
    natural = len(records)
    vectors = (DATA / "tokenizers/vectors/ggml-vocab-gpt-2.gguf.inp").read_text(encoding="utf-8")
    records += vectors.split("\n__ggml_vocab_test__\n")
    rng = random.Random(20240611)
    pools = [
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "     ", " \t\n\r",
        ".,;:!?'\"()[]{}<>/\\|@#$%^&*-_=+`~", "äöüßéèñçøåæœÄÖÜ", "日本語中文字漢한국어조선말ひらがなカタカナー",
        "مرحبا بالعالم العربية ٠١٢٣", "Привет мир Ёлка", "שלום עולם", "नमस्ते दुनिया क्षि", "สวัสดีชาวโลก",
        "😀😁👍🏽👨‍👩‍👧‍👦🇩🇪🏴󠁧󠁢󠁥󠁮󠁧󠁿❤️✨", "a\u0301e\u0308o\u0302\u0323\u1e0b\u0323n\u0303",
        "\u00a0\u2003\u2009\u200b\u200c\u200d\u2028\u2029\u3000\ufeff\u180e\u0085\u1680\u202f\u205f",
        "\x00\x01\x02\x07\x08\x0b\x0c\x1b\x1f\x7f\x80\x9f", "½¼²³¹ⅣⅫ①⑳㊿Ⓐⓩ🄰🅐٣৪", "ſKÅΩİıǅﬁﬆŉ", "\u2581\u2581Ġ", "\u0344\u0340\u0958\u2126\u212b\uf900\U0002f800",
        "\ue000\uffff\U0010ffff\U000e0001\ufffd", "𝔘𝔫𝔦𝕔𝕠𝕕𝕖𐍈𒀀",
    ]
    words = ["the", "The", "don't", "I'LL", "we'Ve", "'s", " 's", "it's", "ing", "    return x", "for(int i=0;i<n;++i){",
             "https://example.org/a?b=c&d=%20", "foo_bar", "__init__", "<s>", "</s>", "<unk>", "<|endoftext|>", "<|im_start|>", "<|im_end|>",
             "<|begin_of_text|>", "<0x0A>", "[INST]", "[/INST]", "<|", "|>", "\r\n", "\n\n", "\t\t", "  ", "3.14159", "1,000,000", "2024-06-11",
             "<tool>", "[X]", "word<mark>word", " <mark> ", "<pad>", "<<SYS>>", "e.g.", "...", "----", "====", "\\n", "\\u00e9"]
    for i in range(700):
        parts = []
        for _ in range(rng.randint(1, 24)):
            if rng.random() < 0.35:
                parts.append(rng.choice(words))
            else:
                pool = rng.choice(pools)
                parts.append("".join(rng.choice(pool) for _ in range(rng.randint(1, 9))))
            if rng.random() < 0.4:
                parts.append(rng.choice([" ", " ", " ", "  ", "\n", "\t", "\r\n"]))
        records.append("".join(parts))
    records += [" " * n for n in (1, 2, 3, 4, 7, 15, 16, 17, 31, 64, 200)]
    records += [" " * 500 + "x" + " " * 300 + "\n" + "\n" * 100 + "\t" * 50, "a" * 3000, "ab" * 1000 + "c", "1" * 1000, "!" * 500 + "?" * 77,
                "é" * 400, "日" * 400, "\u0301" * 200, "x\u0301" * 100, "😀" * 100, "\r\n" * 60, "\r\n \r\n\t\r\n", "", "\n", " \n ", "\x00",
                "def f(a, b):\n    \"\"\"Doc.\"\"\"\n\tif a <= b:\n        return {'k': [a, b]}  # done\n\n\nprint(f(1, 2))\n",
                "<html>\n  <body class=\"x\">&amp;</body>\n</html>\n", "\u2581Hello\u2581 \u2581world", " leading", "trailing ", "  two  two  "]
    assert not any("\x1e" in r for r in records)
    return records, natural


def fnv(ids):
    h = 0xCBF29CE484222325
    for i in ids:
        for b in i.to_bytes(4, "little"):
            h = ((h ^ b) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def expectation(encode, records, parse=(False, True)):
    """encode(text, parse_special) -> ids. Eight hex digits a record are enough to notice any change."""
    result = {}
    for special in parse:
        key = "parsed" if special else "plain"
        result[key] = "".join(f"{fnv(encode(r, special)) >> 32:08x}" for r in records)
        result[key + "_joined"] = f"{fnv(encode(chr(10).join(records), special)):016x}"
    sample = "Hello, world! <s>It's  100% naïve</s>\n\t日本 😀 <|endoftext|>x"
    result["sample"] = sample
    result["sample_ids"] = {("parsed" if s else "plain"): encode(sample, s) for s in parse}
    return result


def fast(tokenizer):
    plain = Tokenizer.from_str(tokenizer.to_str())
    plain.encode_special_tokens = True
    state = json.loads(tokenizer.to_str())
    if state["model"]["type"] == "Unigram":
        # Here the model itself would find "<s>" in a text, special or not. Text is never to become
        # a special token, so these pieces get names that no text has.
        names = {t["content"] for t in state["added_tokens"] if t["special"]}
        for i, piece in enumerate(state["model"]["vocab"]):
            if piece[0] in names:
                piece[0] = f"\U000F0000{i}"
        state["added_tokens"] = []
        plain = Tokenizer.from_str(json.dumps(state))

    def encode(text, special):
        return (tokenizer if special else plain).encode(text, add_special_tokens=False).ids
    return encode


def write(path, value):
    path.write_text(json.dumps(value, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")


def truncated(name, source, merges_kept, keep, config):
    """A vocabulary of the first merges: every token that they make, ids in the old order."""
    folder = OUT / name
    folder.mkdir(exist_ok=True)
    lines = [l for l in (DATA / source / "merges.txt").read_text(encoding="utf-8").split("\n")
             if l and not l.startswith("#version")][:merges_kept]
    vocab = json.loads((DATA / source / "vocab.json").read_text(encoding="utf-8"))
    wanted = set(pre_tokenizers.ByteLevel.alphabet()) | set(keep)
    for line in lines:
        a, b = line.split(" ")
        wanted |= {a, b, a + b}
    tokens = sorted((t for t in vocab if t in wanted), key=vocab.get)
    missing = [t for t in wanted if t not in vocab]
    tokens += sorted(missing)
    write(folder / "vocab.json", {t: i for i, t in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    write(folder / "tokenizer_config.json", config(len(tokens)))
    return folder


def for_vectors(name, config):
    """llama.cpp's test vectors with a part of the real vocabulary, under its own ids: every merge
    that could ever apply to these texts makes a piece of them, so the rest may be left out."""
    source, folder = DATA / "tokenizers" / name, OUT / (name + "-vectors")
    folder.mkdir(exist_ok=True)
    stem = {"gpt2": "gpt-2"}.get(name, name)
    for ext in ("inp", "out"):
        shutil.copyfile(DATA / f"tokenizers/vectors/ggml-vocab-{stem}.gguf.{ext}", folder / f"vectors.{ext}")
    text = (folder / "vectors.inp").read_bytes().decode()
    alphabet = {}
    n = 0
    for b in range(256):
        if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174:
            alphabet[b] = chr(b)
        else:
            alphabet[b] = chr(256 + n)
            n += 1
    mapped = "".join(alphabet[b] for b in text.encode())
    vocab = json.loads((source / "vocab.json").read_text(encoding="utf-8"))
    vocab = {t: i for t, i in vocab.items() if t in mapped or t in alphabet.values() or t.startswith("<|")}
    lines = [l for l in (source / "merges.txt").read_text(encoding="utf-8").split("\n")
             if not l.startswith("#version") and l.replace(" ", "") and l.replace(" ", "") in mapped]
    write(folder / "vocab.json", vocab)
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(lines) + "\n", encoding="utf-8")
    write(folder / "tokenizer_config.json", config)


def added(id, content, **kw):
    return {"id": id, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True, **kw}


def main():
    OUT.mkdir(exist_ok=True)
    records, natural = corpus()
    (OUT / "corpus.txt").write_bytes("".join(r + "\x1e\n" for r in records).encode())
    expected = {}

    # Folders as they are published, loaded as their users load them.
    tales = OUT / "tales"
    tales.mkdir(exist_ok=True)
    for f in ("tokenizer.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copyfile(DATA / "models/bitloom-tales-4m" / f, tales / f)
    def qwen_config(n):
        names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        decoder = {str(n + i): {k: v for k, v in added(0, t).items() if k != "id"} for i, t in enumerate(names)}
        decoder[str(n + 3)] = {**{k: v for k, v in added(0, "<tool>").items() if k != "id"}, "special": False}
        return {"tokenizer_class": "Qwen2Tokenizer", "add_prefix_space": False, "add_bos_token": False, "added_tokens_decoder": decoder,
                "additional_special_tokens": names[1:], "bos_token": None, "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>", "unk_token": None,
                "errors": "replace", "split_special_tokens": False}
    folders = [
        tales,
        truncated("gpt2", "tokenizers/gpt2", 4000, ["<|endoftext|>"], lambda n: {"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": False}),
        truncated("opt", "tokenizers/opt", 3000, ["<s>", "<pad>", "</s>", "<unk>"], lambda n: {
            "tokenizer_class": "GPT2Tokenizer", "add_bos_token": True, "add_prefix_space": False, "errors": "replace", "bos_token": "</s>",
            "eos_token": "</s>", "unk_token": "</s>", "pad_token": "<pad>"}),
        truncated("qwen2", "tokenizers/qwen2", 5000, [], qwen_config),
    ]

    for_vectors("gpt2", {"tokenizer_class": "GPT2Tokenizer"})
    for_vectors("qwen2", {"tokenizer_class": "Qwen2Tokenizer"})

    text = [r for r in records[:natural] if r]
    llama3 = Tokenizer(models.BPE(ignore_merges=True))
    llama3.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"),
                                                    pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    llama3.decoder = decoders.ByteLevel()
    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|im_start|>", "<|im_end|>"]
    llama3.train_from_iterator(text, trainers.BpeTrainer(vocab_size=2500, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False))
    state = json.loads(llama3.to_str())
    # Tokens that only ignore_merges can find: in the vocabulary, made by no merge.
    vocab = state["model"]["vocab"]
    for t in ["Ġdon", "Ġtheatre", "123", "hello", "Ġhttps"]:
        vocab.setdefault(t, len(vocab))
    llama3 = Tokenizer.from_str(json.dumps(state))
    llama3.add_special_tokens(special)
    llama3.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=False), processors.TemplateProcessing(
        single="<|begin_of_text|> $A", pair="<|begin_of_text|> $A <|begin_of_text|> $B",
        special_tokens=[("<|begin_of_text|>", llama3.token_to_id("<|begin_of_text|>"))])])
    state = json.loads(llama3.to_str())
    (OUT / "llama3").mkdir(exist_ok=True)
    write(OUT / "llama3/tokenizer.json", state)
    write(OUT / "llama3/tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": special[0], "eos_token": special[1]})
    folders.append(OUT / "llama3")

    uni = Tokenizer(models.Unigram())
    uni.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")])
    uni.pre_tokenizer = pre_tokenizers.Metaspace()
    uni.decoder = decoders.Metaspace()
    uni.train_from_iterator(text[:150], trainers.UnigramTrainer(vocab_size=1500, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>", show_progress=False))
    (OUT / "unigram").mkdir(exist_ok=True)
    write(OUT / "unigram/tokenizer.json", json.loads(uni.to_str()))
    write(OUT / "unigram/tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "</s>", "unk_token": "<unk>"})
    folders.append(OUT / "unigram")

    for folder in folders:
        tok = AutoTokenizer.from_pretrained(str(folder), use_fast=True)
        expected[folder.name] = expectation(fast(tok.backend_tokenizer), records)
        ids = tok("a")["input_ids"]
        expected[folder.name] |= {"adds_bos": len(ids) > len(tok("a", add_special_tokens=False)["input_ids"]), "bos": tok.bos_token_id, "eos": tok.eos_token_id}

    # SentencePiece's own library, and transformers' wrapper for text with special tokens.
    (OUT / "mistral").mkdir(exist_ok=True)
    shutil.copyfile(DATA / "tokenizers/mistral/tokenizer.model.v1", OUT / "mistral/tokenizer.model")
    for name, legacy in (("tales", False), ("mistral", True)):
        model = str(OUT / name / "tokenizer.model")
        sp = sentencepiece.SentencePieceProcessor(model_file=model)
        expected[name + ":sp"] = expectation(lambda t, s: sp.encode(t), records, (False,)) | {"adds_bos": True, "bos": 1, "eos": 2}
        slow = LlamaTokenizer(model, legacy=legacy)
        lines = ["<s>[INST] Hi [/INST] yes</s><s> two  spaces</s>x", "a <s> b", "no special", "</s>", " <s> ", "<s>\n</s>\n"]
        expected[name + ":sp"]["with_special"] = [[l, slow.encode(l, add_special_tokens=False)] for l in lines]

    # Other components, as parts put into two of the files above.
    meta = lambda scheme, split: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}
    meta_decoder = lambda scheme: {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}
    split = lambda pattern, behavior, invert=False, kind="Regex": {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}
    level = lambda prefix=False, regex=True: {"type": "ByteLevel", "add_prefix_space": prefix, "trim_offsets": True, "use_regex": regex}
    sequence = lambda *p: {"type": "Sequence", "pretokenizers": list(p)}
    norm = lambda *p: {"type": "Sequence", "normalizers": list(p)}
    tales_json = json.loads((tales / "tokenizer.json").read_text())
    own = [added(0, "<unk>"), added(1, "<s>", lstrip=True), added(2, "</s>", rstrip=True)]
    marks = [added(4096, "<mark>", special=False, single_word=True), added(4097, "[X]", special=False, normalized=True), added(4098, "<tool>", special=False, lstrip=True, rstrip=True),
             added(4099, "\n\n", special=False), added(4100, "\n\n\n", special=False), added(4101, "The", special=False, normalized=True, single_word=True)]
    tales_model = {k: v for k, v in tales_json["model"].items() if k not in ("vocab", "merges")}
    no_bytes = {**tales_model, "byte_fallback": False}
    variants = {
        "metaspace-always-nosplit": ["tales", {"normalizer": None, "pre_tokenizer": meta("always", False)}],
        "metaspace-first-nosplit": ["tales", {"normalizer": None, "pre_tokenizer": meta("first", False)}],
        "metaspace-first-split": ["tales", {"normalizer": None, "pre_tokenizer": meta("first", True), "decoder": meta_decoder("first")}],
        "metaspace-always-split": ["tales", {"normalizer": None, "pre_tokenizer": meta("always", True), "decoder": meta_decoder("always")}],
        "metaspace-never-split": ["tales", {"normalizer": None, "pre_tokenizer": meta("never", True), "decoder": meta_decoder("never")}],
        "gemma-like": ["tales", {"normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}, "pre_tokenizer": split(" ", "MergedWithPrevious", False, "String")}],
        "added": ["tales", {"added_tokens": own + marks}],
        "fused-unknown": ["tales", {"model": no_bytes}],
        "single-unknown": ["tales", {"model": {**no_bytes, "fuse_unk": False}}],
        "no-unknown": ["tales", {"model": {**no_bytes, "unk_token": None}}],
        "nfd-lower": ["tales", {"normalizer": norm({"type": "NFD"}, {"type": "Lowercase"}, {"type": "StripAccents"}, {"type": "Strip", "strip_left": True, "strip_right": True},
                                                   {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": "▁"})}],
        "nfkd-nmt": ["tales", {"normalizer": norm({"type": "NFKD"}, {"type": "Nmt"}), "pre_tokenizer": {"type": "WhitespaceSplit"}}],
        "nfkc-strip": ["tales", {"normalizer": norm({"type": "NFKC"}, {"type": "Strip", "strip_left": False, "strip_right": True}), "pre_tokenizer": {"type": "Whitespace"}}],
        "delimiter": ["tales", {"pre_tokenizer": {"type": "CharDelimiterSplit", "delimiter": "▁"}}],
        "gpt2-prefix": ["llama3", {"pre_tokenizer": level(True)}],
        "level-norm": ["llama3", {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": None}],
        "nfc": ["llama3", {"normalizer": {"type": "NFC"}}],
        "digits": ["llama3", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, level())}],
        "digit-runs": ["llama3", {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": False}, {"type": "Punctuation", "behavior": "Contiguous"}, level(True, False))}],
        "punctuation": ["llama3", {"pre_tokenizer": sequence({"type": "Punctuation", "behavior": "Isolated"}, {"type": "Whitespace"}, level(False, False))}],
        "removed": ["llama3", {"pre_tokenizer": sequence(split("\\s+", "Removed"), level(True, False))}],
        "inverted": ["llama3", {"pre_tokenizer": sequence(split("\\w+|[^\\w\\s]", "Removed", True), level(False, False))}],
        "previous": ["llama3", {"pre_tokenizer": sequence(split("[,\\p{P}\\d]", "MergedWithPrevious"), level(False, False))}],
        "next": ["llama3", {"pre_tokenizer": sequence(split("\\s", "MergedWithNext"), level(False, False))}],
        "contiguous": ["llama3", {"pre_tokenizer": sequence(split("\\p{Lu}|\\h", "Contiguous"), level(False, False))}],
        "empty-matches": ["llama3", {"pre_tokenizer": sequence(split("(?=\\p{Lu})|x*", "Isolated"), level(False, False))}],
        "deepseek-like": ["llama3", {"pre_tokenizer": sequence(
            split("[\r\n]", "Isolated"), split("\\s?[A-Za-zµÀ-ÖØ-öø-ƺ\\p{Han}]+", "Isolated"), split("\\s?[!-/:-~！-／：-～‘-‟　-。]+", "Isolated"), split("\\s+$", "Isolated"),
            split("[一-龥ࠀ-一가-퟿]+", "Isolated"), {"type": "Digits", "individual_digits": True}, level(False, False))}],
        "o200k-like": ["llama3", {"pre_tokenizer": sequence(split(
            "[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
            "|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\\p{N}{1,3}"
            "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+", "Removed", True), level(False, False))}],
        "repeated-interval": ["llama3", {"pre_tokenizer": sequence(split("\\p{N}{1,3}+|\\p{L}++|(?m:q.)|^\\s+", "Isolated"), level(False, False))}],
        "unigram-bytes": ["unigram", {"normalizer": None, "pre_tokenizer": meta("first", False)}],
    }
    for name, (base, patch) in variants.items():
        state = json.loads((OUT / base / "tokenizer.json").read_text(encoding="utf-8"))
        for key, value in patch.items():
            if key == "model":
                state["model"].update(value)
            else:
                state[key] = value
        expected["variant:" + name] = expectation(fast(Tokenizer.from_str(json.dumps(state))), records)
    write(OUT / "variants.json", variants)
    (OUT / "expected.json").write_text(json.dumps(expected, ensure_ascii=False, indent=0), encoding="utf-8")


if __name__ == "__main__":
    main()
