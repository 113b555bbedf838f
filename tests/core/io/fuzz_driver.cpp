// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// Runs a fuzz target without libFuzzer: every file of the given folders as it is, then a fixed
// number of mutations of them, always the same ones.
//     fuzz_x MUTATIONS FOLDER…
#include "fuzz_target.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace {

using Bytes = std::vector<uint8_t>;

class Mutator {
public:
    explicit Mutator(const std::vector<Bytes>& corpus) : m_corpus(corpus) {}

    Bytes next() {
        Bytes bytes = pick();
        for (uint64_t n = 1 + below(4); n > 0; --n)
            mutate(bytes);
        return bytes;
    }

private:
    // Not std::uniform_int_distribution: its results differ between standard libraries.
    uint64_t below(uint64_t limit) { return limit == 0 ? 0 : m_random() % limit; }
    const Bytes& pick() { return m_corpus[below(m_corpus.size())]; }

    void mutate(Bytes& bytes) {
        static const std::string words[] = {"18446744073709551615",
                                            "9223372036854775807",
                                            "-1",
                                            "0",
                                            "1e999",
                                            "null",
                                            "[",
                                            "{",
                                            "\"",
                                            "__metadata__",
                                            ",",
                                            ":",
                                            "[[",
                                            "{}",
                                            "]",
                                            "}"};
        const uint64_t at = below(bytes.size() + 1);
        const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
        const uint64_t rest = bytes.size() - at, length = below(std::min<uint64_t>(rest, 40) + 1);
        switch (below(7)) {
        case 0: // flip a bit
            if (rest > 0) *place ^= static_cast<uint8_t>(1u << below(8));
            break;
        case 1: // any byte
            if (rest > 0) *place = static_cast<uint8_t>(below(256));
            break;
        case 2: // leave out
            bytes.erase(place, place + static_cast<std::ptrdiff_t>(length));
            break;
        case 3: { // put in what hurts
            const std::string& word = words[below(std::size(words))];
            bytes.insert(place, word.begin(), word.end());
            break;
        }
        case 4: // cut short
            bytes.resize(at);
            break;
        case 5: { // take a piece of another file
            const Bytes& other = pick();
            const uint64_t from = below(other.size());
            const uint64_t count = std::min<uint64_t>(other.size() - from, below(64));
            const Bytes piece(other.begin() + static_cast<std::ptrdiff_t>(from),
                              other.begin() + static_cast<std::ptrdiff_t>(from + count));
            bytes.insert(place, piece.begin(), piece.end());
            break;
        }
        default: { // say a piece twice
            const Bytes piece(place, place + static_cast<std::ptrdiff_t>(length));
            bytes.insert(place, piece.begin(), piece.end());
        }
        }
    }

    const std::vector<Bytes>& m_corpus;
    std::mt19937_64 m_random{20240229};
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s MUTATIONS FOLDER…\n", argv[0]);
        return 2;
    }
    std::vector<std::filesystem::path> paths;
    for (int i = 2; i < argc; ++i)
        for (const auto& entry : std::filesystem::directory_iterator(argv[i]))
            paths.push_back(entry.path());
    std::ranges::sort(paths);
    std::vector<Bytes> corpus;
    for (const auto& path : paths) {
        std::ifstream file(path, std::ios::binary);
        corpus.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
        LLVMFuzzerTestOneInput(corpus.back().data(), corpus.back().size());
    }
    if (corpus.empty()) {
        std::fprintf(stderr, "no files to start from\n");
        return 1;
    }
    const long mutations = std::strtol(argv[1], nullptr, 10);
    Mutator mutator(corpus);
    for (long i = 0; i < mutations; ++i) {
        const Bytes bytes = mutator.next();
        LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
    std::printf("%zu files and %ld mutations\n", corpus.size(), mutations);
}
