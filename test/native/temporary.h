#pragma once

#include <filesystem>
#include <random>
#include <string>

namespace moss::test {

/// A path in the system's folder for temporary files that no other run of the tests uses.
inline std::filesystem::path temporary_file(const std::string & name) {
    static const std::string run = std::to_string(std::random_device()());
    return std::filesystem::temp_directory_path() / ("moss-" + run + "-" + name);
}

} // namespace moss::test
