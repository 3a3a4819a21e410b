"""PyTorch twins of the networks in native/model: the same maths, the same stage names, the same tensor names."""
