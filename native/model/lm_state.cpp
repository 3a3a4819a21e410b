// What is done with keys and values besides attention: removal of positions, and copies for saved conversations.

#include "lm.h"
#include "rope_shift.h"

#include "ggml-backend.h"

#include <algorithm>

namespace moss {

namespace {

constexpr const char * no_position = "the positions are not in the context";

} // namespace

void Lm::State::remove(int begin, int end) {
    require_argument(begin >= 0 && begin <= end && end <= length_, no_position);
    if (end < length_ && begin < end) {
        std::vector<float> factors;
        if (lm_->rope_factors_ != nullptr) {
            factors.resize(static_cast<size_t>(ggml_nelements(lm_->rope_factors_)));
            ggml_backend_tensor_get(lm_->rope_factors_, factors.data(), 0, factors.size() * sizeof(float));
        }
        const int dim = lm_->config_.key_length;
        const RopeShift shift(lm_->config_.rope, factors, dim, begin - end);
        std::vector<float> key(static_cast<size_t>(dim)), value(key);
        for (size_t block = 0; block < lm_->blocks_.size(); block++) {
            const KvPlace & place = cache_.place(block);
            for (int from = end, to = begin; from < length_; from++, to++) {
                std::byte *page_from = page(from), *page_to = page(to);
                const int old_place = from % kv_page_positions, new_place = to % kv_page_positions;
                for (int head = 0; head < place.heads; head++) {
                    kv_read(place, page_from, old_place, head, key.data(), value.data());
                    shift.rotate(key.data());
                    kv_copy_value(place, page_from, old_place, page_to, new_place, head);
                    kv_write_key(place, page_to, new_place, head, key.data());
                }
            }
        }
    }
    truncate(length_ - (end - begin));
}

void Lm::State::extend(int length) {
    if (length > length_) {
        reserve(length - length_);
        length_ = length;
    }
}

size_t Lm::State::position_bytes(size_t block) const {
    const KvPlace & place = cache_.place(block);
    return static_cast<size_t>(place.heads * kv_stored_bytes(place));
}

std::vector<size_t> Lm::State::position_bytes() const {
    std::vector<size_t> bytes;
    for (size_t block = 0; block < lm_->blocks_.size(); block++) {
        bytes.push_back(position_bytes(block));
    }
    return bytes;
}

std::vector<uint8_t> Lm::State::read(size_t block, int begin, int count) const {
    require_argument(block < lm_->blocks_.size() && begin >= 0 && count >= 0 && count <= length_ - begin, no_position);
    const KvPlace & place = cache_.place(block);
    std::vector<uint8_t> bytes(static_cast<size_t>(count) * position_bytes(block));
    auto * to = reinterpret_cast<std::byte *>(bytes.data());
    for (int position = begin; position < begin + count; position++) {
        for (int head = 0; head < place.heads; head++, to += kv_stored_bytes(place)) {
            kv_load(place, page(position), position % kv_page_positions, head, to);
        }
    }
    return bytes;
}

void Lm::State::write(size_t block, int begin, const std::vector<uint8_t> & bytes) {
    require_argument(block < lm_->blocks_.size() && begin >= 0 && begin <= length_, no_position);
    const KvPlace & place = cache_.place(block);
    const size_t count = bytes.size() / position_bytes(block);
    require_argument(bytes.size() == count * position_bytes(block) && count <= static_cast<size_t>(length_ - begin),
                     no_position);
    const auto * from = reinterpret_cast<const std::byte *>(bytes.data());
    for (int position = begin; position < begin + static_cast<int>(count); position++) {
        for (int head = 0; head < place.heads; head++, from += kv_stored_bytes(place)) {
            kv_store(place, page(position), position % kv_page_positions, head, from);
        }
    }
}

} // namespace moss
