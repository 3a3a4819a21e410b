#include "kv_cache.h"

#include "../io/error.h"

#include <new>
#include <string>

namespace moss {

namespace {

size_t pages_for(int positions) {
    return (static_cast<size_t>(positions) + kv_page_positions - 1) / kv_page_positions;
}

} // namespace

void KvMemory::take(size_t bytes) {
    if (used_.fetch_add(bytes) + bytes <= limit_) {
        return;
    }
    used_ -= bytes;
    throw MossError(code::out_of_memory,
                    "the conversations of this model have filled the " + std::to_string(limit_ / 1'000'000) +
                        " MB that they may take: dispose of sessions that are no longer needed, or raise the option "
                        "kvCacheBytes",
                    {{"limit", static_cast<double>(limit_)}});
}

KvCache::KvCache(std::shared_ptr<KvMemory> memory, KvType type, const std::vector<int> & heads, int dim)
    : memory_(std::move(memory)) {
    int64_t offset = 0;
    for (const int count : heads) {
        const KvPlace & place = places_.emplace_back(KvPlace{type, count, dim, offset});
        offset += place.bytes();
    }
    page_bytes_ = static_cast<size_t>(offset);
}

KvCache::~KvCache() {
    shrink(0);
}

void KvCache::reserve(int positions) {
    const size_t count = pages_for(positions);
    pages_.reserve(count);
    while (pages_.size() < count) {
        memory_->take(page_bytes_);
        try {
            pages_.push_back(zeroed_pages(page_bytes_));
        } catch (const std::bad_alloc &) {
            memory_->give_back(page_bytes_);
            throw MossError(code::out_of_memory, "no memory for a longer conversation");
        }
    }
}

void KvCache::shrink(int positions) {
    while (pages_.size() > pages_for(positions)) {
        pages_.pop_back();
        memory_->give_back(page_bytes_);
    }
}

} // namespace moss
