"""What every training loop is made of: Muon, BF16 where the processor has it, batches from worker processes, checkpoints and averages of weights."""
