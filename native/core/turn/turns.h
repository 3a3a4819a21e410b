#pragma once

#include "core/moss.h"
#include "model/lm.h"

#include <cstdint>
#include <vector>

namespace moss {

/// The finished turns of a conversation, oldest first, in the context that holds them.
class Turns {
  public:
    /// With `slide`, make_room() removes old turns.
    Turns(Lm::State & context, bool slide) : context_(&context), slide_(slide) {}

    Lm::State & context() const { return *context_; }

    /// The context's length before each turn.
    const std::vector<int32_t> & starts() const { return starts_; }

    /// The turn that begins at `start` is finished. Turns that have begun there or later are forgotten: they have been
    /// computed anew.
    void add(int start);

    /// Forgets the last turn, but not its positions, and returns its start. There must be one.
    int take_last();

    void clear() { starts_.clear(); }

    /// Makes room for a turn of `positions` positions that begins at `start`, and of which the context may hold a part:
    /// removes as many of the oldest turns as needed. Does nothing if all of them would not be enough. Returns the
    /// number of positions by which the turn has moved up. Throws out_of_memory without changing anything.
    int make_room(int64_t positions, int start);

    /// Removes positions from the context, and the turns that begin at them.
    void remove(int begin, int end);

    /// What make_room() has removed so far.
    Dropped dropped() const { return dropped_; }

  private:
    Lm::State * context_;
    bool slide_;
    std::vector<int32_t> starts_;
    Dropped dropped_;
};

} // namespace moss
