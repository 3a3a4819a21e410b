// The keys and values of conversations, in pages of 64 positions.

#pragma once

#include "../kernels/cpu/kv_attention.h"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace moss {

/// The memory that the conversations of a model share for their keys and values. Safe to use from any thread.
class KvMemory {
  public:
    /// `limit` in bytes.
    explicit KvMemory(size_t limit = SIZE_MAX) : limit_(limit) {}

    /// Counts `bytes` more. Throws out_of_memory, which names the limit, if it would be exceeded.
    void take(size_t bytes);
    void give_back(size_t bytes) { used_ -= bytes; }

    size_t used() const { return used_; }

  private:
    const size_t limit_;
    std::atomic<size_t> used_{0};
};

/// The keys and values of one conversation in all transformer blocks. A page holds 64 positions of all blocks.
class KvCache {
  public:
    /// `heads` are those of the keys and values, by block, `dim` their size.
    KvCache(std::shared_ptr<KvMemory> memory, KvType type, const std::vector<int> & heads, int dim);
    KvCache(KvCache && other) noexcept = default;
    KvCache & operator=(KvCache &&) = delete;
    ~KvCache();

    /// Where the pages hold a transformer block.
    const KvPlace & place(size_t block) const { return places_[block]; }

    /// Has pages for at least `positions` positions. Throws out_of_memory, and then keeps the pages that it had.
    void reserve(int positions);

    /// Frees the pages that `positions` positions do not need.
    void shrink(int positions);

    /// Valid until the next call of reserve() or shrink().
    const PageMemory * pages() const { return pages_.data(); }

    size_t bytes() const { return pages_.size() * page_bytes_; }

  private:
    std::shared_ptr<KvMemory> memory_; // null after a move
    std::vector<KvPlace> places_;      // by block
    size_t page_bytes_ = 0;
    std::vector<PageMemory> pages_;
};

} // namespace moss
