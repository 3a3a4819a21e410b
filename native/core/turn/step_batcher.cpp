#include "core/turn/step_batcher.h"

#include <algorithm>
#include <utility>

namespace moss {

namespace {

constexpr size_t max_batch = 32; // conversations of one step; limits the memory of its graph

/// How long a step waits for the conversations of the last one, which are sampling their next ids: a part of the time
/// that the last step took, because a step for all is hardly longer than one for some of them.
constexpr int gather_part = 10;
constexpr std::chrono::milliseconds longest_gathering{3};

} // namespace

StepBatcher::StepBatcher(const Lm & lm, std::shared_ptr<ThreadPools> pools) : lm_(lm), runner_(std::move(pools)) {}

LmLogits StepBatcher::step(Runner & runner, Lm::State & state, int32_t text, int32_t audio, Tails tails) {
    Queue own;
    Wanted & mine = own.emplace_back(Wanted{{&state, text, audio}, tails});
    const auto place = own.begin();
    lm_.prepare(mine.next); // throws what concerns this conversation only
    {
        std::unique_lock<std::mutex> lock(mutex_);
        waiting_.splice(waiting_.end(), own);
        changed_.notify_all(); // another thread may be gathering
        changed_.wait(lock, [&] { return mine.done || !busy_; });
        while (!mine.done) {
            busy_ = true;
            gather(lock);
            Queue batch;
            take(batch);
            const size_t others = waiting_.size();
            lock.unlock();
            const Clock::time_point start = Clock::now();
            compute(batch, batch.size() == 1 && &batch.front() == &mine ? runner : runner_);
            lock.lock();
            last_ = Clock::now() - start;
            expected_ = batch.size() + std::max(others, waiting_.size());
            for (Wanted & wanted : batch) {
                wanted.done = true;
            }
            done_.splice(done_.end(), batch);
            busy_ = false;
            changed_.notify_all();
        }
        own.splice(own.end(), done_, place);
    }
    if (mine.error) {
        std::rethrow_exception(mine.error);
    }
    if (runner.cancel) {
        state.truncate(state.length() - 1);
        throw MossError(code::aborted, "cancelled");
    }
    return std::move(mine.logits);
}

/// Waits a little for the conversations that took part in the last step.
void StepBatcher::gather(std::unique_lock<std::mutex> & lock) {
    const Clock::duration patience = std::min<Clock::duration>(last_ / gather_part, longest_gathering);
    changed_.wait_for(lock, patience, [&] { return waiting_.size() >= std::min(expected_, max_batch); });
}

/// Takes those who wait for the same tails as the first one.
void StepBatcher::take(Queue & batch) {
    for (auto next = waiting_.begin(); next != waiting_.end() && batch.size() < max_batch;) {
        const auto wanted = next++;
        if (batch.empty() || wanted->tails == batch.front().tails) {
            batch.splice(batch.end(), waiting_, wanted);
        }
    }
}

void StepBatcher::compute(Queue & batch, Runner & runner) {
    try {
        std::vector<Lm::Next> next;
        for (const Wanted & wanted : batch) {
            next.push_back(wanted.next);
        }
        std::vector<LmLogits> logits = lm_.step(runner, next, batch.front().tails);
        auto each = logits.begin();
        for (Wanted & wanted : batch) {
            wanted.logits = std::move(*each++);
        }
    } catch (...) {
        for (Wanted & wanted : batch) {
            wanted.error = std::current_exception();
        }
    }
}

} // namespace moss
