#pragma once

#include "addon/external_memory.h"
#include "addon/tasks.h"

namespace moss::addon {

/// `NativeModel` of lib/binding.ts.
class NativeModel : public Napi::ObjectWrap<NativeModel> {
  public:
    static Napi::Function define(Napi::Env env);
    static Napi::Object create(Napi::Env env, std::shared_ptr<const Model> model);
    explicit NativeModel(const Napi::CallbackInfo & info);
    ~NativeModel() override;

  private:
    /// Tags the objects that create() has made. Other objects with the same prototype are rejected.
    static const napi_type_tag tag;

    Napi::Value info(const Napi::CallbackInfo & info);
    Napi::Value create_session(const Napi::CallbackInfo & info);
    Napi::Value create_speech_detector(const Napi::CallbackInfo & info);
    Napi::Value measure_heads(const Napi::CallbackInfo & info);
    Napi::Value compare(const Napi::CallbackInfo & info);
    void dispose(const Napi::CallbackInfo & info);
    const std::shared_ptr<const Model> & model() const;

    /// Frees the model on another thread, when it is disposed of or garbage-collected.
    void close();

    std::shared_ptr<const Model> model_; // null when disposed
    ExternalMemory memory_;
};

/// The state of a session that its thread works on. The session itself is created, used and freed on that thread.
struct Conversation {
    std::shared_ptr<const Model> model;
    std::optional<uint64_t> seed;
    bool slide = false;
    std::optional<Session> session;
    /// The positions of a context, and how many had been dropped from it by then.
    struct Length {
        int positions = 0;
        int64_t dropped = 0;
    };
    Length length; ///< with the turns that have been read to their end; for the JavaScript thread
    std::atomic<int64_t> dropped_turns{0}, dropped_positions{0}; ///< because the context was full
    std::atomic<double> heard{0}; ///< seconds that the running encode() or transcribe() has heard
    std::atomic<size_t> bytes{0}; ///< memory that the session takes

    /// Runs `body(session)`, on the session's thread.
    template <class Body>
    auto use(Body && body) {
        if (!session) {
            session.emplace(model, seed, slide);
        }
        struct Measure {
            Conversation & self;
            ~Measure() {
                self.bytes = self.session->bytes();
                self.measure();
            }
        } measure{*this};
        return body(*session);
    }

    /// The session's length now, on its thread. Publishes what was dropped.
    Length measure() {
        const Dropped dropped = session->dropped();
        dropped_turns = dropped.turns;
        dropped_positions = dropped.positions;
        return {session->length(), dropped.positions};
    }
};

/// `NativeSession` of lib/binding.ts.
class NativeSession : public Napi::ObjectWrap<NativeSession> {
  public:
    static Napi::Function define(Napi::Env env);
    static Napi::Object create(Napi::Env env, std::shared_ptr<const Model> model, std::optional<uint64_t> seed,
                               bool slide);
    explicit NativeSession(const Napi::CallbackInfo & info);
    ~NativeSession() override;

  private:
    Napi::Value generate(const Napi::CallbackInfo & info);
    Napi::Value begin(const Napi::CallbackInfo & info);
    Napi::Value feed(const Napi::CallbackInfo & info);
    Napi::Value finish(const Napi::CallbackInfo & info);
    Napi::Value completeness(const Napi::CallbackInfo & info);
    Napi::Value shorten(const Napi::CallbackInfo & info);
    void abandon(const Napi::CallbackInfo & info);
    Napi::Value speak_units(const Napi::CallbackInfo & info);
    void append(const Napi::CallbackInfo & info);
    Napi::Value encode(const Napi::CallbackInfo & info);
    Napi::Value transcribe(const Napi::CallbackInfo & info);
    Napi::Value features(const Napi::CallbackInfo & info);
    Napi::Value undo(const Napi::CallbackInfo & info);
    Napi::Value recall(const Napi::CallbackInfo & info);
    Napi::Value snapshot(const Napi::CallbackInfo & info);
    Napi::Value restore(const Napi::CallbackInfo & info);
    Napi::Value read_context(const Napi::CallbackInfo & info);
    Napi::Value write_context(const Napi::CallbackInfo & info);
    Napi::Value length(const Napi::CallbackInfo & info);
    Napi::Value dropped_turns(const Napi::CallbackInfo & info);
    Napi::Value heard_seconds(const Napi::CallbackInfo & info);
    void cancel(const Napi::CallbackInfo & info);
    void reset(const Napi::CallbackInfo & info);
    void dispose(const Napi::CallbackInfo & info);

    /// Returns the conversation. Throws unless a task may begin.
    std::shared_ptr<Conversation> require_free() const;
    /// Converts arguments with `read(model info)`, and checks that the session is still free afterwards.
    template <class Read>
    auto arguments(Read && read) const {
        // A shared pointer, because a getter among the arguments may dispose of session and model.
        const std::shared_ptr<const Model> model = require_free()->model;
        auto result = read(model->info());
        require_free();
        return result;
    }
    Napi::Value promise(Napi::Env env, PromiseTask::Work work);
    /// A promise of undefined.
    Napi::Value done(Napi::Env env, std::function<void(Session &, CancelToken &)> work);
    /// The same for work that changes the length of the conversation.
    Napi::Value changed(Napi::Env env, std::function<void(Session &, CancelToken &)> work);
    /// `answer` computes a reply, and returns whether there is a turn to remember.
    Napi::Value reply(Napi::Env env, std::function<bool(Session &, const Receiver &, CancelToken &)> answer);
    /// Takes the samples that append() has collected for the next call.
    std::shared_ptr<std::vector<std::vector<float>>> take_appended();
    /// Returns a function that joins the appended samples and `last`. It is to be called on the session's thread.
    std::function<std::vector<float>()> speech(const Napi::Value & last);
    Progress progress() const;
    /// `finished` is called on the JavaScript thread when the end of the stream is read. `undo` runs after the work if
    /// the stream is cancelled before that.
    Napi::Value stream(Napi::Env env, StreamTask::Work work, std::function<void()> finished = nullptr,
                       const std::shared_ptr<Task> & undo = nullptr);
    Worker & worker(Napi::Env env);
    /// Queues a task. When it is over, V8 is told how much memory the session takes.
    void post(Napi::Env env, std::shared_ptr<Task> task);
    void close();

    std::shared_ptr<Conversation> conversation_; // null when disposed
    std::shared_ptr<Worker> worker_;             // null before the first task
    std::function<bool()> over_;                 // whether the last task is over
    std::weak_ptr<PromiseTask> promised_;        // the last task that promise() has made
    std::vector<std::vector<float>> appended_;   // for the next task
    std::shared_ptr<ExternalMemory> memory_ = std::make_shared<ExternalMemory>();
};

/// `NativeStream` of lib/binding.ts.
class NativeStream : public Napi::ObjectWrap<NativeStream> {
  public:
    static Napi::Function define(Napi::Env env);
    /// `cancelled` is called if the stream is cancelled or garbage-collected before its end was read.
    static Napi::Object create(Napi::Env env, std::shared_ptr<StreamTask> task, std::function<void()> cancelled);
    explicit NativeStream(const Napi::CallbackInfo & info);
    ~NativeStream() override;

  private:
    Napi::Value next(const Napi::CallbackInfo & info);
    void cancel(const Napi::CallbackInfo & info);
    void stop(const Napi::CallbackInfo & info);

    std::shared_ptr<StreamTask> task_;
    std::function<void()> cancelled_;
};

/// `NativeSpeechDetector` of lib/binding.ts.
class NativeSpeechDetector : public Napi::ObjectWrap<NativeSpeechDetector> {
  public:
    static Napi::Function define(Napi::Env env);
    /// Throws if the model has no voice activity network.
    static Napi::Object create(Napi::Env env, const std::shared_ptr<const Model> & model);
    explicit NativeSpeechDetector(const Napi::CallbackInfo & info);
    ~NativeSpeechDetector() override;

  private:
    Napi::Value push(const Napi::CallbackInfo & info);
    void dispose(const Napi::CallbackInfo & info);
    /// Frees the detector on its thread.
    void close();

    std::shared_ptr<std::optional<SpeechDetector>> detector_; // null when disposed
    std::shared_ptr<Worker> worker_;                          // null before the first samples
};

} // namespace moss::addon
