import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from latentlink.latents.packing import pack, packed_covariance, real_embedding, unpack

SEEDS, DIMS = st.integers(0, 2**31), st.integers(1, 30)
BATCHES = st.sampled_from([(), (4,), (2, 3)])


def drawn(seed, *shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@given(SEEDS, DIMS, st.integers(1, 9), BATCHES)
def test_unpack_undoes_pack_and_padding_costs_no_energy(seed, dim, uses, batch):
    x = drawn(seed, *batch, dim)
    z = pack(x, uses)
    assert z.shape == (*batch, uses, -(-dim // (2 * uses)))
    torch.testing.assert_close(z.abs().square().sum((-2, -1)), x.square().sum(-1))
    assert torch.equal(unpack(z, dim), x)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5), BATCHES)
def test_pack_undoes_unpack(seed, uses, width, batch):
    z = drawn(seed, *batch, uses, width, dtype=torch.complex128)
    assert torch.equal(pack(unpack(z, 2 * uses * width), uses), z)


@given(SEEDS, DIMS, st.integers(1, 4))
def test_each_use_carries_its_own_stretch_first_half_real_second_imaginary(seed, dim, uses):
    x, z = drawn(seed, dim), pack(drawn(seed, dim), uses)
    padded = torch.cat([x, x.new_zeros(z.numel() * 2 - dim)])
    for u, stretch in enumerate(padded.chunk(uses)):
        assert torch.equal(torch.cat([z[u].real, z[u].imag]), stretch)


@given(SEEDS, st.integers(1, 5), st.integers(1, 5), BATCHES)
def test_the_real_embedding_acts_on_stacked_halves_as_the_complex_matrix(seed, rows, columns, batch):
    H = drawn(seed, *batch, rows, columns, dtype=torch.complex128)
    s = drawn(seed + 1, *batch, columns, dtype=torch.complex128)
    r = (H @ s.unsqueeze(-1)).squeeze(-1)
    stacked = real_embedding(H) @ torch.cat([s.real, s.imag], -1).unsqueeze(-1)
    torch.testing.assert_close(stacked.squeeze(-1), torch.cat([r.real, r.imag], -1))
    torch.testing.assert_close(real_embedding(H.mH), real_embedding(H).mT)


@given(SEEDS, st.integers(1, 6), st.integers(1, 6))
def test_the_packed_covariance_is_that_of_packed_latents(seed, a, b):
    x, y = drawn(seed, 50, a), drawn(seed + 1, 50, b)
    u, v = pack(x).squeeze(-2), pack(y).squeeze(-2)
    torch.testing.assert_close(packed_covariance(x.mT @ y / 50), u.mT @ v.conj() / 50)


def test_shapes_that_cannot_be_packed_latents_are_refused():
    z = drawn(0, 2, 3, dtype=torch.complex128)
    for dim in (-1, 0, 8, 13):
        with pytest.raises(ValueError, match=f"dim must .* 2 × 3 complex symbols, got {dim}"):
            unpack(z, dim)
    for uses in (0, -1):
        with pytest.raises(ValueError, match=f"uses must be an integer >= 1, got {uses}"):
            pack(drawn(0, 4), uses)
