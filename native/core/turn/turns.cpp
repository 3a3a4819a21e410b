#include "core/turn/turns.h"

#include <algorithm>

namespace moss {

void Turns::add(int start) {
    starts_.erase(std::lower_bound(starts_.begin(), starts_.end(), start), starts_.end());
    starts_.push_back(start);
}

int Turns::take_last() {
    const int start = starts_.back();
    starts_.pop_back();
    return start;
}

int Turns::make_room(int64_t positions, int start) {
    const int64_t n_ctx = context_->n_ctx();
    if (!slide_ || positions <= n_ctx - start || positions > n_ctx) {
        return 0;
    }
    // The first turn that may stay.
    const auto least = static_cast<int32_t>(start - (n_ctx - positions));
    const auto kept = std::lower_bound(starts_.begin(), starts_.end(), least);
    const int end = kept == starts_.end() ? start : *kept;
    const int64_t count = kept - starts_.begin();
    remove(0, end);
    dropped_.turns += count;
    dropped_.positions += end;
    return end;
}

void Turns::remove(int begin, int end) {
    context_->remove(begin, end);
    starts_.erase(std::lower_bound(starts_.begin(), starts_.end(), begin),
                  std::lower_bound(starts_.begin(), starts_.end(), end));
    for (int32_t & start : starts_) {
        start -= start >= end ? end - begin : 0;
    }
}

} // namespace moss
