"""Tests of the training code: `python -m pytest training/tests`, from the repository's root. Needs requirements-test.txt; what else a test lacks it says."""
