"""Units to a waveform: the VITS decoder of nano v0."""
