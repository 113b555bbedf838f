// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#include "app/cli/console.h"

#include "core/base/units.h"

#include <spdlog/fmt/fmt.h>

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <csignal>
#include <cstdio>

namespace bitloom::cli {

namespace {

std::atomic<int> interrupts{0};

extern "C" void onSignal(int) {
    // Only async-signal-safe calls here.
    if (interrupts.fetch_add(1) > 0) {
        const char text[] = "\nstopped at once\n";
        [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, sizeof text - 1);
        ::_exit(int(ErrorCode::Cancelled));
    }
}

int terminalWidth(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
    return 80;
}

/// The first `columns` characters, without cutting one in half.
std::string_view firstColumns(std::string_view text, int64_t columns) {
    size_t at = 0;
    while (at < text.size() && columns > 0) {
        ++at;
        while (at < text.size() && (uint8_t(text[at]) & 0xC0) == 0x80)
            ++at;
        --columns;
    }
    return text.substr(0, at);
}

/// "12,300" below a hundred thousand, "1.23 M" above: a rate that does not flicker.
std::string formatRate(double rate) {
    if (rate >= 1e6) return fmt::format("{:.3g} M", rate / 1e6);
    if (rate >= 1e5) return fmt::format("{:.3g} k", rate / 1e3);
    if (rate >= 100) return formatCount(std::llround(rate));
    return fmt::format("{:.2g}", rate);
}

/// An empty view may point nowhere, which fwrite does not allow.
void put(std::string_view text) {
    if (!text.empty()) std::fwrite(text.data(), 1, text.size(), stdout);
}

} // namespace

void Console::setMode(bool json, bool quiet) {
    m_json = json;
    m_quiet = quiet;
    m_inTerminal = ::isatty(STDIN_FILENO);
    m_outTerminal = ::isatty(STDOUT_FILENO);
    const char* term = std::getenv("TERM");
    m_errTerminal = ::isatty(STDERR_FILENO) && !(term && std::string_view(term) == "dumb");
}

int Console::outWidth() const {
    return terminalWidth(STDOUT_FILENO);
}

void Console::print(std::string_view line) {
    if (m_json) return;
    const std::lock_guard lock(m_mutex);
    put(line);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void Console::write(std::string_view text) {
    if (m_json) return;
    const std::lock_guard lock(m_mutex);
    put(text);
    std::fflush(stdout);
}

void Console::note(std::string_view text) {
    if (m_quiet) return;
    if (m_json) return emit({{"event", "log"}, {"level", "info"}, {"message", text}});
    toStderr(text);
}

void Console::warn(std::string_view text) {
    if (m_json) return emit({{"event", "log"}, {"level", "warning"}, {"message", text}});
    toStderr("warning: " + std::string(text));
}

void Console::error(const Error& error) {
    setStatusLine({});
    if (m_json)
        return emit({{"event", "error"},
                     {"code", int(error.code())},
                     {"message", error.what()},
                     {"hint", error.hint()}});
    if (error.code() == ErrorCode::Cancelled) {
        toStderr(error.what());
    } else {
        toStderr("error: " + std::string(error.what()));
    }
    if (!error.hint().empty()) toStderr("  " + error.hint());
}

void Console::event(const Json& object) {
    if (m_json) emit(object);
}

void Console::result(std::string_view command, const Json& fields) {
    if (!m_json) return;
    Json object = {{"event", "result"}, {"command", command}};
    object.update(fields);
    emit(object);
}

void Console::setStatusLine(const std::string& line) {
    if (!m_errTerminal || m_json) return;
    const std::lock_guard lock(m_mutex);
    if (line.empty() && m_status.empty()) return;
    m_status = firstColumns(line, terminalWidth(STDERR_FILENO) - 1);
    std::fputs(("\r\033[K" + m_status).c_str(), stderr);
    std::fflush(stderr);
}

void Console::emit(const Json& object) {
    // Messages may quote bytes of damaged files: they must not break the line's UTF-8.
    const std::string text = object.dump(-1, ' ', false, Json::error_handler_t::replace);
    const std::lock_guard lock(m_mutex);
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
    std::fflush(stdout);
}

void Console::toStderr(std::string_view text) {
    const std::lock_guard lock(m_mutex);
    std::string out = m_status.empty() ? std::string() : "\r\033[K";
    out += text;
    out += '\n';
    out += m_status;
    std::fwrite(out.data(), 1, out.size(), stderr);
    std::fflush(stderr);
}

JobProgress::JobProgress(Console& console, std::string title, Work work)
    : m_console(console), m_title(std::move(title)), m_work(std::move(work)) {}

JobProgress::~JobProgress() {
    m_console.setStatusLine({});
}

bool JobProgress::cancelled() const {
    return interrupted();
}

double JobProgress::seconds() const {
    return std::chrono::duration<double>(Clock::now() - m_start).count();
}

void JobProgress::report(double fraction, std::string_view what) {
    if (m_console.quiet()) return;
    const std::lock_guard lock(m_mutex);
    fraction = std::clamp(fraction, 0.0, 1.0);
    const auto now = Clock::now();
    const bool terminal = m_console.errTerminal() && !m_console.json();
    // A terminal is redrawn ten times a second, JSON four times; a log file gets a line every ten
    // seconds at first and rarer ones later.
    const double every = terminal ? 0.1 : m_console.json() ? 0.25 : std::max(10.0, seconds() / 20);
    const bool last = fraction >= 1 && m_lastFraction < 1;
    const bool due = std::chrono::duration<double>(now - m_shown).count() >= every;
    if (m_history.empty() || fraction > m_history.back().second)
        m_history.emplace_back(now, fraction);
    if (m_anyShown && !due && !(last && (terminal || m_console.json()))) return;
    if (fraction == m_lastFraction && what == m_lastWhat && m_anyShown) return;

    // The rate of the last half minute: a resumed job starts far along, and stages differ.
    while (m_history.size() > 2 && now - m_history.front().first > std::chrono::seconds(30))
        m_history.pop_front();
    const double passed = std::chrono::duration<double>(now - m_history.front().first).count();
    const double rate =
        passed > 0.2 ? (fraction - m_history.front().second) / passed : 0; // fractions per second
    const double eta = rate > 0 ? (1 - fraction) / rate : -1;

    m_anyShown = true;
    m_shown = now;
    m_lastFraction = fraction;
    m_lastWhat = what;
    if (m_console.json()) {
        m_console.event({{"event", "progress"},
                         {"fraction", std::round(fraction * 1e6) / 1e6},
                         {"what", what},
                         {"eta_s", eta >= 0 ? Json(std::round(eta * 10) / 10) : Json()},
                         {"job", m_title},
                         {"rss", residentBytes()}});
    } else if (terminal) {
        m_console.setStatusLine(line(fraction, what, rate, eta));
    } else if (seconds() >= 1) {
        std::string text = fmt::format("{}: {:.0f} %, {}", m_title, fraction * 100, what);
        if (eta > 0) text += ", " + formatDuration(eta) + " left";
        m_console.note(text);
    }
}

std::string JobProgress::line(double fraction, std::string_view what, double rate,
                              double eta) const {
    std::string tail = fmt::format(" {:3.0f} %", std::floor(fraction * 100));
    if (m_work.total > 0 && rate > 0)
        tail += "  " + formatRate(rate * m_work.total) + " " + m_work.unit + "/s";
    if (eta >= 0) tail += "  " + formatDuration(std::max(1.0, std::round(eta))) + " left";
    tail += "  " + formatBytes(residentBytes());
    const int width = terminalWidth(STDERR_FILENO) - 1;
    std::string head = m_title;
    if (!what.empty()) head += ": " + std::string(what);
    const int64_t room = width - textWidth(tail) - 1;
    const int barWidth = int(std::clamp<int64_t>(room / 3, 0, 30));
    const int64_t headWidth = std::max<int64_t>(0, room - barWidth - 1);
    if (textWidth(head) > headWidth)
        head = std::string(firstColumns(head, std::max<int64_t>(0, headWidth - 1))) + "…";
    head.append(size_t(std::max<int64_t>(0, headWidth - textWidth(head))), ' ');
    return head + " " + bar(fraction, barWidth) + tail;
}

void installSignalHandlers() {
    struct sigaction action {};
    action.sa_handler = onSignal;
    sigemptyset(&action.sa_mask);
    // No SA_RESTART: a read of the keyboard must come back.
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    // A full disk or a file size limit is reported by the write that meets it.
    std::signal(SIGXFSZ, SIG_IGN);
}

bool interrupted() {
    return interrupts.load(std::memory_order_relaxed) > 0;
}

void clearInterrupt() {
    interrupts = 0;
}

std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view align,
                  bool header) {
    std::vector<int64_t> widths;
    for (const auto& row : rows)
        for (size_t i = 0; i < row.size(); ++i) {
            if (widths.size() <= i) widths.push_back(0);
            widths[i] = std::max(widths[i], textWidth(row[i]));
        }
    std::string text;
    for (size_t r = 0; r < rows.size(); ++r) {
        std::string line;
        for (size_t i = 0; i < rows[r].size(); ++i) {
            const std::string pad(size_t(widths[i] - textWidth(rows[r][i])), ' ');
            const bool right = i < align.size() && align[i] == 'r';
            if (i > 0) line += "  ";
            line += right ? pad + rows[r][i] : rows[r][i] + pad;
        }
        line.erase(line.find_last_not_of(' ') + 1);
        text += line + "\n";
        if (r == 0 && header) {
            std::string rule;
            for (size_t i = 0; i < widths.size(); ++i) {
                if (i > 0) rule += "  ";
                for (int64_t n = 0; n < widths[i]; ++n)
                    rule += "─";
            }
            text += rule + "\n";
        }
    }
    if (!text.empty()) text.pop_back();
    return text;
}

int64_t textWidth(std::string_view text) {
    return std::count_if(text.begin(), text.end(),
                         [](char c) { return (uint8_t(c) & 0xC0) != 0x80; });
}

std::string bar(double fraction, int width) {
    static constexpr const char* eighths[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    const auto filled = std::llround(std::clamp(fraction, 0.0, 1.0) * width * 8);
    std::string text;
    for (long long i = 0; i < filled / 8; ++i)
        text += "█";
    text += eighths[filled % 8];
    text.append(size_t(width - filled / 8 - (filled % 8 ? 1 : 0)), ' ');
    return text;
}

} // namespace bitloom::cli
