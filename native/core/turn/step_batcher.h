#pragma once

#include "model/lm.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <list>
#include <memory>
#include <mutex>

namespace moss {

/// Takes the steps of a model's conversations together (continuous batching). A conversation that wants its next
/// position waits while a step is computed, and is then part of the next one, with all others that wait: the linear
/// layers read their weights once for all of them. There is no thread of its own: one of the waiting threads computes
/// the step of all. Safe to use from any thread.
class StepBatcher {
  public:
    /// Throws out_of_memory.
    StepBatcher(const Lm & lm, std::shared_ptr<ThreadPools> pools);

    /// Appends one position to a conversation and returns its logits, which are those of Lm::push, bit for bit where
    /// the linear layers are ours, whatever the other conversations do. A conversation that is alone is computed on
    /// `runner`, whose cancel flag stops it at once; in a step with others, the flag is obeyed when the step is done,
    /// and the position is then not kept. Throws as Lm::push does.
    LmLogits step(Runner & runner, Lm::State & state, int32_t text, int32_t audio, Tails tails);

  private:
    using Clock = std::chrono::steady_clock;

    /// A conversation that waits for its step, or whose step has been computed.
    struct Wanted {
        Lm::Next next;
        Tails tails;
        bool done = false;
        LmLogits logits{};
        std::exception_ptr error = nullptr;
    };
    /// Elements move from list to list, so that nothing is allocated between threads, which could fail.
    using Queue = std::list<Wanted>;

    void gather(std::unique_lock<std::mutex> & lock);
    void take(Queue & batch);
    void compute(Queue & batch, Runner & runner);

    const Lm & lm_;
    Runner runner_;    // for steps of several conversations; nothing cancels it
    std::mutex mutex_; // guards the members below
    std::condition_variable changed_;
    Queue waiting_;          // in the order in which they came
    Queue done_;             // until their threads take them
    bool busy_ = false;      // whether a thread computes, or gathers conversations for a step
    size_t expected_ = 1;    // conversations that took part in the last step or waited during it
    Clock::duration last_{}; // how long the last step took
};

} // namespace moss
