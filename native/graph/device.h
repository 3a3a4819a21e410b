// Where a model computes.

#pragma once

#include "ggml-backend.h"

namespace moss {

/// A ggml device: what graphs run on, which memory tensors lie in, and whether our own kernels (kernels/cpu) can work
/// on that memory. All weights, states and thread pools of a model are made for the same device. A device lives as long
/// as the process.
class Device {
  public:
    /// The CPU. Throws `internal` when load_backends() has not been called.
    static const Device & cpu();

    /// The kind of memory in which tensors are allocated.
    ggml_backend_buffer_type_t buffer_type() const { return ggml_backend_dev_buffer_type(device_); }

    /// Whether our kernels can read and write that memory, so that layers are packed for them; else every layer is
    /// computed by ggml's own operations.
    bool runs_our_kernels() const { return runs_our_kernels_; }

    ggml_backend_dev_t get() const { return device_; }

  private:
    Device(ggml_backend_dev_t device, bool runs_our_kernels) : device_(device), runs_our_kernels_(runs_our_kernels) {}

    ggml_backend_dev_t device_;
    bool runs_our_kernels_;
};

} // namespace moss
