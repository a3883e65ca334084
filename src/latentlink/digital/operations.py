"""An estimate of the real operations that a digital link takes for a message.

Counted are real floating-point operations, as for all links (`links/operation_count.py`): centring and transform, the search of quantisers,
modulation, beams, bit log-likelihood ratios, belief propagation, and synthesis. Not counted are the range coder, LDPC encoding, CRC,
(de)interleaving and table look-ups, which work on bits and integers. Assumptions:

    transform code       each of the 16 offered steps weighs each coefficient by 10 operations (division, rounding, cost, error);
    vector quantiser     a stage of b bits takes inner products with 2^b codewords;
    demapper             of 2^b levels, 3 operations for a metric and 2 in each of b pairs of log-sum-exp, 3 for their difference;
    LDPC                 10 operations for each edge and iteration of sum-product decoding (φ twice at 3, two sums at 2); 6 iterations, as
                         nearly all blocks pass their CRC then, though those that fail take 30 more;
    short code           the correlation with all 2^B codewords of 32 bits.
"""

from latentlink.digital.coding.amplitudes import MOST_BITS
from latentlink.digital.coding.block import Block
from latentlink.digital.coding.block_code import ITERATIONS, SHORT_LENGTH, BlockCode
from latentlink.digital.source.latent_code import LatentCode
from latentlink.links.operation_count import COMPLEX_WEIGHT, REAL_WEIGHT, OperationCount

_STEP_SEARCH = 10  # for each coefficient and offered step of a transform code
_EDGE = 10  # for each edge and iteration of belief propagation


def count_operations(block: Block, code: LatentCode, latents: tuple[int, int], antennas: tuple[int, int], uses: int) -> OperationCount:
    """The operations for one message over one channel of (n_tx, n_rx) antennas, for latents of dimensions (d, m)."""
    d, m = latents
    n_tx, n_rx = antennas
    symbols = uses * min(antennas)
    k = code.reach(block.payload)
    transform = d + REAL_WEIGHT * k * d + k
    synthesis = k + REAL_WEIGHT * k * m + m
    modulation, scaling = 2 * symbols, 2 * symbols
    encode = transform + code.search_operations(block.payload, _STEP_SEARCH) + modulation + COMPLEX_WEIGHT * symbols * n_tx
    loaded = [(bits, int((block.bits == bits).sum())) for bits in range(1, MOST_BITS + 1)]
    demapping = sum(count * (3 * (1 << bits) + bits * (2 * (1 << bits) + 3)) for bits, count in loaded)
    decode = COMPLEX_WEIGHT * symbols * n_rx + scaling + demapping + _decoding(block) + synthesis
    return OperationCount(encode, decode)


def _decoding(block: Block) -> int:
    """Operations of the channel decoder."""
    code = block.code
    if code is None:
        return 0
    if isinstance(code, BlockCode):
        return _EDGE * code.edges * ITERATIONS[0]
    return REAL_WEIGHT * SHORT_LENGTH * (1 << block.payload)
