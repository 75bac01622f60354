"""Bounds on a hash that stand while the pool grows: a ladder of fixed rungs, finer the lower the hash.

What is drawn by the rank of a hash has its bound moved by every newcomer, and with it rows of every day come or go. A bound that
may only stand between two rungs stays where it is; what is then still to be drawn or given back is decided in one rung alone.
"""

import numpy as np
import polars as pl


def rungs(order: pl.Series, to_an_octave: int) -> pl.Series:
    """The rung of each hash (64 bits, as `stable_order` gives them), rising with it.

    `to_an_octave` (a power of two): rungs between one power of two and the next. So the hashes of one rung are at most
    1 / `to_an_octave` of those below it.
    """
    mantissa, exponent = np.frexp(order.to_numpy().astype(np.float64))
    step = np.floor(mantissa * (2 * to_an_octave)).astype(np.int64)
    return pl.Series("rung", exponent.astype(np.int64) * (2 * to_an_octave) + step)
