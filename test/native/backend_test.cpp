#include "test.h"

#include "ggml-backend.h"

TEST(a_cpu_backend_is_loaded) {
    CHECK(ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU) != nullptr);
}
