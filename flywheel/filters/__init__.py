"""One Filter per file."""

from flywheel.filters.no_consent import NoConsent
from flywheel.kinds import Filter, choice, discover
from flywheel.protection.policy import Policy

FILTERS = discover(__name__, Filter)
AnyFilter = choice(FILTERS)


def of_policy(policy: Policy) -> tuple[Filter, ...]:
    """The filters that a policy amounts to."""
    return (NoConsent(require=policy.require),) if policy.require else ()
