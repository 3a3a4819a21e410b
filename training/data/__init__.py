"""Units, text, corpora and the speech that is made for training: what every stage learns from."""
