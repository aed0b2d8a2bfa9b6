"""The pieces of PromQL that several dashboards say alike."""

RATE = "[$__rate_interval]"


def quantile(
    share: float, histogram: str, selector: str = "", by: str = "", window: str = RATE
) -> str:
    """Return a quantile of a histogram, per group of the labels `by`."""
    groups = f"{by}, le" if by else "le"
    return (
        f"histogram_quantile({share}, sum by ({groups}) "
        f"(rate({histogram}_bucket{selector}{window})))"
    )
