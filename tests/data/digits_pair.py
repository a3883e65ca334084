"""The two small encoders of digits, trained once for all tests."""

from latentlink.data.datasets.images import digits
from latentlink.data.encoders.small import small_digit_encoders
from sharing import made_once


@made_once
def trained_pair():
    return small_digit_encoders(digits("train"))
