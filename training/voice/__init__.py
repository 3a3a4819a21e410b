"""nano's new voice: units to the features of the teacher's waveform generator, and that generator."""
