"""Moments of a schedule, as cron with five fields in UTC: minute, hour, day of the month, month, day of the week."""

import re
from datetime import UTC, datetime

from croniter import CroniterBadCronError, CroniterBadDateError, croniter

#: numbers and names; not what croniter knows besides: seconds, years, @daily, chance (H and R)
_FIELD = r"(?![HRhr]\b)[0-9A-Za-z*/,#-]+"
_FIELDS = re.compile(rf"{_FIELD}( {_FIELD}){{4}}")


def check_cron(schedule: str) -> None:
    """Raises ValueError for what is no schedule, and for one that never comes."""
    try:
        if not _FIELDS.fullmatch(schedule):
            raise CroniterBadCronError
        croniter(schedule, datetime(2026, 1, 1, tzinfo=UTC)).get_next()
    except (CroniterBadCronError, CroniterBadDateError):
        raise ValueError(
            f"{schedule!r} is not a schedule; write it as cron in UTC, such as 0 6 * * * for every morning"
        ) from None
