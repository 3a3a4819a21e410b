#include "core/turn/text_turn.h"

#include <algorithm>

namespace moss {

TextTurn::TextTurn(const Model::Parts & parts, Runner & runner, TextContext context, const Request & request,
                   const Receiver & receiver, uint64_t seed)
    : parts_(parts), runner_(runner), context_(context), request_(request), receiver_(receiver),
      sampling_(request.sampling.value_or(parts.info.sampling)) {
    check();
    sampling_.seed = seed;
    // The last id is always computed again, because the first id of the reply is sampled from its logits.
    const auto & old = context.ids;
    const auto end = old.begin() + static_cast<std::ptrdiff_t>(std::min(old.size(), request.text.size() - 1));
    kept_ = static_cast<size_t>(std::mismatch(old.begin(), end, request.text.begin()).first - old.begin());
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
    const auto n_ctx = static_cast<size_t>(context_.cache.n_ctx());
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
    context_.cache.truncate(kept());
    context_.ids.resize(kept_);
    LmLogits logits = clock_.measure(timings.prefill_ms,
                                     [&] { return push(request_.text.data() + kept_, request_.text.size() - kept_); });
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
        if (context_.cache.length() == context_.cache.n_ctx()) {
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

LmLogits TextTurn::push(const int32_t * ids, size_t count) {
    LmLogits logits =
        count == 1 ? parts_.steps->step(runner_, context_.cache, ids[0], 0, Tails::text)
                   : parts_.lm->push(runner_, context_.cache, ids, nullptr, static_cast<int>(count), Tails::text);
    context_.ids.insert(context_.ids.end(), ids, ids + count);
    return logits;
}

} // namespace moss
