#include "addon/wraps.h"

#include <algorithm>
#include <utility>

namespace moss::addon {

namespace {

/// Estimated memory of a session's thread, most of it the stack.
constexpr size_t thread_bytes = 256 << 10;

/// Tells V8 how much memory a session takes, on the JavaScript thread.
class MemoryNews : public Delivery {
  public:
    MemoryNews(std::shared_ptr<const Conversation> conversation, std::weak_ptr<ExternalMemory> memory)
        : conversation_(std::move(conversation)), memory_(std::move(memory)) {}

    void deliver(Napi::Env env) override {
        if (const auto told = memory_.lock()) {
            told->set(env, conversation_->bytes + thread_bytes);
        }
    }

  private:
    std::shared_ptr<const Conversation> conversation_;
    std::weak_ptr<ExternalMemory> memory_;
};

/// Concatenates all pieces and `last`. Each piece is freed as soon as it has been copied.
std::vector<float> joined(std::vector<std::vector<float>> pieces, std::vector<float> last) {
    if (pieces.empty()) {
        return last;
    }
    std::vector<float> all = std::move(pieces.front());
    pieces.push_back(std::move(last));
    for (size_t i = 1; i < pieces.size(); i++) {
        all.insert(all.end(), pieces[i].begin(), pieces[i].end());
        pieces[i] = {};
    }
    return all;
}

} // namespace

Napi::Function NativeSession::define(Napi::Env env) {
    return DefineClass(env, "NativeSession",
                       {InstanceMethod<&NativeSession::generate>("generate"),
                        InstanceMethod<&NativeSession::begin>("begin"),
                        InstanceMethod<&NativeSession::feed>("feed"),
                        InstanceMethod<&NativeSession::finish>("finish"),
                        InstanceMethod<&NativeSession::completeness>("completeness"),
                        InstanceMethod<&NativeSession::shorten>("shorten"),
                        InstanceMethod<&NativeSession::abandon>("abandon"),
                        InstanceMethod<&NativeSession::speak_units>("speakUnits"),
                        InstanceMethod<&NativeSession::append>("append"),
                        InstanceMethod<&NativeSession::encode>("encode"),
                        InstanceMethod<&NativeSession::transcribe>("transcribe"),
                        InstanceMethod<&NativeSession::features>("features"),
                        InstanceMethod<&NativeSession::undo>("undo"),
                        InstanceMethod<&NativeSession::recall>("recall"),
                        InstanceMethod<&NativeSession::snapshot>("snapshot"),
                        InstanceMethod<&NativeSession::restore>("restore"),
                        InstanceMethod<&NativeSession::read_context>("readContext"),
                        InstanceMethod<&NativeSession::write_context>("writeContext"),
                        InstanceMethod<&NativeSession::cancel>("cancel"),
                        InstanceMethod<&NativeSession::reset>("reset"),
                        InstanceMethod<&NativeSession::dispose>("dispose"),
                        InstanceAccessor<&NativeSession::length>("length"),
                        InstanceAccessor<&NativeSession::dropped_turns>("droppedTurns"),
                        InstanceAccessor<&NativeSession::heard_seconds>("heardSeconds")});
}

Napi::Object NativeSession::create(Napi::Env env, std::shared_ptr<const Model> model, std::optional<uint64_t> seed,
                                   bool slide) {
    Napi::Object object = AddonData::of(env).session_class.New({});
    auto conversation = std::make_shared<Conversation>();
    conversation->model = std::move(model);
    conversation->seed = seed;
    conversation->slide = slide;
    Unwrap(object)->conversation_ = std::move(conversation);
    return object;
}

NativeSession::NativeSession(const Napi::CallbackInfo & info) : ObjectWrap(info) {}

NativeSession::~NativeSession() {
    close(); // does not cancel the running task, because its promise or stream may still be in use
}

void NativeSession::close() {
    if (worker_) {
        // The session is freed on its thread, which may take a while to finish its task. The reference to the model
        // must be released there too, because streams that are not garbage-collected yet keep the conversation alive.
        worker_->post(std::make_shared<Errand>([conversation = conversation_] {
            conversation->session.reset();
            conversation->model.reset();
        }));
        worker_->close();
    }
    worker_.reset();
    conversation_.reset();
    if (memory_) {
        memory_->set(Env(), 0);
    }
    memory_.reset();
}

std::shared_ptr<Conversation> NativeSession::require_free() const {
    if (!conversation_) {
        throw MossError(code::disposed, "the session has been disposed of");
    }
    if (over_ && !over_()) {
        throw MossError(code::session_busy,
                        "the session is busy: read its stream to the end, cancel it, or use another session");
    }
    return conversation_;
}

/// Returns the session's thread, which is started when first needed. Throws out_of_threads without changing the
/// session.
Worker & NativeSession::worker(Napi::Env env) {
    if (!worker_) {
        worker_ = AddonData::of(env).new_worker();
    }
    return *worker_;
}

void NativeSession::post(Napi::Env env, std::shared_ptr<Task> task) {
    AddonData & data = AddonData::of(env);
    Worker & thread = worker(env);
    thread.post(std::move(task));
    thread.post(std::make_shared<Errand>(
        [&data, news = std::make_shared<MemoryNews>(conversation_, memory_)] { data.dispatcher.post(news); }));
}

Napi::Value NativeSession::promise(Napi::Env env, PromiseTask::Work work) {
    worker(env);
    const auto task = std::make_shared<PromiseTask>(env, std::move(work));
    over_ = [task] { return task->over(); };
    promised_ = task;
    post(env, task);
    return task->promise();
}

Napi::Value NativeSession::done(Napi::Env env, std::function<void(Session &, CancelToken &)> work) {
    return promise(env, [conversation = conversation_, work = std::move(work)](CancelToken & cancel) {
        conversation->use([&](Session & session) { work(session, cancel); });
        return [](Napi::Env of) -> Napi::Value { return of.Undefined(); };
    });
}

Napi::Value NativeSession::changed(Napi::Env env, std::function<void(Session &, CancelToken &)> work) {
    return promise(env, [conversation = conversation_, work = std::move(work)](CancelToken & cancel) {
        const Conversation::Length length = conversation->use([&](Session & session) {
            work(session, cancel);
            return conversation->measure();
        });
        return [conversation, length](Napi::Env of) -> Napi::Value {
            conversation->length = length;
            return of.Undefined();
        };
    });
}

Napi::Value NativeSession::stream(Napi::Env env, StreamTask::Work work, std::function<void()> finished,
                                  const std::shared_ptr<Task> & undo) {
    worker(env);
    const auto task = std::make_shared<StreamTask>(env, std::move(work), std::move(finished));
    over_ = [task] { return task->over(); };
    post(env, task);
    std::function<void()> cancelled = [] {};
    if (undo) {
        cancelled = [worker = worker_, undo] { worker->post(undo); };
    }
    return NativeStream::create(env, task, std::move(cancelled));
}

Napi::Value NativeSession::reply(Napi::Env env,
                                 std::function<bool(Session &, const Receiver &, CancelToken &)> answer) {
    const auto length = std::make_shared<Conversation::Length>(); // of the context after the turn
    const auto whole = std::make_shared<bool>(false); // for the session's thread: whether the session keeps the turn
    auto work = [conversation = conversation_, answer = std::move(answer), length, whole](const Receiver & receiver,
                                                                                          CancelToken & cancel) {
        conversation->use([&](Session & session) {
            const Receiver measuring = [&](Chunk && chunk) {
                *length = conversation->measure();
                receiver(std::move(chunk));
            };
            *whole = answer(session, measuring, cancel);
        });
    };
    // A turn counts once the end of its stream has been read. If the reader stops before that, the turn is undone, even
    // if it has been computed to its end.
    auto finished = [conversation = conversation_, length] { conversation->length = *length; };
    const auto undo = std::make_shared<Errand>([conversation = conversation_, whole] {
        if (*whole && conversation->session) {
            conversation->use([](Session & session) { session.undo(); });
        }
    });
    return stream(env, std::move(work), std::move(finished), undo);
}

Napi::Value NativeSession::generate(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const auto before = take_appended(); // taken first, so that a failing call discards the samples too
        const auto request =
            std::make_shared<Request>(arguments([&](const ModelInfo & model) { return to_request(info[0], model); }));
        return reply(info.Env(), [request, before](Session & session, const Receiver & receiver, CancelToken & cancel) {
            request->samples = joined(std::move(*before), std::move(request->samples));
            return session.generate(*request, receiver, cancel);
        });
    });
}

Napi::Value NativeSession::begin(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const auto request = std::make_shared<const Request>(
            arguments([&](const ModelInfo & model) { return to_request(info[0], model); }));
        return done(info.Env(),
                    [request](Session & session, CancelToken & cancel) { session.begin(*request, cancel); });
    });
}

Napi::Value NativeSession::feed(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        const auto samples = std::make_shared<const std::vector<float>>(to_samples(info[0], "samples"));
        return done(info.Env(), [samples](Session & session, CancelToken & cancel) { session.feed(*samples, cancel); });
    });
}

Napi::Value NativeSession::completeness(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        return promise(info.Env(), [conversation = conversation_](CancelToken & cancel) {
            float probability = 0;
            conversation->use([&](Session & session) { probability = session.completeness(cancel); });
            return [probability](Napi::Env env) -> Napi::Value { return Napi::Number::New(env, probability); };
        });
    });
}

Napi::Value NativeSession::finish(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        return reply(info.Env(), [](Session & session, const Receiver & receiver, CancelToken & cancel) {
            session.finish(receiver, cancel);
            return true;
        });
    });
}

Napi::Value NativeSession::shorten(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        const auto units = static_cast<size_t>(to_number(info[0], "units", 0, 1e9));
        std::optional<std::vector<int32_t>> text;
        if (!info[1].IsUndefined()) {
            text = to_ids(info[1], "textIds");
        }
        return promise(info.Env(), [conversation = conversation_, units, text = std::move(text)](CancelToken & cancel) {
            Conversation::Length length;
            const std::vector<int32_t> left = conversation->use([&](Session & session) {
                std::vector<int32_t> ids = session.shorten(units, text, cancel);
                length = conversation->measure();
                return ids;
            });
            return [conversation, length, left](Napi::Env env) -> Napi::Value {
                conversation->length = length;
                return to_js(env, left);
            };
        });
    });
}

void NativeSession::abandon(const Napi::CallbackInfo & info) {
    cancel(info);
    if (worker_) {
        worker_->post(std::make_shared<Errand>([conversation = conversation_] {
            if (conversation->session) {
                conversation->use([](Session & session) { session.abandon(); });
            }
        }));
    }
}

Napi::Value NativeSession::speak_units(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const auto units = std::make_shared<const std::vector<int32_t>>(to_ids(info[0], "units"));
        const auto given = arguments([&](const ModelInfo &) {
            const Napi::Object options = to_object(info[1], "options");
            return std::make_pair(to_speaking(options), to_prosody(options, units->size()));
        });
        auto work = [conversation = conversation_, units, given](const Receiver & receiver, CancelToken & cancel) {
            conversation->use(
                [&](Session & session) { session.speak(*units, given.first, receiver, cancel, given.second); });
        };
        return stream(info.Env(), std::move(work));
    });
}

void NativeSession::append(const Napi::CallbackInfo & info) {
    guarded(info.Env(), [&] {
        require_free();
        appended_.push_back(to_samples(info[0], "samples"));
    });
}

std::shared_ptr<std::vector<std::vector<float>>> NativeSession::take_appended() {
    return std::make_shared<std::vector<std::vector<float>>>(std::exchange(appended_, {}));
}

std::function<std::vector<float>()> NativeSession::speech(const Napi::Value & last) {
    const auto pieces = take_appended();
    const auto end = std::make_shared<std::vector<float>>(to_samples(last, "samples"));
    return [pieces, end] { return joined(std::move(*pieces), std::move(*end)); };
}

Napi::Value NativeSession::encode(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        return promise(info.Env(), [conversation = conversation_, speech = speech(info[0]),
                                    progress = progress()](CancelToken & cancel) {
            auto heard =
                conversation->use([&](Session & session) { return session.encode(speech(), cancel, progress); });
            return [heard = std::move(heard)](Napi::Env env) -> Napi::Value { return to_js(env, heard); };
        });
    });
}

Napi::Value NativeSession::transcribe(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        struct Arguments {
            std::function<std::vector<float>()> samples;
            Transcribing options;
        };
        const Arguments given = arguments([&](const ModelInfo & model) {
            auto samples = speech(info[0]); // taken first, so that a failing call discards the appended samples too
            return Arguments{std::move(samples), to_transcribing(to_object(info[1], "options"), model)};
        });
        return promise(info.Env(), [given, conversation = conversation_, progress = progress()](CancelToken & cancel) {
            auto transcript = conversation->use([&](Session & session) {
                return session.transcribe(given.samples(), given.options, cancel, progress);
            });
            return
                [transcript = std::move(transcript)](Napi::Env env) -> Napi::Value { return to_js(env, transcript); };
        });
    });
}

Napi::Value NativeSession::features(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        auto work = [conversation = conversation_, samples = speech(info[0])](const Receiver & receiver,
                                                                              CancelToken & cancel) {
            conversation->use([&](Session & session) { session.features(samples(), receiver, cancel); });
        };
        return stream(info.Env(), std::move(work));
    });
}

Napi::Value NativeSession::undo(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        return changed(info.Env(), [](Session & session, CancelToken & /*cancel*/) { session.undo(); });
    });
}

Napi::Value NativeSession::recall(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const PastTurn turn = arguments([&](const ModelInfo &) { return to_past_turn(info[0]); });
        return changed(info.Env(), [turn](Session & session, CancelToken & cancel) { session.recall(turn, cancel); });
    });
}

Napi::Value NativeSession::snapshot(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        return promise(info.Env(), [conversation = conversation_](CancelToken & /*cancel*/) {
            const auto snapshot = conversation->use([](Session & session) { return session.snapshot(); });
            return [snapshot](Napi::Env env) -> Napi::Value { return to_js(env, snapshot); };
        });
    });
}

Napi::Value NativeSession::restore(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        const Snapshot snapshot = arguments([&](const ModelInfo &) { return to_snapshot(info[0]); });
        return changed(info.Env(),
                       [snapshot](Session & session, CancelToken & /*cancel*/) { session.restore(snapshot); });
    });
}

Napi::Value NativeSession::read_context(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        const auto block = static_cast<size_t>(to_number(info[0], "block", 0, 1e6));
        const int begin = static_cast<int>(to_number(info[1], "begin", 0, 1e9));
        const int count = static_cast<int>(to_number(info[2], "count", 0, 1e9));
        return promise(info.Env(), [conversation = conversation_, block, begin, count](CancelToken & /*cancel*/) {
            auto bytes =
                conversation->use([&](Session & session) { return session.read_context(block, begin, count); });
            return [bytes = std::move(bytes)](Napi::Env env) -> Napi::Value { return to_js(env, bytes); };
        });
    });
}

Napi::Value NativeSession::write_context(const Napi::CallbackInfo & info) {
    return guarded(info.Env(), [&] {
        require_free();
        const auto block = static_cast<size_t>(to_number(info[0], "block", 0, 1e6));
        const int begin = static_cast<int>(to_number(info[1], "begin", 0, 1e9));
        const auto bytes = std::make_shared<const std::vector<uint8_t>>(to_bytes(info[2], "bytes"));
        return done(info.Env(), [block, begin, bytes](Session & session, CancelToken & /*cancel*/) {
            session.write_context(block, begin, *bytes);
        });
    });
}

/// Resets the heard seconds to 0 and returns a function that publishes them.
Progress NativeSession::progress() const {
    conversation_->heard = 0;
    return [conversation = conversation_](double seconds) { conversation->heard = seconds; };
}

Napi::Value NativeSession::heard_seconds(const Napi::CallbackInfo & info) {
    return Napi::Number::New(info.Env(), conversation_ ? conversation_->heard.load() : 0);
}

Napi::Value NativeSession::length(const Napi::CallbackInfo & info) {
    if (!conversation_) {
        return Napi::Number::New(info.Env(), 0);
    }
    // What was dropped since then belonged to these positions.
    const auto & [positions, dropped] = conversation_->length;
    const int64_t left = positions - (conversation_->dropped_positions - dropped);
    return Napi::Number::New(info.Env(), static_cast<double>(std::max<int64_t>(left, 0)));
}

Napi::Value NativeSession::dropped_turns(const Napi::CallbackInfo & info) {
    return Napi::Number::New(info.Env(), conversation_ ? static_cast<double>(conversation_->dropped_turns) : 0);
}

void NativeSession::cancel(const Napi::CallbackInfo & /*info*/) {
    appended_.clear();
    if (const auto task = promised_.lock()) {
        task->cancel();
    }
}

void NativeSession::reset(const Napi::CallbackInfo & info) {
    guarded(info.Env(), [&] {
        require_free();
        if (worker_) {
            conversation_->length = {};
            conversation_->length.dropped = conversation_->dropped_positions;
            worker_->post(std::make_shared<Errand>([conversation = conversation_] {
                if (conversation->session) {
                    conversation->use([](Session & session) { session.reset(); });
                }
            }));
        }
    });
}

void NativeSession::dispose(const Napi::CallbackInfo & /*info*/) {
    if (worker_) {
        worker_->cancel();
    }
    close();
}

} // namespace moss::addon
