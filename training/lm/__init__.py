"""The half that answers: aligner and language model, over the frozen encoder."""
