"""What the designs gave for fixed seeds: one function a case, each returning its numbers by name.

Every name of the package that is used here is bound once, in the first section: a name that changes is changed there, as `new as old`.
What is asked of its objects is asked in the second section. Nothing below the line knows where anything lives.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from latentlink.baselines.alignment import LeastSquares, Procrustes, unaligned
from latentlink.baselines.equalisers import MmseEqualiser as MmseEqualizer
from latentlink.baselines.equalisers import SvdEqualiser as SvdEqualizer
from latentlink.baselines.equalisers import ZeroForcing
from latentlink.baselines.first_k_eigen_k import Disjoint as DisjointDesign
from latentlink.baselines.first_k_eigen_k import EigenK as EigenKDesign
from latentlink.baselines.first_k_eigen_k import FirstK as FirstKDesign
from latentlink.baselines.top_k import TopK as TopKDesign
from latentlink.bounds.accuracy import accuracy as accuracy_bound
from latentlink.bounds.capacity import capacity
from latentlink.bounds.finite_length import finite_length_bits, separation
from latentlink.bounds.opta import opta
from latentlink.bounds.per_antenna import per_antenna as per_antenna_bound

# ------------------------------------------------------------------------------------------------- names
from latentlink.budget import Flops as Operations
from latentlink.budget import Weights as Budget
from latentlink.channels.channel import Channel
from latentlink.channels.csi.ageing import age_channel as aged
from latentlink.channels.csi.ageing import age_estimate as outdated
from latentlink.channels.csi.estimation import least_squares_estimator, lmmse_estimator
from latentlink.channels.csi.feedback import feedback_bits, quantisation_variance
from latentlink.channels.csi.feedback import quantise_feedback as fed_back
from latentlink.channels.csi.statistics import SampledStatistics, ScatteringStatistics, doppler_hz
from latentlink.channels.draws import ChannelDraws
from latentlink.channels.fading import exponential_correlation, kronecker, rayleigh, rician
from latentlink.channels.link_budget import equalised_snr_db, link_budget_snr_db
from latentlink.channels.ofdm import ResourceElements
from latentlink.channels.snr import SnrDefinition, convert_snr
from latentlink.channels.tr38901.generate import generate as tr38901
from latentlink.channels.tr38901.model import Panel
from latentlink.digital.adaptation import BlockError, Genie
from latentlink.digital.design import AtReceiver, AtTransmitter
from latentlink.digital.design import Digital as DigitalDesign
from latentlink.evaluation.amplifier import Amplifier
from latentlink.evaluation.evaluate import evaluate
from latentlink.evaluation.papr import peaks
from latentlink.latents.moments import Moments
from latentlink.latents.packing import pack, real_embedding, unpack
from latentlink.latents.pilot_selection import PilotSelection
from latentlink.latents.pilots import Pilots
from latentlink.linear.admm.constraints import ActiveAntennas, ConstantModulus, SparsePrecoder
from latentlink.linear.admm.design import Admm
from latentlink.linear.csi_cases import BothEnds, Perfect, ReceiverOnly, Transmitter, TransmitterOnly, Unaware
from latentlink.linear.design import ClosedForm
from latentlink.linear.goal import Goal
from latentlink.linear.goal_choice import choose_goal
from latentlink.linear.held_out import held_out
from latentlink.linear.modes import semantic_modes
from latentlink.linear.robust.both_ends import Candidate
from latentlink.links.status import Status
from latentlink.links.transmit import transmit
from latentlink.neural.codec.examples import Augmentation
from latentlink.neural.codec.gate import Gate
from latentlink.neural.codec.training import CodecTraining
from latentlink.neural.paper.design import Neural
from latentlink.neural.paper.pruning import HardThreshold, SoftThreshold
from latentlink.power import Equal as EqualPower
from latentlink.power import Mean as MeanPower
from latentlink.power import OneUseAtATime, PerAntenna, PerMessage
from latentlink.power import PerUse as PerUsePower
from latentlink.tasks.heads import fit_head
from latentlink.tasks.metrics import accuracy, agreement, mse, nmse
from latentlink.tasks.objectives import Cosine, HeadDivergence, Regression, Retrieval

# ------------------------------------------------------------------------------------------------- objects
Values = dict[str, Tensor | list[str]]


def baseline(design):
    """The constructor of a baseline by position."""

    def made(k=None, *parts, **named):
        names = ("align", "aligner", "equaliser") if "align" in design.__dataclass_fields__ else ("aligner", "equaliser")
        named = {{"equalizer": "equaliser"}.get(name, name): value for name, value in named.items()}
        return design(k=k, **dict(zip(names, parts, strict=False)), **named)

    return made


Disjoint, EigenK, FirstK, TopK = (baseline(design) for design in (DisjointDesign, EigenKDesign, FirstKDesign, TopKDesign))


def Digital(align="transmitter", adaptation="bler"):
    """The digital design by words."""
    sides = {"transmitter": AtTransmitter(), "receiver": AtReceiver()}
    return DigitalDesign(alignment=sides[align], adaptation=BlockError() if adaptation == "bler" else Genie())


def solved(method, known, channel, *more):
    """The solution of a design, for what it knows of the latents."""
    if isinstance(method, TopKDesign):
        return replace(method, pilots=more[0] if more else None).design(known, channel)
    if isinstance(method, DigitalDesign) and more:
        return method.design(method.code(known, *more), channel)
    return method.design(known, channel, *more)


def facts(solution, x, r=None) -> Values:
    """All numbers of a solution: what is expected, how it ended, its trace, and what its transceiver does."""
    return {
        "expected_mse": solution.expected_mse,
        "expected_power": solution.expected_power,
        "status": [Status.of(int(code)).name.upper().replace(" ", "_") for code in solution.status.flatten()],
        **{f"trace.{name}": value for name, value in solution.trace.items()},
        **doings(solution.transceiver, x, r),
    }


def per_message(pilots):
    """The limit of each message, with the pilots that its decoder is refitted to."""
    return PerMessage(x=pilots.x, y=pilots.y)


CALLED = {BothEnds: "EstimateAtBothEnds", Transmitter: "EstimateAtTransmitter"}
NUMBERED = {Candidate.NAIVE: 0, Candidate.INFLATED: 1, Candidate.NOISIER: 2, Candidate.FEWER: 3}  # of the transmitter's candidates


def renumbered(csi, values: Values) -> Values:
    """The facts of a robust design, candidates by the numbers that they were kept under."""
    if isinstance(csi, Transmitter):
        values["trace.candidate"] = values["trace.candidate"].clone().apply_(lambda number: NUMBERED[Candidate(number)])
    return values


def used_link(csi, pilot_noise, gain, modes, known, truth, generator):
    """The link that is used on the truth, its receiver measuring in this noise where there is one."""
    solution = ClosedForm(csi=csi).design(modes, truth if isinstance(csi, Perfect) else known)
    received = None if pilot_noise is None else truth.estimated(pilot_noise, gain, generator)
    return csi.at_reception(solution, modes, truth, received).transceiver


def doings(link, x, r=None) -> Values:
    """What a transceiver sends of latents x, hears in a fixed r, and hears of x where there is no noise."""
    where = channel_of(link)
    s = link.encode(x)
    told = link.informed_by(x) if hasattr(link, "informed_by") else link
    r = complex_normal(900, *where.batch, len(x), where.uses, where.n_rx) if r is None else r
    return {
        "encoded": s,
        "decoded": told.decode(r),
        "heard": told.decode(Channel(where.h, 0.0).apply(s)),
    }


def operations(link) -> Tensor:
    """Real operations of a message at either end."""
    return torch.tensor([link.flops.encode, link.flops.decode])


def channel_of(link):
    """The channel that a transceiver is for."""
    return link.link.channel if hasattr(link, "link") and not hasattr(link, "channel") else link.channel


def held(modes) -> Values:
    """All numbers of semantic modes."""
    names = ("strength", "gram", "cross", "covariance", "variance", "weighted_variance")
    kept: Values = {name: getattr(modes, name) for name in names}
    for name in ("shrinkage", "plain_share"):
        kept[name] = number(getattr(modes, name))
    weight = {} if modes.task_weight is None else {"weighing": modes.task_weight.mT @ modes.task_weight}
    return {**kept, **weight, "aligned": modes.align(world().x[:3]), "analysis": modes.analysis, "synthesis": modes.synthesis}


def known_of(channel) -> Values:
    """All numbers of a batch of channels."""
    return {name: getattr(channel, name) for name in ("h", "noise_variance", "power", "error_variance")}


def rate(measured) -> Tensor:
    """A share with its interval."""
    return torch.tensor([measured.value, measured.low, measured.high, measured.count], dtype=torch.float64)


# ------------------------------------------------------------------------------------------------- the world
@dataclass(frozen=True)
class Case:
    """A function that returns numbers by name.

    Attributes:
        values: the function. single: whether it computes in float32, so that its numbers belong to the machine that they were kept on.
    """

    values: Callable[[], Values]
    single: bool = False


CASES: dict[str, Case] = {}


def case(function: Callable[[], Values]) -> Callable[[], Values]:
    CASES[function.__name__] = Case(function)
    return function


def single(function: Callable[[], Values]) -> Callable[[], Values]:
    CASES[function.__name__] = Case(function, single=True)
    return function


def gathered(groups: Mapping[str, Values]) -> Values:
    """The numbers of several things, each under its name."""
    return {f"{group}/{name}": value for group, values in groups.items() for name, value in values.items()}


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=seeded(seed))


def complex_normal(seed: int, *shape: int) -> Tensor:
    return torch.complex(normal(seed, *shape), normal(seed + 1, *shape))


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


D, M, CLASSES = 12, 9, 4


def pairs(seed: int, n: int):
    """Classes around centres, seen in two latent spaces with decaying spectra; x and y are linear in one cause but for a bend and noise."""
    labels = torch.randint(0, CLASSES, (n,), generator=seeded(seed))
    cause = 1.5 * normal(800, CLASSES, D)[labels] + normal(seed + 1, n, D) * 0.85 ** torch.arange(D, dtype=torch.float64)
    x = cause @ normal(801, D, D) + 0.3 * normal(seed + 2, n, D) + normal(802, D)
    y = (cause + 0.2 * cause.tanh()) @ normal(803, D, M) + 0.3 * normal(seed + 3, n, M) + normal(804, M)
    return Pilots(x, y, labels)


@cache
def world():
    return pairs(1, 200)


@cache
def unseen():
    return pairs(101, 120)


@cache
def moments():
    return Moments.from_pairs(world().x, world().y)


@cache
def head():
    """Decides for the nearest centre: no fit, whose last digits would be everywhere."""
    y, labels = world().y, world().labels
    centres = torch.stack([y[labels == c].mean(0) for c in range(CLASSES)])
    layer = torch.nn.Linear(M, CLASSES, dtype=torch.float64).requires_grad_(False)
    layer.weight.copy_(0.2 * centres)
    layer.bias.copy_(-0.1 * centres.square().sum(-1))
    return layer


@cache
def bent_head():
    """A head that is not affine."""
    layers = torch.nn.Sequential(torch.nn.Linear(M, 6), torch.nn.Tanh(), torch.nn.Linear(6, CLASSES)).double().requires_grad_(False)
    for i, parameter in enumerate(layers.parameters()):
        parameter.copy_(0.5 * normal(810 + i, *parameter.shape))
    return layers


@cache
def modes(widely_linear: bool = True, goal: str = "none", shrinkage: float | str = "auto"):
    goals = {"none": None, "fisher": Goal.fisher(head(), world().y, 3.0, 0.01), "weight": Goal(normal(820, 3, M), fidelity=0.1)}
    return semantic_modes(moments(), goals[goal], shrinkage, widely_linear)


def fading(seed: int, n_rx: int, n_tx: int, uses: int = 1, snr_db=12.0, batch: tuple[int, ...] = (2,), power: float = 1.0):
    """Uses that differ."""
    return Channel.from_grid(rayleigh(n_rx, n_tx, batch=(*batch, uses), generator=seeded(seed)), snr_db, power)


CHANNELS = {
    "one use": fading(11, 3, 2, snr_db=torch.tensor([20.0, 5.0]), power=2.0),
    "wide": fading(12, 2, 4),
    "block": fading(13, 2, 2).repeated(3),
    "grid": fading(14, 2, 2, 3),
    "dead and silent": Channel(fading(15, 2, 2, batch=(3,)).h * torch.tensor([1.0, 0.0, 1.0])[:, None, None, None], [0.1, 0.1, 0.0]),
}
X = world().x[:3]


# ------------------------------------------------------------------------------------------------- latents
@case
def second_moments() -> Values:
    x, y = world().x, world().y
    folded = Moments.from_pairs(x, y, folds=4)
    names = ("mean_x", "mean_y", "cov_x", "cov_yx", "cov_y")
    several = {"all": moments(), "folded": folded, "first fold": folded.folds[0], "without it": moments() - folded.folds[0]}
    several["merged"] = folded.folds[0] + folded.folds[2]
    return gathered({name: {part: getattr(of, part) for part in names} for name, of in several.items()})


@case
def packing() -> Values:
    packed = {f"{uses} uses": pack(X, uses) for uses in (1, 2, 5)}
    return {**packed, "back": unpack(packed["5 uses"], D), "embedded": real_embedding(complex_normal(20, 2, 3, 2))}


@case
def pilot_selection() -> Values:
    several = {
        f"{method} by {grouping}": PilotSelection(9, method, grouping, seed=3, if_short="all")
        for method in ("random", "centroid")
        for grouping in ("label", "cluster")
    }
    rows = {name: selection.indices(world().x, world().labels) for name, selection in several.items()}
    return {**rows, "all": PilotSelection("all").indices(world().x, world().labels)}


@case
def semantic_modes_of_moments() -> Values:
    return gathered(
        {
            "widely linear": held(modes()),
            "without shrinkage": held(modes(shrinkage=0.0)),
            "complex-linear": held(modes(widely_linear=False)),
            "for a goal": held(modes(goal="fisher")),
            "complex-linear for a goal": held(modes(widely_linear=False, goal="weight")),
            "first four": held(modes().truncated(4)),
            "few pilots": held(semantic_modes(Moments.from_pairs(world().x[:10], world().y[:10]))),
        }
    )


@case
def goals() -> Values:
    y, given = world().y, {}
    for name, of in (("affine", head()), ("bent", bent_head())):
        given[f"{name} logits"] = Goal.logits(of, y)
        given[f"{name} fisher"] = Goal.fisher(of, y, temperature=2.0)
    return {name: goal.weight.mT @ goal.weight for name, goal in given.items()}  # W itself only up to rotations


@case
def goal_choice() -> Values:
    choice = choose_goal(
        world().x, world().y, head(), labels=world().labels, streams=(2, 4), snr_db=(0.0, 20.0), folds=2, channels=2, seed=5
    )
    blind = choose_goal(world().x, world().y, head(), goals={"own": Goal(normal(820, 3, M))}, streams=(4,), snr_db=(10.0,), channels=2)
    return {
        "score": choice.score,
        "best": choice.best,
        "chosen": [choice.name_for(one) for one in CHANNELS.values()],
        **{f"strength.{name}": of.strength for name, of in choice.modes.items()},
        "score without labels": blind.score,
    }


# ------------------------------------------------------------------------------------------------- linear designs
@case
def closed_form() -> Values:
    known = {
        "widely linear": modes(),
        "without shrinkage": modes(shrinkage=0.0),
        "complex-linear": modes(widely_linear=False),
        "fisher": modes(goal="fisher"),
        "weight, complex-linear": modes(widely_linear=False, goal="weight"),
    }
    solutions = {f"{name}, {place}": solved(ClosedForm(), of, one) for name, of in known.items() for place, one in CHANNELS.items()}
    return gathered({name: facts(solution, X) for name, solution in solutions.items()})


def limited(channels: dict[str, Channel], powers: Mapping[str, object]) -> Values:
    several = {}
    for name, power in powers.items():
        for place, one in channels.items():
            for kind in (True, False):
                words = f"{name}, {place}{'' if kind else ', complex-linear'}"
                several[words] = facts(solved(ClosedForm(power=power), modes(widely_linear=kind), one), X)
    return gathered(several)


@case
def power_limits() -> Values:
    places = {name: CHANNELS[name] for name in ("block", "grid")}
    message = per_message(world())
    powers = {"mean": MeanPower(), "message": message, "equal": EqualPower(), "one use at a time": OneUseAtATime()}
    return limited(places, powers) | limited({"block": CHANNELS["block"]}, {"use": PerUsePower()})


@case
def power_limits_per_use() -> Values:
    stopped = solved(ClosedForm(power=PerUsePower(max_iterations=2)), modes(), CHANNELS["grid"])
    two = {"grid": fading(16, 1, 2, 2, batch=(1,))}
    return limited(two, {"use": PerUsePower()}) | gathered({"stopped": facts(stopped, X)})


@case
def estimates_in_the_closed_form() -> Values:
    several = {}
    for place, one in CHANNELS.items():
        if place == "dead and silent":
            continue
        estimate = one.estimated(0.2, generator=seeded(30))
        for name, of in (("", modes()), (", complex-linear", modes(widely_linear=False)), (", for a goal", modes(goal="fisher"))):
            for csi in (BothEnds(), Transmitter(draws=6, seed=2)):
                words = f"{CALLED[type(csi)]}, {place}{name}"
                several[words] = renumbered(csi, facts(solution := solved(ClosedForm(csi=csi), of, estimate), X))
                several[f"{words}, matched"] = doings(solution.transceiver.matched_to(one), X)
    estimate = CHANNELS["block"].estimated(0.2, generator=seeded(31))
    for name, power in (("use", PerUsePower()), ("equal", EqualPower()), ("message", per_message(world()))):
        several[f"limited per {name}"] = facts(solved(ClosedForm(power=power), modes(), estimate), X)
    return gathered(several)


@case
def matched_again() -> Values:
    link = solved(ClosedForm(), modes(goal="fisher"), CHANNELS["grid"]).transceiver
    other = fading(32, 3, 2, 3)
    several = {"exact": link.matched_to(other), "estimated": link.matched_to(other.estimated(0.1, generator=seeded(33)))}
    T, noise = several["exact"].response()
    elsewhere, more = link.response(fading(34, 2, 2, 3).estimated(0.1, generator=seeded(35)))
    values = gathered({name: doings(one, X) for name, one in several.items()})
    return {**values, "response": T, "noise": noise, "response elsewhere": elsewhere, "noise elsewhere": more}


@case
def csi_cases() -> Values:
    quick, correlated = Transmitter(draws=8), ReceiverOnly(correlation=exponential_correlation(3, 0.8))
    cases = {
        "perfect": (Perfect(), None, 1.0),
        "both ends": (BothEnds(), None, 1.0),
        "both ends, naive": (BothEnds(robust=False), None, 1.0),
        "transmitter": (quick, None, 1.0),
        "transmitter, naive": (Transmitter(robust=False), None, 1.0),
        "transmitter, measured": (quick, 0.05, 1.0),
        "transmitter, naive, measured": (Transmitter(robust=False), 0.05, 1.2),
        "receiver only": (ReceiverOnly(), None, 1.0),
        "receiver only, correlated": (correlated, None, 1.0),
        "receiver only, measured": (ReceiverOnly(gain=0.9), 0.05, 1.0),
        "transmitter only": (TransmitterOnly(draws=8, seed=1), None, 1.0),
        "none": (Unaware(), None, 1.0),
    }
    several = {}
    for place, truth in (("one use", fading(40, 2, 3)), ("grid", fading(41, 3, 3, 2))):
        known = truth.estimated(0.2, generator=seeded(42))
        several[f"known, {place}"] = known_of(known)
        several[f"taken for true, {place}"] = known_of(known.without_error())
        for name, of in cases.items():
            link = used_link(*of, modes(), known, truth, seeded(43))
            T, noise = link.response(truth)
            power = link.expected_power(modes().covariance)
            several[f"{name}, {place}"] = {**doings(link, X), "response": T, "noise": noise, "power": power}
    return gathered(several)


def constraints():
    return {
        "total": {"power": MeanPower()},
        "use": {"power": PerUsePower()},
        "antenna": {"power": PerAntenna()},
        "antenna limits": {"power": PerAntenna(limits=[0.2, 0.6, 0.1])},
        "active": {"constraint": ActiveAntennas(2)},
        "sparse": {"constraint": SparsePrecoder(moments(), 9)},
        "modulus": {"constraint": ConstantModulus(moments())},
    }


def by_admm(several) -> Values:
    return gathered({name: facts(solved(method, of, one), X) for name, (method, of, one) in several.items()})


@case
def admm() -> Values:
    one, two = fading(50, 3, 3), fading(51, 2, 3, 2)
    several = {}
    for name, constraint in constraints().items():
        several[name] = Admm(**constraint, max_iterations=10), modes(), one
        if name == "antenna limits":
            continue
        several[f"{name}, complex-linear"] = Admm(**constraint, max_iterations=6), modes(widely_linear=False), one
        several[f"{name}, two uses, adaptive"] = Admm(**constraint, rho=0.3, adaptive=True, max_iterations=22, seed=1), modes(), two
    return by_admm(several)


@case
def admm_from_warm_starts() -> Values:
    one = fading(50, 3, 3)
    several = {name: (Admm(**of, warm_start=True, max_iterations=8), modes(), one) for name, of in constraints().items()}
    several["for a goal"] = Admm(warm_start=True, max_iterations=8), modes(goal="fisher"), one
    several["estimated"] = Admm(max_iterations=8), modes(), one.estimated(0.1, generator=seeded(52))
    several["converged"] = Admm(max_iterations=200, tolerance=1e-3), modes(), fading(53, 2, 2, snr_db=-10.0)
    several["dead and silent"] = Admm(max_iterations=10), modes(), CHANNELS["dead and silent"]
    return by_admm(several)


@case
def bounds_per_antenna() -> Values:
    one = fading(54, 3, 3, 2)
    return {
        "even": per_antenna_bound(modes(), one),
        "limits": per_antenna_bound(modes(goal="fisher"), one, [0.2, 0.6, 0.1]),
        "prices": per_antenna_bound(modes(), one, multiplier=[0.5, 1.0, 0.2]),
        "complex-linear": per_antenna_bound(modes(widely_linear=False), one, 0.3),
    }


@case
def held_out_errors() -> Values:
    folded, several = Moments.from_pairs(world().x, world().y, folds=4), {}
    for place, one in CHANNELS.items():
        seen = held_out(folded, one)
        several[place] = {"mse": seen.mse, "power": seen.power, "calibrated": seen.calibrated(one).power}
    goal = Goal.fisher(head(), world().y, 3.0, 0.01)
    kept = {"goal": {"goal": goal, "splits": 2}, "complex-linear": {"shrinkage": 0.1, "widely_linear": False}}
    for name, options in kept.items():
        seen = held_out(folded, CHANNELS["block"], design=ClosedForm(power=PerUsePower()), **options)
        several[name] = {"mse": seen.mse, "power": seen.power}
    return gathered(several)


# ------------------------------------------------------------------------------------------------- baselines
ALIGNERS = {"least squares": LeastSquares(), "ridge": LeastSquares(0.1), "procrustes": Procrustes()}
EQUALIZERS = {"svd": SvdEqualizer(), "svd, zf": SvdEqualizer("zf"), "zf": ZeroForcing(), "mmse": MmseEqualizer()}


@case
def alignments() -> Values:
    fits = {name: aligner.fit(moments()) for name, aligner in ALIGNERS.items()}
    return gathered({name: {"matrix": fit.matrix, "covariance": fit.covariance} for name, fit in fits.items()})


@case
def disjoint() -> Values:
    several = {}
    for name, aligner in ALIGNERS.items():
        for carried, equalizer in EQUALIZERS.items():
            for place in ("one use", "grid"):
                several[f"{name}, {carried}, {place}"] = solved(Disjoint(None, aligner, equalizer), moments(), CHANNELS[place])
    several["three"] = solved(Disjoint(3), moments(), CHANNELS["dead and silent"])
    return gathered({name: facts(solution, X) for name, solution in several.items()})


@case
def first_and_eigen_k() -> Values:
    several = {"eigen": EigenK(), "eigen, three": EigenK(3, LeastSquares(0.1), MmseEqualizer())}
    for align in ("after", "before"):
        several[f"first, {align}"] = FirstK(align=align)
        several[f"first, three, {align}"] = FirstK(3, align, Procrustes(), ZeroForcing())
    places = ("one use", "wide", "grid", "dead and silent")
    solutions = {f"{name}, {place}": solved(method, moments(), CHANNELS[place]) for name, method in several.items() for place in places}
    return gathered({name: facts(solution, X) for name, solution in solutions.items()})


@case
def top_k() -> Values:
    several = {}
    for align in ("after", "before"):
        for place in ("one use", "grid"):
            several[f"{align}, {place}, pilots"] = solved(TopK(align=align), moments(), CHANNELS[place], world())
            several[f"{align}, {place}, x"] = solved(TopK(3, align, Procrustes()), moments(), CHANNELS[place], world().x)
    several["drawn"] = solved(TopK(2, equalizer=MmseEqualizer(), draws=256, seed=4), moments(), CHANNELS["wide"])
    values = gathered({name: facts(solution, X) for name, solution in several.items()})
    link = several["drawn"].transceiver
    later = TopK(2, equalizer=MmseEqualizer(), draws=256, seed=4).expected_mse(link, moments())
    return {**values, "side": torch.tensor([link.side_symbols, link.side_bits], dtype=torch.float64), "expected later": later}


def digital_link(align: str, adaptation: str) -> Values:
    method = Digital(align, adaptation)
    code, several = method.code(modes(), world()), {}
    x = unseen().x[:6]
    for place, one in (("one use", fading(60, 2, 2, snr_db=15.0)), ("block", fading(61, 2, 2, snr_db=12.0).repeated(4))):
        solution = solved(method, code, one)
        r = one.apply(solution.transceiver.encode(x), seeded(62))
        several[place] = {**facts(solution, x, r), "lost": solution.transceiver.lost(x, r)}
    return gathered(several)


@case
def digital() -> Values:
    return digital_link("transmitter", "bler")


@case
def digital_aligned_by_the_receiver() -> Values:
    return digital_link("receiver", "bler")


@case
def digital_by_a_genie() -> Values:
    return digital_link("transmitter", "genie")


# ------------------------------------------------------------------------------------------------- networks
@single
def neural() -> Values:
    small = {"hidden_tx": 8, "hidden_rx": 8, "epochs": 4, "batch_size": 64, "learning_rate": 5e-3, "precision": "float32", "seed": 1}
    several = {
        "dense": Neural(**small),
        "two layers": Neural(**{**small, "layers": 2}),
        "until it is trained": Neural(**{**small, "epochs": 12, "learning_rate": 0.1, "patience": 1}),
        "hard": Neural(**small, pruning=HardThreshold(40.0)),
        "soft": Neural(**small, pruning=SoftThreshold(10.0)),
        "share": Neural(**small, budget=Budget(0.3)),
        "operations": Neural(**small, budget=Operations(1500)),
    }
    one, two = fading(70, 2, 2, snr_db=20.0, batch=()), fading(71, 2, 2, 2, snr_db=20.0, batch=())
    solutions = {name: solved(method, world(), one) for name, method in several.items()}
    solutions["two uses"] = solved(several["dense"], world(), two)
    solutions["unaware"] = solved(several["dense"], world(), one.unaware())
    solutions["estimated"] = solved(several["dense"], world(), one.estimated(0.1, generator=seeded(72)))
    values = gathered({name: facts(solution, X) for name, solution in solutions.items()})
    counted = {f"operations, {name}": operations(solution.transceiver) for name, solution in solutions.items()}
    return {**values, **counted, "compacted": solutions["share"].transceiver.compacted().decode(complex_normal(73, 4, 1, 2))}


def codec_training(**changes):
    small = {
        "modes": 9, "width": 16, "layers": 2, "max_symbols": 4, "draws": ChannelDraws(antennas=(1, 2), uses=(1, 2)), "rounds": 3,
        "steps": 15, "channels": 6, "messages": 32, "learning_rate": 5e-3, "bank": (64, 16, 96), "precision": "float32", "margin": 0.0,
    }  # fmt: skip
    return CodecTraining(**{**small, **changes})


@single
def codec() -> Values:
    several = {
        "divergence": (codec_training(), HeadDivergence(head())),
        "bent head": (codec_training(rounds=1, folds=2), HeadDivergence(bent_head(), 2.0)),
        "each message": (codec_training(rounds=1, power=PerMessage()), Regression(bent_head(), 0.1)),
        "peak": (codec_training(rounds=1, power=MeanPower(peak=2.0), dropout=0.1, weight_decay=0.01), Cosine()),
        "budget": (codec_training(rounds=2, budget=Operations(2500), augmentation=Augmentation(mixed=0.3)), Retrieval()),
    }
    places = {"one use": fading(80, 2, 2, snr_db=8.0), "two uses": fading(81, 2, 2, 2, snr_db=15.0), "one antenna": fading(82, 1, 1)}
    values: Values = {}
    for name, (training, objective) in several.items():
        fit = training.fit(modes(goal="fisher"), world(), objective)
        chosen = places if name == "divergence" else {"two uses": places["two uses"]}
        values |= {f"{name}/trace.{word}": value for word, value in fit.trace.items()}
        values |= gathered({f"{name}, {place}": facts(solved_by(fit.codec, one), X) for place, one in chosen.items()})
        opened = solved_by(fit.codec.with_gate(Gate.always()), places["two uses"])  # what was learnt, also where it is no better
        values |= gathered({f"{name}, opened": facts(opened, X)})
        values[f"operations, {name}"] = operations(opened.transceiver)
    on = codec_training().untrained(modes(goal="fisher"), world())
    untrained = solved_by(on, places["two uses"])
    matched = untrained.transceiver.matched_to(fading(83, 2, 2, 2))
    return values | gathered({"untrained": facts(untrained, X), "matched": doings(matched, X)})


def solved_by(codec, channel):
    """A codec's solution: it knows the latents already."""
    return codec.design(channel)


# ------------------------------------------------------------------------------------------------- counted
@case
def operations_of_a_message() -> Values:
    linear = solved(ClosedForm(), modes(), CHANNELS["grid"]).transceiver
    selected = solved(TopK(), moments(), CHANNELS["grid"], world()).transceiver
    coded = solved(Digital(), modes(), fading(61, 2, 2, snr_db=12.0).repeated(4), world()).transceiver
    return {name: operations(link) for name, link in (("linear", linear), ("selected", selected), ("digital", coded))}


# ------------------------------------------------------------------------------------------------- limits
@case
def limits() -> Values:
    several = {}
    for place, one in CHANNELS.items():
        values = {"capacity": capacity(one), "bits at 0.1": finite_length_bits(one, 0.1), "bits at 1e-4": finite_length_bits(one, 1e-4)}
        for name, of in (("", modes(shrinkage=0.0)), (" for a goal", modes(goal="weight", shrinkage=0.0))):
            values[f"opta{name}"] = opta(of, one)
            values[f"separation{name}"] = separation(of, one)
        several[place] = values
    decided = head()(world().y).argmax(-1)
    bits = torch.tensor([0.0, 0.1, 0.5, 1.0, 2.0, torch.inf], dtype=torch.float64)
    wrong = torch.where(torch.rand(len(decided), generator=seeded(84)) < 0.3, (decided + 1) % CLASSES, decided)
    bound = accuracy_bound(bits, wrong, world().labels)
    return {**gathered(several), "accuracy": bound, "unaligned, cut": unaligned(X, 5), "unaligned, padded": unaligned(X, 15)}


# ------------------------------------------------------------------------------------------------- channels
@case
def fading_models() -> Values:
    tx, rx = exponential_correlation(3, 0.7), exponential_correlation(2, 0.4)
    drawn: Values = {
        "rayleigh": rayleigh(2, 3, 0.5, batch=(4,), generator=seeded(90)),
        "rician": rician(2, 3, 4.0, gain=0.5, batch=(4,), generator=seeded(91)),
        "line of sight": rician(2, 3, float("inf"), gain=1.0, batch=(2,), generator=seeded(92)),
        "kronecker": kronecker(rx, tx, 0.5, batch=(4,), generator=seeded(93)),
        "correlation": tx,
    }
    for model in ("rayleigh", "rician", "kronecker"):
        batches = ChannelDraws(antennas=(1, 2, 3), uses=(1, 2), model=model).draw(12, seeded(94))
        drawn |= gathered({f"{model}, batch {i}": known_of(batch) for i, batch in enumerate(batches)})
    return drawn


@case
def channels() -> Values:
    grid = CHANNELS["grid"]
    several = {
        **CHANNELS,
        "estimated": grid.estimated(0.3, gain=0.8, generator=seeded(95)),
        "block estimated": CHANNELS["block"].estimated(0.3, generator=seeded(96)),
        "unaware": CHANNELS["one use"].unaware(),
        "with power": grid.with_power(3.0),
        "repeated grid": grid.repeated(2),
    }
    values = gathered({name: known_of(one) for name, one in several.items()})
    s = complex_normal(97, 5, 3, 2)
    return {**values, "snr_db": several["dead and silent"].snr_db, "received": grid.apply(s, seeded(98))}


@case
def snr() -> Values:
    converted = {
        f"{source.name} to {target.name}": number(convert_snr(10.0, source, target, n_tx=2, gain=0.5, n_rx=3))
        for source in SnrDefinition
        for target in SnrDefinition
    }
    equalised = {f"{kind}, {place}": equalised_snr_db(CHANNELS[place], kind) for kind in ("zf", "mmse") for place in ("one use", "grid")}
    budget = torch.tensor([link_budget_snr_db(44.0, 20e6, 8), link_budget_snr_db(23.0, 1e6, 2, noise_figure_db=5.0)], dtype=torch.float64)
    return {**converted, **equalised, "wide, mmse": equalised_snr_db(CHANNELS["wide"], "mmse"), "link budget": budget}


@case
def statistics_and_estimators() -> Values:
    message, pilots = ResourceElements.over_frequency(4, 48, symbol=5), ResourceElements.comb(8, 48)
    doppler = doppler_hz(30.0, 3.5e9)
    together = message.union(pilots)
    spread = ScatteringStatistics(rms_delay_spread_s=300e-9, doppler_hz=doppler, gain=0.7)
    bank = kronecker(torch.eye(2), torch.eye(2), 1.0, batch=(40, len(together)), generator=seeded(110))
    known = {
        "spread": spread,
        "paths": ScatteringStatistics((0.0, 2e-7, 9e-7), (3.0, 1.0, 0.5), doppler_hz=doppler),
        "sampled": SampledStatistics.of(bank, together),
    }
    truth = Channel.from_grid(rayleigh(2, 2, batch=(2, 4), generator=seeded(111)), 15.0)
    at_pilots = rayleigh(2, 2, batch=(2, len(pilots)), generator=seeded(112))
    names, several = ("weights", "error_variance", "trust", "uncertainty"), {}
    for name, of in known.items():
        several[name] = {"covariance": of.covariance(message, pilots)}
        made = {
            "lmmse": lmmse_estimator(of, pilots, message, pilot_noise=[0.01, 0.2]),
            "least squares": least_squares_estimator(of, pilots, message, pilot_noise=0.1),
            "nearest": least_squares_estimator(of, pilots, message, pilot_noise=0.1, linear=False),
        }
        made["corrected"] = made["least squares"].corrected()
        for kind, estimator in made.items():
            numbers = {part: getattr(estimator, part) for part in names}
            several[f"{name}, {kind}"] = {**numbers, **known_of(estimator.known(truth, at_pilots, seeded(113)))}
    late = lmmse_estimator(spread, pilots, message.delayed(14), pilot_noise=0.05)
    several["late"] = {part: getattr(late, part) for part in names}
    return {**gathered(several), "doppler": number(doppler)}


@case
def ageing_and_feedback() -> Values:
    known = CHANNELS["grid"].estimated(0.1, generator=seeded(120))
    several = {"outdated": known_of(outdated(known, 2e-3, 8.0, carrier_hz=3.5e9, gain=0.9))}
    for place in ("one use", "wide", "block", "grid"):
        for bits in (3, 6):
            one = CHANNELS[place]
            heard = known_of(fed_back(one, bits, gain=1.1))
            spent = torch.tensor([feedback_bits(one, bits), quantisation_variance(one.n_rx, one.n_tx, bits)], dtype=torch.float64)
            several[f"{place}, {bits} bits"] = {**heard, "bits and variance": spent}
    return {
        **gathered(several),
        "aged": aged(rayleigh(2, 3, batch=(2,), generator=seeded(121)), 2e-3, 8.0, carrier_hz=3.5e9, generator=seeded(122)),
    }


@single
def channels_of_the_standard() -> Values:
    elements = ResourceElements.block(2, 2)

    def drawn(model: str, **settings):
        return tr38901(model, 2, 2, batch=3, elements=elements, seed=7, cache=False, **settings)

    return {
        "TDL-A": drawn("TDL-A", receive=Panel.linear(2, dual=False), transmit=Panel.linear(2, dual=False), correlation=(0.5, 0.2)),
        "CDL-C": drawn("CDL-C", normalisation="each", speed_mps=8.0, delay_spread_s=3e-7),
        "UMi": drawn("UMi", normalisation="path-loss", speed_mps=1.0),
    }


# ------------------------------------------------------------------------------------------------- tasks
@case
def heads() -> Values:
    usual, decayed = (fit_head(world().y, world().labels, weight_decay=decay) for decay in (1e-2, 1.0))
    return {"logits": usual(unseen().y)[:8], "decayed weight": decayed.weight, "decayed bias": decayed.bias}


@case
def metrics() -> Values:
    y, labels = unseen().y, unseen().labels
    y_hat = torch.stack([y + 0.5 * normal(130, *y.shape), y + 2.0 * normal(131, *y.shape)])
    seen = accuracy(head(), y_hat, labels)
    return {
        "accuracy": rate(seen.overall),
        **{f"accuracy of class {name}": rate(one) for name, one in seen.per_class.items()},
        "mean per class": number(seen.mean_per_class),
        "agreement": rate(agreement(head(), y_hat, y)),
        "mse": mse(y_hat, y),
        "nmse": nmse(y_hat, y),
    }


@case
def objectives() -> Values:
    several = {
        "divergence": HeadDivergence(head()),
        "divergence of a bent head": HeadDivergence(bent_head(), 2.0, 0.2),
        "latent": Regression(),
        "outputs": Regression(bent_head(), 0.1),
        "cosine": Cosine(),
        "retrieval": Retrieval(),
    }
    z, rows, values = normal(140, 2, 8, len(modes())), torch.arange(8), {}
    for name, objective in several.items():
        wanted = objective.wanted(world().y[:50], modes().synthesis, modes().mean_y)
        other = wanted.of(unseen().y[:50])
        values[name] = {"loss": wanted.loss(z, rows), "score": wanted.score(z, rows), "loss on others": other.loss(z, rows)}
    return gathered(values)


@case
def evaluation() -> Values:
    names = ("agreement", "mse", "nmse", "power", "peak_power", "antenna_power")
    links = {
        "exact": solved(ClosedForm(), modes(goal="fisher"), CHANNELS["grid"]).transceiver,
        "top": solved(TopK(3), moments(), CHANNELS["grid"], world()).transceiver,
    }
    several = {}
    for name, link in links.items():
        for reader, of in (("", head()), (", bent head", bent_head())):
            for amplifier in (None, Amplifier.above_mean(CHANNELS["grid"], 2.0)):
                words = f"{name}{reader}{'' if amplifier is None else ', clipped'}"
                seen = evaluate(
                    link,
                    unseen().x,
                    unseen().y,
                    channel=CHANNELS["grid"],
                    head=of,
                    labels=unseen().labels,
                    generator=seeded(150),
                    amplifier=amplifier,
                )
                classes = torch.stack([seen.per_class[c] for c in sorted(seen.per_class)])
                several[words] = {part: getattr(seen, part) for part in names} | {"accuracy": seen.accuracy, "per class": classes}
    sent = transmit(links["exact"], X, CHANNELS["grid"], generator=seeded(151))
    return {**gathered(several), "transmitted": sent}


@case
def peaks_and_amplifiers() -> Values:
    link, x = solved(ClosedForm(), modes(), CHANNELS["grid"]).transceiver, unseen().x
    amplifier = Amplifier.above_mean(CHANNELS["grid"], 3.0)
    several = {
        "symbols": peaks(link, x, exceeded=0.01),
        "highest": peaks(link, x, exceeded=0.0),
        "waveform": peaks(link, x, exceeded=0.01, subcarriers=24),
        "clipped": peaks(link, x, exceeded=0.01, amplifier=amplifier),
    }
    values = gathered({name: {"each": seen.antenna_papr_db, "highest": seen.papr_db} for name, seen in several.items()})
    return {**values, "cut": amplifier(link.encode(X))}
