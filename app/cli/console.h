// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
#pragma once

#include "core/base/error.h"
#include "core/base/progress.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace bitloom::cli {

/// Keys stay in the order they were given: "event" first.
using Json = nlohmann::ordered_json;

/// Everything that the program says. Results go to stdout; progress, notes, warnings and errors to
/// stderr. With --json all of it goes to stdout, one object a line. Safe from several threads.
class Console {
public:
    void setMode(bool json, bool quiet);
    bool json() const { return m_json; }
    bool quiet() const { return m_quiet; }
    bool errTerminal() const { return m_errTerminal; }
    /// A person sits in front of both ends: questions may be asked.
    bool interactive() const { return m_inTerminal && m_outTerminal && !m_json; }
    int outWidth() const; ///< columns of the terminal on stdout; 80 if it is none

    /// Text for people: nothing with --json.
    void print(std::string_view line = {});
    void write(std::string_view text); ///< no newline, flushed at once
    /// What happens and why ("using the cached statistics …"); nothing with -q.
    void note(std::string_view text);
    void warn(std::string_view text);
    void error(const Error& error);
    /// One JSON line, with --json only.
    void event(const Json& object);
    /// The last line of a command: {"event":"result","command":…, fields…}.
    void result(std::string_view command, const Json& fields);

    /// The progress line at the bottom of a terminal; empty takes it away.
    void setStatusLine(const std::string& line);

private:
    void emit(const Json& object);
    void toStderr(std::string_view text);

    std::mutex m_mutex;
    bool m_json = false, m_quiet = false;
    bool m_inTerminal = false, m_outTerminal = false, m_errTerminal = false;
    std::string m_status;
};

/// What a job works through, for its rate: 192768 "tokens".
struct Work {
    double total = 0;
    std::string unit;
};

/// Progress of one job: a bar on a terminal, a line now and then in a log, JSON lines with --json,
/// nothing with -q. Cancelled by SIGINT or SIGTERM.
class JobProgress final : public Progress {
public:
    JobProgress(Console& console, std::string title, Work work = {});
    ~JobProgress() override; ///< takes the bar away
    void report(double fraction, std::string_view what) override;
    bool cancelled() const override;
    double seconds() const;

private:
    using Clock = std::chrono::steady_clock;
    std::string line(double fraction, std::string_view what, double rate, double eta) const;

    Console& m_console;
    std::string m_title;
    Work m_work;
    std::mutex m_mutex;
    Clock::time_point m_start = Clock::now(), m_shown{};
    bool m_anyShown = false;
    double m_lastFraction = -1;
    std::string m_lastWhat;
    std::deque<std::pair<Clock::time_point, double>> m_history; ///< of the last half minute
};

/// First SIGINT or SIGTERM: jobs are cancelled. Second: the process ends at once, with code 3.
void installSignalHandlers();
bool interrupted();
void clearInterrupt(); ///< in a chat, one answer was stopped, not the program

/// Rows of cells as aligned columns; columns whose letter in `align` is 'r' are set to the right.
std::string table(const std::vector<std::vector<std::string>>& rows, std::string_view align,
                  bool header = true);
/// Terminal columns that UTF-8 text takes, counting every character as one.
int64_t textWidth(std::string_view text);
/// "████▌   ": fraction of `width` columns.
std::string bar(double fraction, int width);

} // namespace bitloom::cli
