import torch
from hypothesis import settings

torch.set_num_threads(1)  # the matrices are small: more threads wait for each other
settings.register_profile("laws", deadline=None, derandomize=True, database=None, max_examples=25)
settings.load_profile("laws")
