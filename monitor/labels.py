"""Which features become labels of metrics: names are people's data, and series cost memory."""

OTHER = "other"
"""The label of everything beyond the cap, and of names that no schema declares."""

FEATURES_MAX = 200
"""Features that are labels by name."""
