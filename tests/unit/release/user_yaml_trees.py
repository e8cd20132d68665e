"""Hypothesis strategies for what may stand in a user.yaml."""

from __future__ import annotations

from hypothesis import strategies as st

KEYS = st.text("abcxyz", min_size=1, max_size=4)
SCALARS = st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab :#'\"\n-{}é", max_size=8)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.dictionaries(KEYS, inner, max_size=4) | st.lists(inner, max_size=3),
    max_leaves=12,
)
