"""How shapes and types are checked in pytest: beartype, with integers taken where floats are asked for, as Python's typing has it."""

from beartype import BeartypeConf, beartype

checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
