"""Semantic MIMO links on devices, with NumPy and safetensors alone: read what `latentlink` saved, encode, decode, and design for a channel.

Rooms, each importing only those above it; read them in this order:

    artifacts   files: the digest that vouches for every byte, and what is refused
    numerics    the Gaussian error linear unit, water-filling
    channels    channels that a device knows, and the parallel streams that they offer
    tasks       the receiver's linear head
    linear      linear links and their design for a channel
    codec       the codec's networks, links and design for a channel
    feedback    what a receiver knows of the channel, as bytes, and the precoder that both ends make of them
    radio       OFDM frames of several antennas: waveform, header, synchronisation, estimation, tracking
    iq          sources and sinks of samples: memory, ZeroMQ, UDP, SigMF files, SoapySDR
    control     messages between both ends, sessions and keys
    serve       both ends and the air as processes, their metrics and their live page
"""

from latentlink_runtime.artifacts.artifact_file import ArtifactError
from latentlink_runtime.channels.channel import Channel
from latentlink_runtime.codec.design import CodecDesign
from latentlink_runtime.codec.link import CodecLink
from latentlink_runtime.linear.design import LinearDesign
from latentlink_runtime.linear.link import LinearLink
from latentlink_runtime.loading import load
from latentlink_runtime.tasks.head import Head

__all__ = ["ArtifactError", "Channel", "CodecDesign", "CodecLink", "Head", "LinearDesign", "LinearLink", "load"]
__version__ = "0.2.0"
