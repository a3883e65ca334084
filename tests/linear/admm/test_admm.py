from dataclasses import replace

import pytest
import torch

import latentlink as ll
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, SparsePrecoder
from latentlink.linear.admm.design import CONVERGED, DIVERGED, UNCONVERGED, Admm
from latentlink.linear.admm.dual_bound import power_multiplier
from latentlink.linear.admm.iteration import Iterate, project, solve, step
from latentlink.linear.admm.problem import Problem as AdmmProblem
from latentlink.power import Mean, OneUseAtATime, PerAntenna, PerMessage, PerUse
from oracles import Problem, channel, dense_pair, moments, normal, pairs, seeded

KNOWN = moments(1, 8, 7)
MODES = ll.semantic_modes(KNOWN, shrinkage=0.0)
CHANNELS = channel(2, 3, 3, batch=(2,))
SETS = {
    "mean": {"power": Mean()},
    "use": {"power": PerUse()},
    "antenna": {"power": PerAntenna()},
    "active": {"constraint": ActiveAntennas(2)},
    "sparse": {"constraint": SparsePrecoder(KNOWN, 9)},
    "modulus": {"constraint": ConstantModulus(KNOWN)},
}
every_set = pytest.mark.parametrize("limits", SETS.values(), ids=SETS)


def dense_iterations(problem, constraint, F, rho, iterations):
    """The module's updates with dense matrices, G formed and the Sylvester equation solved as one linear system; objectives of Z."""
    Z, U, objectives, d = F, torch.zeros_like(F), [], F.shape[1]
    for _ in range(iterations):
        M = problem.W @ problem.decoder(F) @ problem.H
        left = torch.kron(M.T @ M, problem.Rx) + rho * torch.eye(F.numel(), dtype=F.dtype)
        right = M.T @ problem.W @ problem.Ryx + rho * (Z - U)
        F = torch.linalg.solve(left, right.flatten()).unflatten(0, (-1, d))
        entries = torch.complex(*(F + U).tensor_split(2, 0)).unsqueeze(-3)
        Z = constraint.project(entries, torch.tensor(problem.budget, dtype=F.dtype), problem.Rx).squeeze(-3)
        Z = torch.cat([Z.real, Z.imag])
        U = U + F - Z
        objectives.append(problem.error(Z, problem.decoder(Z)))
    return torch.stack(objectives)


@pytest.mark.parametrize("name", ["sparse", "modulus"])
@pytest.mark.parametrize("goal", [None, ll.Goal(normal(3, 2, 7), fidelity=0.1)])
def test_iterations_in_the_latents_coordinates_are_those_of_dense_matrices(name, goal):
    modes = ll.semantic_modes(KNOWN, goal, shrinkage=0.1)
    admm = Admm(**SETS[name], max_iterations=15, tolerance=0.0)
    solution = admm.design(modes, CHANNELS[0])
    problem = AdmmProblem.of(modes, CHANNELS[0], KNOWN)
    start = admm.allowed.project(admm.start(modes, problem), CHANNELS[0].power, problem.covariance)
    dense = dense_iterations(
        Problem.of(KNOWN, CHANNELS[0], modes.weight, 0.1), admm.allowed, problem.matrix(start), float(solution.trace["rho"]), 15
    )
    torch.testing.assert_close(solution.trace["objective"], dense, rtol=1e-8, atol=0.0)


@pytest.mark.parametrize("name", ["mean", "antenna"])
def test_iterations_in_mode_coordinates_are_those_of_dense_matrices_on_white_inputs(name):
    admm = Admm(**SETS[name], max_iterations=15, tolerance=0.0)
    solution = admm.design(MODES, CHANNELS[0])
    problem, s = AdmmProblem.of(MODES, CHANNELS[0]), 6
    start = admm.allowed.project(admm.start(MODES, problem), CHANNELS[0].power)
    known = Problem.of(KNOWN, CHANNELS[0])
    white = Problem(torch.eye(s, dtype=torch.float64), MODES.synthesis[:, :s], *list(vars(known).values())[2:])
    dense = dense_iterations(white, admm.allowed, problem.matrix(start), float(solution.trace["rho"]), 15)
    torch.testing.assert_close(solution.trace["objective"], dense, rtol=1e-8, atol=0.0)
    torch.testing.assert_close(solution.trace["delivered"], dense.min(), rtol=1e-8, atol=0.0)


def test_one_step_is_the_four_updates_of_the_docstring():
    """On random states: F is stationary in its proximal problem with the LMMSE decoder of the last F, and Z and U are as written."""
    limits, problem = Admm().allowed, AdmmProblem.of(MODES, CHANNELS, KNOWN)
    now = Iterate(*(normal(seed, 2, 6, 8) for seed in (80, 81, 82)))
    rho = torch.tensor([0.3, 2.0], dtype=torch.float64)
    new = step(problem, limits, rho, now)
    F = new.F.clone().requires_grad_()
    proximal = torch.zeros((), dtype=torch.float64)
    for i in range(2):
        known = Problem.of(KNOWN, CHANNELS[i])
        proximal = proximal + known.error(F[i], known.decoder(now.F[i])) + rho[i] * (F[i] - now.Z[i] + now.U[i]).square().sum()
    (slope,) = torch.autograd.grad(proximal, F)
    torch.testing.assert_close(slope, torch.zeros_like(slope), atol=1e-8, rtol=0.0)
    torch.testing.assert_close(new.Z, project(problem, limits, new.F + now.U))
    torch.testing.assert_close(new.U, now.U + new.F - new.Z)


def test_residuals_are_those_of_the_iterates():
    """One iteration by hand, from Z = F, U = 0: r = ||F − Z||, s = ρ ||Z − Z'||."""
    admm = Admm(max_iterations=1, rho=0.2)
    trace = admm.design(MODES, CHANNELS[0]).trace
    problem = AdmmProblem.of(MODES, CHANNELS[0])
    F0, rho = problem.matrix(admm.start(MODES, problem)), trace["rho"]
    B, b = problem.lmmse(F0), torch.diag(problem.L)
    F = torch.linalg.solve((B * b) @ (B * b).mT + rho * torch.eye(6, dtype=torch.float64), B * b.square() + rho * F0)
    Z = F * min(1.0, float(F.norm().reciprocal()))
    torch.testing.assert_close(trace["primal_residual"][..., 0], (F - Z).norm())
    torch.testing.assert_close(trace["dual_residual"][..., 0], rho * (Z - F0).norm())


@every_set
@pytest.mark.parametrize("widely_linear", [True, False])
def test_a_batch_is_its_members(limits, widely_linear):
    modes = ll.semantic_modes(KNOWN, shrinkage=0.0, widely_linear=widely_linear)
    admm = Admm(**limits, max_iterations=25, adaptive=True)
    together, alone = admm.design(modes, CHANNELS), admm.design(modes, CHANNELS[1])
    assert together.trace["objective"].shape == (2, 25)
    for name in ("objective", "primal_residual", "dual_residual"):
        torch.testing.assert_close(together.trace[name][1], alone.trace[name], rtol=1e-5, atol=1e-9)
    torch.testing.assert_close(together.expected_mse[1], alone.expected_mse, rtol=1e-6, atol=0.0)
    assert together.status[1] == alone.status


@every_set
def test_expected_error_and_power_are_those_measured(limits):
    x, y = pairs(30, 30_000, 8, 7)
    known = ll.Moments.from_pairs(x, y)
    if isinstance(limits.get("constraint"), SparsePrecoder | ConstantModulus):
        limits = {"constraint": replace(limits["constraint"], moments=known)}
    for options in ({"shrinkage": 0.1}, {"shrinkage": 0.0, "widely_linear": False}):
        solution = Admm(**limits, max_iterations=30).design(ll.semantic_modes(known, **options), CHANNELS)
        s = solution.transceiver.encode(x)
        lost = (solution.transceiver.decode(CHANNELS.apply(s, seeded(31))) - y).square().sum(-1)
        assert ((lost.mean(-1) - solution.expected_mse).abs() <= 5 * lost.std(-1) / 30_000**0.5).all()
        torch.testing.assert_close(s.abs().square().sum((-2, -1)).mean(-1), solution.expected_power, rtol=1e-9, atol=0.0)


@every_set
@pytest.mark.parametrize("widely_linear", [True, False])
def test_links_are_saved_cast_and_matched_again(limits, widely_linear, tmp_path):
    modes = ll.semantic_modes(KNOWN, shrinkage=0.1, widely_linear=widely_linear)
    link = Admm(**limits, max_iterations=20).design(modes, CHANNELS).transceiver
    link.save(tmp_path / "link.safetensors")
    x, r = normal(40, 5, 8), torch.complex(normal(41, 2, 5, 1, 3), normal(42, 2, 5, 1, 3))
    loaded = ll.load(tmp_path / "link.safetensors")
    assert torch.equal(loaded.encode(x), link.encode(x))
    assert torch.equal(loaded.decode(r), link.decode(r))
    torch.testing.assert_close(link.matched_to(CHANNELS).decode(r), link.decode(r))
    small = link.to(torch.float32)
    assert small.encode(x).dtype == torch.complex64
    torch.testing.assert_close(small.decode(r).double(), link.decode(r), rtol=1e-3, atol=1e-3)
    assert type(link.power_limit) is type(loaded.power_limit) is type(limits.get("power", Mean()))


def test_odd_dimensions_in_complex_linear_latents_coordinates():
    known = moments(50, 7, 5)
    for widely_linear in (True, False):
        goal = ll.Goal(normal(51, 3, 5), fidelity=0.1)
        modes = ll.semantic_modes(known, goal, shrinkage=0.1, widely_linear=widely_linear)
        solution = Admm(constraint=SparsePrecoder(known, 8), max_iterations=150).design(modes, CHANNELS)
        F, G = dense_pair(solution.transceiver)
        for i in range(2):
            torch.testing.assert_close(solution.expected_mse[i], Problem.of(known, CHANNELS[i]).error(F[i], G[i]), rtol=1e-9, atol=0.0)
        assert (solution.trace["delivered"] >= solution.trace["bound"] * (1 - 1e-9)).all()
        assert (solution.trace["gap"] < 0.2).all()
        # all entries free: the latents' coordinates reach what mode coordinates do
        every = SparsePrecoder(known, 3 * (7 if widely_linear else 4))
        free = Admm(constraint=every, max_iterations=700, warm_start=True).design(modes, CHANNELS)
        assert (free.trace["gap"] < 0.01).all(), free.trace["gap"]


class TestStatus:
    def test_converged(self):
        low = channel(60, 2, 2, snr_db=-10.0, batch=(2,))
        solution = Admm(max_iterations=3000, tolerance=1e-5).design(MODES, low)
        assert (solution.status == CONVERGED.code).all()
        assert (solution.trace["iterations"] < 3000).all()
        steps = solution.trace["iterations"]
        assert solution.trace["objective"].shape[-1] == steps.max()
        first = int(steps.argmin())
        kept = solution.trace["objective"][first, int(steps[first]) - 1 :]
        assert (kept == kept[0]).all()  # frozen once converged

    def test_unconverged(self):
        solution = Admm(max_iterations=2).design(MODES, CHANNELS)
        assert (solution.status == UNCONVERGED.code).all()
        assert (solution.trace["iterations"] == 2).all()

    @pytest.mark.parametrize("rho", [1e3, 1e6])
    def test_a_large_penalty_does_not_pass_for_convergence(self, rho):
        """It holds F at Z and Z at the start: both residuals look small by any measure that grows with ρ."""
        low = channel(2, 4, 4, snr_db=0.0, batch=(4,))
        solution = Admm(rho=rho, tolerance=1e-4, max_iterations=200).design(MODES, low)
        far = solution.trace["gap"] > 0.05
        assert far.any()
        assert (solution.status[far] == UNCONVERGED.code).all()

    def test_diverged(self):
        solution = Admm(rho=0.01, max_iterations=200, tolerance=0.0).design(MODES, ll.Channel.from_snr(CHANNELS.h[:, 0], 20.0))
        assert (solution.status == DIVERGED.code).all()
        primal = solution.trace["primal_residual"]
        assert (primal[:, 150:].mean(-1) > primal[:, 50:100].mean(-1)).all()
        assert (solution.trace["delivered"] <= solution.trace["objective"].amin(-1)).all()
        assert (solution.trace["objective"][:, -1] > solution.trace["delivered"]).any()  # what is returned is not the last
        calm = Admm(rho=1.0, max_iterations=200, tolerance=0.0).design(MODES, ll.Channel.from_snr(CHANNELS.h[:, 0], 20.0))
        assert (calm.status == UNCONVERGED.code).all()

    def test_a_precoder_that_runs_away_is_stopped(self):
        admm = Admm(rho=1e-3)
        problem = AdmmProblem.of(MODES, CHANNELS)
        settings = {"rho": 1e-3, "adaptive": False, "max_iterations": 50, "tolerance": 1e-6, "runaway": 1.5}
        outcome = solve(problem, admm.allowed, admm.start(MODES, problem), power_multiplier(MODES, CHANNELS), **settings)
        assert outcome.standing.runaway.all()
        assert (outcome.standing.iterations < 50).all()
        assert (outcome.best.error <= outcome.history["objective"].amin(-1)).all()

    @every_set
    def test_nothing_to_send(self, limits):
        h = torch.stack([CHANNELS.h[0], 0 * CHANNELS.h[0], CHANNELS.h[0]])
        channels = ll.Channel(h, 0.1, torch.tensor([1.0, 1.0, 0.0]))
        solution = Admm(**limits, max_iterations=5).design(MODES, channels)
        assert (solution.status == ll.Status.NOTHING_TO_SEND.code).tolist()[::2] == [False, True]
        assert solution.status[1] == ll.Status.NOTHING_TO_SEND.code
        torch.testing.assert_close(solution.expected_mse[1:], KNOWN.cov_y.trace().expand(2))
        assert (solution.transceiver.encode(normal(1, 3, 8))[2] == 0).all()
        assert all(value.isfinite().all() for value in solution.trace.values())

    def test_no_modes(self):
        x, y = pairs(61, 50, 4, 3)
        empty = ll.semantic_modes(ll.Moments.from_pairs(x, torch.ones_like(y)))
        solution = Admm().design(empty, CHANNELS)
        assert (solution.status == ll.Status.NOTHING_TO_SEND.code).all()


def test_float32_designs_are_float32_and_close():
    modes = MODES.to(torch.float32)
    for limits in SETS.values():
        solution = Admm(**limits, max_iterations=20).design(modes, CHANNELS)
        assert solution.expected_mse.dtype == torch.float32
        precise = Admm(**limits, max_iterations=20).design(MODES, CHANNELS)
        torch.testing.assert_close(solution.expected_mse.double(), precise.expected_mse, rtol=0.1, atol=0.0)


def test_adapting_rho_rescues_a_poor_one():
    poor, adapted = (Admm(rho=1e-4, adaptive=adaptive, max_iterations=200).design(MODES, CHANNELS) for adaptive in (False, True))
    assert (adapted.trace["delivered"] < poor.trace["delivered"]).all()
    assert (adapted.trace["rho"] > 10 * poor.trace["rho"]).all()


def test_an_estimated_channel_counts_its_error_as_noise():
    known = ll.Channel(CHANNELS.h, CHANNELS.noise_variance, 1.0, error_variance=0.1)
    solution, exact = Admm(warm_start=True, max_iterations=1000).design(MODES, known), ll.ClosedForm().design(MODES, known)
    assert (solution.expected_mse >= exact.expected_mse * (1 - 1e-9)).all()
    torch.testing.assert_close(solution.expected_mse, exact.expected_mse, rtol=1e-4, atol=0.0)
    torch.testing.assert_close(solution.expected_mse, solution.trace["delivered"], rtol=1e-4, atol=0.0)


def test_designs_do_not_depend_on_units():
    """Latents, power and channel in other units: the same iterations."""
    x, y = pairs(70, 300, 6, 5)
    one = ll.Moments.from_pairs(x, y)
    other = ll.Moments.from_pairs(100 * x, 1e-3 * y)
    scaled = ll.Channel(CHANNELS.h * 50, CHANNELS.noise_variance * 2500 * 7, CHANNELS.power * 7)
    for make in (lambda known: None, lambda known: SparsePrecoder(known, 5)):
        first = Admm(constraint=make(one), max_iterations=20).design(ll.semantic_modes(one, shrinkage=0.0), CHANNELS)
        second = Admm(constraint=make(other), max_iterations=20).design(ll.semantic_modes(other, shrinkage=0.0), scaled)
        torch.testing.assert_close(second.trace["objective"], 1e-6 * first.trace["objective"], rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: Admm(power="total"), "power"),
        (lambda: Admm(power=Mean), "power"),
        (lambda: Admm(power=Mean(peak=2.0)), "design with ClosedForm"),
        (lambda: Admm(power=PerMessage()), "design with ClosedForm"),
        (lambda: Admm(power=OneUseAtATime()), "design with ClosedForm"),
        (lambda: Admm(constraint="total"), "constraint"),
        (lambda: Admm(constraint=ActiveAntennas), "constraint"),
        (lambda: Admm(power=PerUse(), constraint=ActiveAntennas(2)), r"power must be Mean\(\) where there is a constraint"),
        (lambda: Admm(seed=-1), "seed must be"),
        (lambda: Admm(rho=0.0), "rho must be"),
        (lambda: Admm(rho=float("nan")), "rho must be"),
        (lambda: Admm(max_iterations=0), "max_iterations must be"),
        (lambda: Admm(tolerance=-1.0), "tolerance must be"),
        (lambda: Admm().design(KNOWN, CHANNELS), "modes"),
        (lambda: Admm().design(MODES, CHANNELS.h), "channel"),
        (lambda: Admm(constraint=ActiveAntennas(4)).design(MODES, CHANNELS), "q must be at most"),
        (lambda: Admm(power=PerAntenna(limits=[1.0, 1.0])).design(MODES, CHANNELS), "limits must hold"),
        (lambda: Admm(constraint=ConstantModulus(moments(3, 5, 7))).design(MODES, CHANNELS), "moments of the constraint must have"),
        (lambda: Admm(constraint=ConstantModulus(moments(90, 8, 7))).design(MODES, CHANNELS), "must be those the modes were made of"),
        (lambda: Admm(constraint=SparsePrecoder(KNOWN, 25)).design(MODES, CHANNELS), "nonzeros must be at most"),
    ],
)
def test_bad_arguments_are_refused_by_name(call, named):
    with pytest.raises((ValueError, TypeError), match=named):
        call()
