#include "device.h"

#include "../io/error.h"

namespace moss {

const Device & Device::cpu() {
    static const Device device = [] {
        ggml_backend_dev_t found = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
        if (found == nullptr) {
            throw MossError(code::internal, "no CPU backend is loaded");
        }
        return Device(found, true);
    }();
    return device;
}

} // namespace moss
