// A small test runner, with one file for each subject:
//
//     TEST(conv_matches_reference) { CHECK(n == 3); CHECK_NEAR(y, 0.5, 1e-4); CHECK_THROWS(open_file("none")); }
//
// `moss_native_tests [part of a name]…` runs the tests whose names hold one of the parts (all without an argument) and
// ends with a line such as `12 passed, 0 failed, 1 skipped`. A test that calls SKIP("why") counts as skipped.

#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>

namespace moss::test {

struct Failure : std::runtime_error {
    using std::runtime_error::runtime_error;
};

struct Skipped : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Registers a test before main() runs.
struct Registration {
    Registration(const char * name, const char * file, void (*body)());
};

[[noreturn]] inline void fail(const char * file, int line, const std::string & what) {
    throw Failure(std::string(file) + ":" + std::to_string(line) + ": " + what);
}

} // namespace moss::test

#define TEST(name)                                                                                                     \
    static void test_##name();                                                                                         \
    static const ::moss::test::Registration registration_##name(#name, __FILE__, test_##name);                         \
    static void test_##name()

#define SKIP(why) throw ::moss::test::Skipped(why)

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            ::moss::test::fail(__FILE__, __LINE__, "CHECK(" #condition ")");                                           \
        }                                                                                                              \
    } while (false)

#define CHECK_EQ(actual, expected)                                                                                     \
    do {                                                                                                               \
        const auto & actual_value = (actual);                                                                          \
        const auto & expected_value = (expected);                                                                      \
        if (!(actual_value == expected_value)) {                                                                       \
            std::ostringstream text;                                                                                   \
            text << "CHECK_EQ(" #actual ", " #expected "): " << actual_value << " is not " << expected_value;          \
            ::moss::test::fail(__FILE__, __LINE__, text.str());                                                        \
        }                                                                                                              \
    } while (false)

/// Checks that |actual - expected| <= tolerance; NaN never passes.
#define CHECK_NEAR(actual, expected, tolerance)                                                                        \
    do {                                                                                                               \
        const double actual_value = static_cast<double>(actual);                                                       \
        const double expected_value = static_cast<double>(expected);                                                   \
        if (!(std::fabs(actual_value - expected_value) <= static_cast<double>(tolerance))) {                           \
            std::ostringstream text;                                                                                   \
            text << "CHECK_NEAR(" #actual ", " #expected ", " #tolerance "): " << actual_value << " against "          \
                 << expected_value;                                                                                    \
            ::moss::test::fail(__FILE__, __LINE__, text.str());                                                        \
        }                                                                                                              \
    } while (false)

/// Checks that the expression throws an std::exception.
#define CHECK_THROWS(expression)                                                                                       \
    do {                                                                                                               \
        bool threw = false;                                                                                            \
        try {                                                                                                          \
            (void) (expression);                                                                                       \
        } catch (const std::exception &) {                                                                             \
            threw = true;                                                                                              \
        }                                                                                                              \
        if (!threw) {                                                                                                  \
            ::moss::test::fail(__FILE__, __LINE__, "CHECK_THROWS(" #expression "): nothing thrown");                   \
        }                                                                                                              \
    } while (false)

/// Checks that the expression throws an std::exception whose what() contains `part`.
#define CHECK_THROWS_WITH(expression, part)                                                                            \
    do {                                                                                                               \
        std::string message = "(nothing thrown)";                                                                      \
        try {                                                                                                          \
            (void) (expression);                                                                                       \
        } catch (const std::exception & error) {                                                                       \
            message = error.what();                                                                                    \
        }                                                                                                              \
        if (message.find(part) == std::string::npos) {                                                                 \
            ::moss::test::fail(__FILE__, __LINE__, "CHECK_THROWS_WITH(" #expression "): " + message);                  \
        }                                                                                                              \
    } while (false)
