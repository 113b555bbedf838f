// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "core/plan/plan.h"

#include "core/base/error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <spdlog/fmt/fmt.h>

#include <algorithm>
#include <charconv>
#include <new>
#include <optional>

namespace bitloom {

namespace {

constexpr const char* pinForm =
    "Write REGEX=BITS or REGEX[0-15,40]=BITS with BITS a width (2 to 8, "
    "16) or a point such as 4t+0.25%.";

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

/// A PCRE2 pattern with UTF-8, searched anywhere.
class Pattern {
public:
    explicit Pattern(const std::string& text) : m_text(text) {
        int error = 0;
        size_t offset = 0;
        m_code.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C, &error, &offset,
                                   nullptr));
        if (!m_code)
            throw Error(ErrorCode::Usage,
                        fmt::format("The pin's pattern '{}' is no regular expression: {} (at {}).",
                                    text, message(error), offset));
        m_match.reset(pcre2_match_data_create_from_pattern(m_code.get(), nullptr));
        m_limits.reset(pcre2_match_context_create(nullptr));
        if (!m_match || !m_limits) throw std::bad_alloc();
        pcre2_set_match_limit(m_limits.get(), 1'000'000); // a slow pattern is an error, not a wait
    }
    bool foundIn(const std::string& subject) const {
        const int found = pcre2_match(m_code.get(), reinterpret_cast<PCRE2_SPTR>(subject.data()),
                                      subject.size(), 0, 0, m_match.get(), m_limits.get());
        if (found < 0 && found != PCRE2_ERROR_NOMATCH)
            throw Error(ErrorCode::Usage,
                        fmt::format("The pin's pattern '{}' could not be searched in '{}': {}.",
                                    m_text, subject, message(found)));
        return found >= 0;
    }

private:
    static std::string message(int error) {
        char buffer[256] = {};
        pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(buffer), sizeof buffer);
        return buffer;
    }
    struct Free {
        void operator()(pcre2_code* code) const { pcre2_code_free(code); }
        void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
        void operator()(pcre2_match_context* limits) const { pcre2_match_context_free(limits); }
    };
    std::string m_text;
    std::unique_ptr<pcre2_code, Free> m_code;
    std::unique_ptr<pcre2_match_data, Free> m_match;
    std::unique_ptr<pcre2_match_context, Free> m_limits;
};

bool parseNumber(std::string_view& text, int64_t& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc() || number < 0) return false;
    text.remove_prefix(size_t(end - text.data()));
    return true;
}

// "0-15,40"; false where it is anything else.
bool parseRanges(std::string_view text, std::vector<std::pair<int64_t, int64_t>>& ranges) {
    while (!text.empty()) {
        std::pair<int64_t, int64_t> range;
        if (!parseNumber(text, range.first)) return false;
        range.second = range.first;
        if (text.starts_with('-')) {
            text.remove_prefix(1);
            if (!parseNumber(text, range.second)) return false;
        }
        ranges.push_back(range);
        if (text.empty()) return true;
        if (!text.starts_with(',')) return false;
        text.remove_prefix(1);
        if (text.empty()) return false;
    }
    return true;
}

// Where the channel list of a pin's left side begins: a last "[…]" with nothing but digits, commas
// and dashes in it. npos where there is none.
size_t channelList(std::string_view left) {
    if (!left.ends_with(']')) return std::string_view::npos;
    const size_t open = left.rfind('[');
    if (open == std::string_view::npos) return open;
    const std::string_view inside = left.substr(open + 1, left.size() - open - 2);
    return inside.find_first_not_of("0123456789,-") == std::string_view::npos
               ? open
               : std::string_view::npos;
}

std::optional<int> widthOf(std::string_view choice) {
    if (choice == "16") return 16;
    if (choice.size() == 1 && choice[0] >= '2' && choice[0] <= '8') return choice[0] - '0';
    return std::nullopt;
}

uint64_t maskOf(const Pin& pin, const Menu& menu) {
    const std::optional<int> width = widthOf(pin.choice);
    const OperatingPoint point = width ? OperatingPoint{} : parsePoint(pin.choice);
    uint64_t mask = 0;
    for (size_t p = 0; p < menu.size(); ++p)
        if (width ? menu[p].bits == *width : menu[p] == point) mask |= uint64_t(1) << p;
    if (mask != 0) return mask;
    std::string known;
    for (const OperatingPoint& p : menu)
        known += (known.empty() ? "" : ", ") + pointText(p);
    throw Error(ErrorCode::Usage,
                fmt::format("Pin '{}': there is no {} in the menu.", pin.text(), pin.choice),
                "It has " + known + ".");
}

void checkPin(const Pin& pin) {
    if (pin.pattern.empty())
        throw Error(ErrorCode::Usage, fmt::format("A pin to {} names no layers.", pin.choice),
                    pinForm);
    Pattern check(pin.pattern);
    for (const auto& [first, last] : pin.channels)
        if (first < 0 || last < first)
            throw Error(ErrorCode::Usage, fmt::format("Pin '{}': {}-{} is no range of channels.",
                                                      pin.pattern, first, last));
    if (!widthOf(pin.choice)) parsePoint(pin.choice);
}

} // namespace

Pin Pin::parse(std::string_view text) {
    const size_t equals = text.rfind('=');
    if (equals == std::string_view::npos)
        throw Error(ErrorCode::Usage, fmt::format("Pin '{}' has no '='.", text), pinForm);
    Pin pin;
    pin.choice = trimmed(text.substr(equals + 1));
    std::string_view left = text.substr(0, equals);
    const size_t list = channelList(left);
    if (list != std::string_view::npos) {
        const std::string_view ranges = left.substr(list + 1, left.size() - list - 2);
        if (!parseRanges(ranges, pin.channels))
            throw Error(ErrorCode::Usage,
                        fmt::format("Pin '{}': '{}' is no list of channels.", text, ranges),
                        "Write numbers and ranges, from 0: [0-15,40]. A regular expression that "
                        "ends in brackets of digits needs [] after it for all channels.");
        left = left.substr(0, list);
    }
    pin.pattern = left;
    checkPin(pin);
    return pin;
}

std::string Pin::text() const {
    std::string result = pattern;
    if (!channels.empty()) {
        result += '[';
        for (const auto& [first, last] : channels) {
            if (result.back() != '[') result += ',';
            result += std::to_string(first);
            if (last != first) result += '-' + std::to_string(last);
        }
        result += ']';
    } else if (channelList(pattern) != std::string_view::npos) {
        result += "[]";
    }
    return result + '=' + choice;
}

std::vector<ColumnLimit> limitsOf(std::span<const Pin> pins, const std::vector<LayerCurves>& layers,
                                  const Menu& menu) {
    std::vector<std::vector<uint64_t>> allowed(layers.size()); // 0: no pin; later pins overwrite
    for (const Pin& pin : pins) {
        checkPin(pin);
        const Pattern pattern(pin.pattern);
        const uint64_t mask = maskOf(pin, menu);
        bool matched = false;
        for (size_t l = 0; l < layers.size(); ++l) {
            if (!pattern.foundIn(layers[l].name)) continue;
            matched = true;
            const int64_t cols = layers[l].cols;
            auto ranges = pin.channels;
            if (ranges.empty()) ranges.emplace_back(0, cols - 1);
            for (const auto& [first, last] : ranges) {
                if (last >= cols)
                    throw Error(ErrorCode::Usage,
                                fmt::format("Pin '{}': layer '{}' has channels 0 to {}, not {}.",
                                            pin.text(), layers[l].name, cols - 1, last));
                allowed[l].resize(size_t(cols), 0);
                std::fill(allowed[l].begin() + first, allowed[l].begin() + last + 1, mask);
            }
        }
        if (!matched) {
            std::string some;
            for (size_t l = 0; l < std::min<size_t>(layers.size(), 3); ++l)
                some += (l > 0 ? ", " : "") + layers[l].name;
            throw Error(ErrorCode::Usage, fmt::format("Pin '{}' matches no layer.", pin.text()),
                        fmt::format("There are {} layers, such as {}.", layers.size(), some));
        }
    }
    std::vector<ColumnLimit> limits;
    for (size_t l = 0; l < layers.size(); ++l)
        for (size_t k = 0; k < allowed[l].size(); ++k)
            if (allowed[l][k] != 0) limits.push_back({int64_t(l), int64_t(k), allowed[l][k]});
    return limits;
}

} // namespace bitloom
