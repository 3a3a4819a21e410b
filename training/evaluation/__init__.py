"""The parts of `training.eval_nano`: what is asked, the turns through the library, how they are judged, and the report."""
