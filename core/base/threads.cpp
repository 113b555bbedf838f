// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Bitloom authors
//
// A pool of helpers that lives as long as the process. Decoding a token calls parallelFor some
// hundred times, with microseconds of work each: starting threads every time would cost more than
// the work. A job is worked on by its caller and by whichever helpers come by; the caller never
// waits for a helper that has not begun, so nested and concurrent calls cannot block one another.
#include "core/base/threads.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <limits>
#include <list>
#include <mutex>
#include <sched.h>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace bitloom {

namespace {

constexpr int maxHelpers = 1023;

struct Job {
    int64_t n, grain, blocks;
    const std::function<void(int64_t, int64_t)>& body;
    std::atomic<int64_t> next{0};
    std::atomic<bool> failed{false};
    std::exception_ptr error; // written once, by whoever set `failed`
    int wanted = 0;           // helpers that may still join; guarded by the pool's mutex
    std::atomic<int> active{0};

    void work() {
        for (;;) {
            const int64_t block = next.fetch_add(1, std::memory_order_relaxed);
            if (block >= blocks || failed.load(std::memory_order_relaxed)) return;
            const int64_t begin = block * grain;
            try {
                body(begin, begin + std::min(grain, n - begin));
            } catch (...) {
                if (!failed.exchange(true)) error = std::current_exception();
                return;
            }
        }
    }
};

void pauseCpu() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
}

// Waking a sleeping thread takes tens of microseconds; spinning about that long first saves the
// wake-up in a chain of short jobs and costs nothing noticeable otherwise.
constexpr int spins = 2000;

class Pool {
public:
    // Never destroyed: helpers may still sleep in it while the process exits.
    static Pool& instance() {
        static Pool& pool = *new Pool;
        return pool;
    }

    void run(Job& job, int helpers) {
        std::list<Job*>::iterator place;
        {
            const std::lock_guard lock(m_mutex);
            while (m_helpers < std::min(helpers, maxHelpers)) {
                try {
                    std::thread([this] { serve(); }).detach();
                } catch (const std::system_error&) {
                    break; // no more threads to be had: those that exist do the work
                }
                ++m_helpers;
            }
            job.wanted = helpers;
            place = m_jobs.insert(m_jobs.end(), &job);
            m_open.fetch_add(1, std::memory_order_release);
        }
        if (helpers == 1)
            m_wake.notify_one();
        else
            m_wake.notify_all();
        job.work();
        {
            const std::lock_guard lock(m_mutex);
            if (job.wanted > 0) m_open.fetch_sub(1, std::memory_order_relaxed);
            job.wanted = 0;
            m_jobs.erase(place);
        }
        for (int i = 0; i < spins; ++i) {
            if (job.active.load(std::memory_order_acquire) == 0) break;
            pauseCpu();
        }
        std::unique_lock lock(m_mutex); // also: no helper touches the job after this
        m_done.wait(lock, [&] { return job.active.load(std::memory_order_acquire) == 0; });
    }

private:
    void serve() {
        std::unique_lock lock(m_mutex, std::defer_lock);
        for (;;) {
            for (int i = 0; i < spins && m_open.load(std::memory_order_acquire) == 0; ++i)
                pauseCpu();
            lock.lock();
            Job* job = nullptr;
            m_wake.wait(lock, [&] { return (job = findJob()) != nullptr; });
            if (--job->wanted == 0) m_open.fetch_sub(1, std::memory_order_relaxed);
            job->active.fetch_add(1, std::memory_order_relaxed);
            lock.unlock();
            job->work();
            lock.lock();
            const bool last = job->active.fetch_sub(1, std::memory_order_release) == 1;
            lock.unlock();
            if (last) m_done.notify_all();
        }
    }

    Job* findJob() const {
        for (Job* job : m_jobs)
            if (job->wanted > 0 && job->next.load(std::memory_order_relaxed) < job->blocks)
                return job;
        return nullptr;
    }

    std::mutex m_mutex;
    std::condition_variable m_wake, m_done;
    std::list<Job*> m_jobs;
    std::atomic<int> m_open{0}; // jobs that still want helpers, for spinning without the mutex
    int m_helpers = 0;
};

int affinityCores() {
    // The kernel refuses a set smaller than its own; grow until it fits.
    for (int cores = 1024; cores <= (1 << 20); cores *= 2) {
        cpu_set_t* set = CPU_ALLOC(cores);
        if (!set) break;
        const size_t bytes = CPU_ALLOC_SIZE(cores);
        const bool known = sched_getaffinity(0, bytes, set) == 0;
        const int count = known ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (known) return std::max(count, 1);
    }
    return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

/// Quota in cores stated by the files of one control group; infinity without one.
double quotaOf(const std::filesystem::path& group) {
    const double none = std::numeric_limits<double>::infinity();
    double quota = 0, period = 0;
    if (std::ifstream v2(group / "cpu.max"); v2) {
        std::string text; // "max 100000" or "150000 100000"
        if (!(v2 >> text >> period) || text == "max") return none;
        quota = std::strtod(text.c_str(), nullptr);
    } else {
        std::ifstream quotaFile(group / "cpu.cfs_quota_us"),
            periodFile(group / "cpu.cfs_period_us");
        if (!(quotaFile >> quota) || !(periodFile >> period)) return none;
    }
    return quota > 0 && period > 0 ? quota / period : none;
}

/// The smallest quota of a group and all its parents up to the mount point.
double quotaUpwards(const std::filesystem::path& mount, std::string group) {
    double quota = quotaOf(mount);
    while (!group.empty() && group != "/") {
        quota = std::min(quota, quotaOf(mount / group.substr(1)));
        group.erase(group.rfind('/'));
    }
    return quota;
}

} // namespace

int cgroupCores(const std::filesystem::path& procCgroup, const std::filesystem::path& mount) {
    double quota = std::numeric_limits<double>::infinity();
    std::ifstream file(procCgroup);
    for (std::string line;
         std::getline(file, line);) { // "0::/user.slice", "4:cpu,cpuacct:/docker/…"
        const size_t first = line.find(':');
        const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
        if (second == std::string::npos || second + 1 >= line.size() || line[second + 1] != '/')
            continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const std::string group = line.substr(second + 1);
        if (controllers == ",,") {
            quota = std::min(quota, quotaUpwards(mount, group));
        } else if (controllers.find(",cpu,") != std::string::npos) {
            quota = std::min(quota, quotaUpwards(mount / "cpu", group));
            quota = std::min(quota, quotaUpwards(mount / "cpu,cpuacct", group));
        }
    }
    if (!std::isfinite(quota)) return 0;
    return static_cast<int>(std::clamp(std::ceil(quota), 1.0, 1e6));
}

int defaultThreads() {
    const int cores = affinityCores();
    const int quota = cgroupCores("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota > 0 ? std::min(cores, quota) : cores;
}

void parallelFor(int64_t n, int64_t grain, int threads,
                 const std::function<void(int64_t begin, int64_t end)>& body) {
    if (n <= 0) return;
    grain = std::clamp<int64_t>(grain, 1, n);
    Job job{.n = n, .grain = grain, .blocks = (n - 1) / grain + 1, .body = body, .error = {}};
    const auto helpers = static_cast<int>(std::min<int64_t>(std::max(threads, 1), job.blocks)) - 1;
    if (helpers == 0)
        job.work();
    else
        Pool::instance().run(job, helpers);
    if (job.error) std::rethrow_exception(job.error);
}

} // namespace bitloom
