"""An alarm from a few scenes that both ends see: the receiver tells which class it decides for, and the transmitter counts agreements."""

import math
from dataclasses import dataclass

from latentlink.numerics.doors import integer, real
from latentlink.numerics.expectations import made_by
from latentlink.numerics.reprs import Summarised

_EDGE = 1e-6  # accuracies nearer to 0 or 1 cannot have been measured


@made_by("living.AgreementTest.of(pilots, accuracy)")
@dataclass(frozen=True)
class AgreementTest(Summarised):
    """A test on decision pilots, which also sees what no test on received latents can: classes that changed places.

    Attributes:
        pilots: n, number of decisions that are compared.
        accuracy: share of agreements while all is well.
        alarm_at_most: agreements, up to which there is an alarm.
        false_alarms: probability of an alarm while all is well, exactly.

    Example:
        >>> import latentlink as ll
        >>> test = ll.living.AgreementTest.of(pilots=25, accuracy=0.82)
        >>> test
        AgreementTest(pilots=25, accuracy=0.82, alarm_at_most=15, false_alarms=0.00...)
        >>> round(test.alarms_at(0.45), 2)  # probability of an alarm, where accuracy has fallen to 0.45
        0.96
    """

    pilots: int
    accuracy: float
    alarm_at_most: int
    false_alarms: float

    @classmethod
    def of(cls, pilots: int, accuracy: float, false_alarms: float = 0.01) -> "AgreementTest":
        """The test with the most alarms among those with at most so many false ones.

        Args:
            pilots: n, number of decisions that will be compared.
            accuracy: share of agreements while all is well, from 1e-6 to 1 − 1e-6, measured on pilots that the design has not seen.
            false_alarms: largest probability of a false alarm, in (0, 1).

        Raises:
            ValueError: an argument is out of its range, or so few pilots cannot raise an alarm that is so rarely false.
        """
        n = integer("pilots", pilots, most=10**6)
        p, most = real("accuracy", accuracy, least=_EDGE, most=1 - _EDGE), real("false_alarms", false_alarms, above=0.0, below=1.0)
        total, at_most = 0.0, -1
        while (further := total + _probability(n, at_most + 1, p)) <= most:
            total, at_most = further, at_most + 1
        if at_most < 0:
            needed = math.ceil(math.log(most) / math.log1p(-p))
            raise ValueError(f"pilots must be at least {needed} for an alarm that is false in at most {most:g} of cases, got {n}")
        return cls(n, p, at_most, total)

    def alarms_at(self, accuracy: float) -> float:
        """The probability of an alarm where the share of agreements is this, in [0, 1]; a ValueError if it is not there."""
        p = real("accuracy", accuracy, least=0.0, most=1.0)
        if p in (0.0, 1.0):
            return 1.0 if p == 0.0 or self.alarm_at_most == self.pilots else 0.0
        return min(1.0, math.fsum(_probability(self.pilots, count, p) for count in range(self.alarm_at_most + 1)))


def _probability(n: int, count: int, p: float) -> float:
    """The binomial probability of so many of n, p in (0, 1)."""
    ways = math.lgamma(n + 1) - math.lgamma(count + 1) - math.lgamma(n - count + 1)
    return math.exp(ways + count * math.log(p) + (n - count) * math.log1p(-p))
