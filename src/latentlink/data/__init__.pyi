from .cache import encode
from .datasets.cifar import cifar10
from .datasets.clip_art import clip_art
from .datasets.images import DatasetNotFound, ImageSet, digits, fashion_mnist
from .datasets.texts import TextSet, TitledImages
from .datasets.wordnet import wordnet
from .encoders.catalogue import encoder
from .encoders.image_encoder import Encoder, from_callable
from .encoders.small import small_digit_encoders
from .pairs import DevicePair, device_pair
from .readers.channels import read_channels
from .readers.images import read_images
from .readers.labels import read_labels
from .readers.latents import latent_shards, read_latents
from .readers.pairing import read_pairs
from .readers.writing import write_array
from .sharded.checkpoint import CheckpointError
from .sharded.evaluation import evaluate_shards
from .sharded.sample import sample_pairs
from .sharded.second_order import Marginal, marginal_of_shards, moments_of_shards

__all__ = [
    "CheckpointError",
    "DatasetNotFound",
    "DevicePair",
    "Encoder",
    "ImageSet",
    "Marginal",
    "TextSet",
    "TitledImages",
    "cifar10",
    "clip_art",
    "device_pair",
    "digits",
    "encode",
    "encoder",
    "evaluate_shards",
    "fashion_mnist",
    "from_callable",
    "latent_shards",
    "marginal_of_shards",
    "moments_of_shards",
    "read_channels",
    "read_images",
    "read_labels",
    "read_latents",
    "read_pairs",
    "sample_pairs",
    "small_digit_encoders",
    "wordnet",
    "write_array",
]
