// Makes allocations fail in a Node process, on chosen threads. The library is preloaded, so that its malloc replaces
// that of the whole process, and also loaded as an addon, with which JavaScript controls it:
//
//     mark(true)          // threads that start from now on are chosen
//     arm(passing, once)  // of what they allocate, so much passes; the next fails, or all that follow
//     disarm()            // gives how many allocations there were

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <node_api.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

void * __libc_malloc(size_t size);

// Node's queue to the JavaScript thread allocates this many bytes at every 64th call. Its failure is not tested,
// because only Node could handle it.
static const size_t of_node = 512;

static atomic_bool marking, armed;
static atomic_long seen;
static long first, last;
static _Thread_local int chosen;

void * malloc(size_t size) {
    if (chosen && armed && size != of_node) {
        const long index = seen++;
        if (index >= first && index <= last) {
            errno = ENOMEM;
            return NULL;
        }
    }
    return __libc_malloc(size);
}

struct start {
    void * (*routine)(void *);
    void * argument;
};

static void * begin(void * argument) {
    const struct start start = *(struct start *) argument;
    free(argument);
    chosen = 1;
    return start.routine(start.argument);
}

int pthread_create(pthread_t * thread, const pthread_attr_t * attributes, void * (*routine)(void *), void * argument) {
    int (*create)(pthread_t *, const pthread_attr_t *, void * (*) (void *), void *) = dlsym(RTLD_NEXT, "pthread_create");
    if (!marking) {
        return create(thread, attributes, routine, argument);
    }
    struct start * start = __libc_malloc(sizeof(*start));
    start->routine = routine;
    start->argument = argument;
    return create(thread, attributes, begin, start);
}

static napi_value mark(napi_env env, napi_callback_info info) {
    size_t count = 1;
    napi_value on;
    bool value = false;
    napi_get_cb_info(env, info, &count, &on, NULL, NULL);
    napi_get_value_bool(env, on, &value);
    marking = value;
    return NULL;
}

static napi_value arm(napi_env env, napi_callback_info info) {
    size_t count = 2;
    napi_value given[2];
    int64_t passing = 0;
    bool once = false;
    napi_get_cb_info(env, info, &count, given, NULL, NULL);
    napi_get_value_int64(env, given[0], &passing);
    napi_get_value_bool(env, given[1], &once);
    first = (long) passing;
    last = once ? first : __LONG_MAX__;
    seen = 0;
    armed = true;
    return NULL;
}

static napi_value disarm(napi_env env, napi_callback_info info) {
    (void) info;
    napi_value count;
    armed = false;
    napi_create_int64(env, seen, &count);
    return count;
}

napi_value napi_register_module_v1(napi_env env, napi_value exports) {
    napi_value function;
    napi_create_function(env, "mark", NAPI_AUTO_LENGTH, mark, NULL, &function);
    napi_set_named_property(env, exports, "mark", function);
    napi_create_function(env, "arm", NAPI_AUTO_LENGTH, arm, NULL, &function);
    napi_set_named_property(env, exports, "arm", function);
    napi_create_function(env, "disarm", NAPI_AUTO_LENGTH, disarm, NULL, &function);
    napi_set_named_property(env, exports, "disarm", function);
    return exports;
}
