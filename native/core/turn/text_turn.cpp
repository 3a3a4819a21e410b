#include "core/turn/text_turn.h"

#include <algorithm>

namespace moss {

namespace {

/// For each position of `ids`, the number of ids from there on that are also the first ones of `ids` (the Z function).
std::vector<size_t> matches_of_prefix(const std::vector<int32_t> & ids) {
    std::vector<size_t> matches(ids.size());
    size_t left = 0, right = 0; // the match that reaches furthest
    for (size_t i = 1; i < ids.size(); i++) {
        size_t count = i < right ? std::min(right - i, matches[i - left]) : 0;
        while (i + count < ids.size() && ids[count] == ids[i + count]) {
            count++;
        }
        if (i + count > right) {
            left = i;
            right = i + count;
        }
        matches[i] = count;
    }
    return matches;
}

} // namespace

TextTurn::TextTurn(const Model::Parts & parts, Runner & runner, TextContext context, const Request & request,
                   const Receiver & receiver, uint64_t seed)
    : parts_(parts), runner_(runner), context_(context), request_(request), receiver_(receiver),
      sampling_(request.sampling.value_or(parts.info.sampling)) {
    check();
    sampling_.seed = seed;
    find_kept();
}

/// Finds what of the cache the request goes on with.
void TextTurn::find_kept() {
    const std::vector<int32_t> & old = context_.ids;
    // The last id is always computed again, because the first id of the reply is sampled from its logits.
    const std::vector<int32_t> fresh(request_.text.begin(), request_.text.end() - 1);
    const auto end = old.begin() + static_cast<std::ptrdiff_t>(std::min(old.size(), fresh.size()));
    const auto differs = std::mismatch(old.begin(), end, fresh.begin());
    kept_ = static_cast<size_t>(differs.first - old.begin());
    if (!request_.shortened || kept_ == fresh.size()) {
        return;
    }
    // After the ids that differ come more that the cache holds too, further back.
    std::vector<int32_t> both(differs.second, fresh.end());
    const size_t first_old = both.size() + 1;
    both.push_back(-1); // no id, so that no match goes beyond it
    both.insert(both.end(), differs.first, old.end());
    const std::vector<size_t> matches = matches_of_prefix(both);
    const auto longest = std::max_element(matches.begin() + static_cast<std::ptrdiff_t>(first_old), matches.end());
    if (longest != matches.end() && *longest > 0) {
        gap_start_ = kept_;
        gap_ = static_cast<size_t>(longest - matches.begin()) - first_old;
        kept_ += *longest;
    }
}

void TextTurn::check() const {
    if (request_.output != Output::text) {
        throw MossError(code::unsupported, "this model has no voice: it can only reply in text");
    }
    if (request_.text.empty()) {
        throw MossError(code::invalid_argument, "the request has no text", {{"option", "text"}});
    }
    const int32_t vocabulary = parts_.lm->config().text_vocab_size;
    for (const int32_t id : request_.text) {
        if (id < 0 || id >= vocabulary) {
            throw MossError(code::invalid_argument, "text id " + std::to_string(id) + " is not in the vocabulary",
                            {{"option", "text"},
                             {"expected", "0 … " + std::to_string(vocabulary - 1)},
                             {"found", static_cast<double>(id)}});
        }
    }
    const auto reserve = static_cast<size_t>(std::max(1, std::min(parts_.reply_reserve(), request_.max_tokens)));
    const auto n_ctx = static_cast<size_t>(context_.turns.context().n_ctx());
    if (request_.text.size() > n_ctx - std::min(n_ctx, reserve)) {
        throw MossError(code::prompt_too_long,
                        context_.ids.empty()
                            ? "the text is longer than the model's context"
                            : "the conversation has filled the model's context: session.reset() empties it",
                        {{"positions", static_cast<double>(request_.text.size())},
                         {"free", static_cast<double>(n_ctx - context_.ids.size())},
                         {"context", static_cast<double>(n_ctx)}});
    }
}

void TextTurn::run() {
    Timings timings;
    LmLogits logits = clock_.measure(timings.prefill_ms, [&] { return prefill(); });
    timings.ready_ms = clock_.now();
    Sampler sampler(sampling_);
    FinishReason reason = FinishReason::max_tokens;
    for (int count = 0; count < request_.max_tokens; count++) {
        const int32_t id = sampler.sample(logits.text);
        if (std::find(request_.stop.begin(), request_.stop.end(), id) != request_.stop.end()) {
            reason = FinishReason::stop;
            break;
        }
        if (timings.first_audio_ms == 0) {
            timings.first_token_ms = timings.first_audio_ms = clock_.now();
        }
        Chunk chunk;
        chunk.text.push_back(id);
        clock_.pause([&] { receiver_(std::move(chunk)); });
        if (count + 1 == request_.max_tokens) {
            break;
        }
        if (context_.turns.context().length() == context_.turns.context().n_ctx()) {
            reason = FinishReason::context_length;
            break;
        }
        logits = clock_.measure(timings.lm_ms, [&] { return push(&id, 1); });
    }
    timings.total_ms = clock_.now();
    Chunk last;
    last.finish_reason = reason;
    last.timings = timings;
    clock_.pause([&] { receiver_(std::move(last)); });
}

/// Leaves what the request goes on with in the context, and appends the rest of it.
LmLogits TextTurn::prefill() {
    if (gap_ > 0) {
        const auto start = context_.ids.begin() + static_cast<std::ptrdiff_t>(gap_start_);
        context_.turns.remove(static_cast<int>(gap_start_), static_cast<int>(gap_start_ + gap_));
        context_.ids.erase(start, start + static_cast<std::ptrdiff_t>(gap_));
    }
    context_.turns.context().truncate(kept());
    context_.ids.resize(kept_);
    return push(request_.text.data() + kept_, request_.text.size() - kept_);
}

LmLogits TextTurn::push(const int32_t * ids, size_t count) {
    LmLogits logits = count == 1 ? parts_.steps->step(runner_, context_.turns.context(), ids[0], 0, Tails::text)
                                 : parts_.lm->push(runner_, context_.turns.context(), ids, nullptr,
                                                   static_cast<int>(count), Tails::text);
    context_.ids.insert(context_.ids.end(), ids, ids + count);
    return logits;
}

} // namespace moss
