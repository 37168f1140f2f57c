"""The alarms of the year 2013 by default settings, nobody accepting anything, each judged by a person.

What a day was about is read off the data: cancelled flights, weather, timetables that stay. The keys are source and
month-day. ``test_year_of_alarms.py`` holds them against the code.
"""

from __future__ import annotations

from collections import Counter

CANCELLED = "flights cancelled in bad weather: times, delays and tail numbers are missing"
CLOCK = "the clocks change: an hour less or more to UTC"
TIMETABLE = "a new timetable, which stays"
REAL = {
    ("weather", "01-16"): "rain and snow after two dry weeks",
    ("flights", "01-25"): CANCELLED,
    ("flights", "01-28"): CANCELLED,
    ("flights", "01-30"): CANCELLED,
    ("flights", "01-31"): CANCELLED,
    ("flights", "02-01"): "every twelfth flight of EV is cancelled",
    ("flights", "02-03"): "every eleventh flight of EV is cancelled",
    ("flights", "02-08"): "the February snowstorm: half of the flights are cancelled",
    ("flights", "02-09"): "the February snowstorm: no flights before nine",
    ("flights", "02-10"): "the day after the snowstorm: flights of B6 and MQ cancelled",
    ("flights", "02-11"): "freezing rain: departures from JFK late all evening",
    ("flights", "02-26"): "flights of UA and AA cancelled",
    ("flights", "02-27"): "a quarter of all flights an hour late, flights of MQ and 9E cancelled",
    ("flights", "03-05"): "flights of UA cancelled",
    ("flights", "03-06"): "three of five flights of 9E are cancelled",
    ("flights", "03-07"): "snow: every tenth flight is cancelled",
    ("flights", "03-08"): "snow: late departures and arrivals of UA, DL and AA",
    ("flights", "03-10"): CLOCK,
    ("weather", "03-10"): CLOCK,
    ("flights", "03-12"): CANCELLED,
    ("flights", "03-25"): CANCELLED,
    ("flights", "04-02"): f"{TIMETABLE}: minutes of AA",
    ("flights", "04-10"): CANCELLED,
    ("flights", "04-12"): CANCELLED,
    ("flights", "04-16"): "every fifth flight of AA is cancelled",
    ("flights", "04-17"): "flights of AA and UA cancelled",
    ("flights", "04-18"): "flights of AA and UA cancelled",
    ("flights", "04-19"): CANCELLED,
    ("weather", "04-19"): "fog",
    ("flights", "04-22"): "flights of B6 cancelled",
    ("flights", "04-24"): "flights of B6 cancelled",
    ("flights", "05-08"): CANCELLED,
    ("weather", "05-08"): "heavy rain",
    ("flights", "05-11"): CANCELLED,
    ("weather", "05-11"): "fog at JFK",
    ("weather", "05-19"): "fog",
    ("flights", "05-22"): CANCELLED,
    ("flights", "05-23"): CANCELLED,
    ("weather", "05-23"): "fog at JFK",
    ("flights", "05-24"): CANCELLED,
    ("flights", "06-02"): CANCELLED,
    ("flights", "06-07"): "flights of B6 cancelled",
    ("weather", "06-07"): "heavy rain",
    ("flights", "06-12"): f"{TIMETABLE}: flight numbers of MQ",
    ("flights", "06-13"): CANCELLED,
    ("flights", "06-18"): CANCELLED,
    ("flights", "06-20"): f"{TIMETABLE}: flight numbers of B6",
    ("flights", "06-24"): CANCELLED,
    ("flights", "06-25"): CANCELLED,
    ("flights", "06-26"): CANCELLED,
    ("flights", "06-27"): CANCELLED,
    ("flights", "06-28"): CANCELLED,
    ("flights", "06-30"): CANCELLED,
    ("flights", "07-01"): CANCELLED,
    ("flights", "07-06"): "flights of UA without an arrival",
    ("flights", "07-08"): CANCELLED,
    ("flights", "07-10"): CANCELLED,
    ("flights", "07-11"): CANCELLED,
    ("flights", "07-22"): CANCELLED,
    ("flights", "07-23"): CANCELLED,
    ("weather", "07-25"): "a cold front: fifteen degrees colder than in the weeks before",
    ("flights", "09-02"): CANCELLED,
    ("flights", "09-03"): f"{TIMETABLE}: flight numbers of AA",
    ("flights", "09-11"): CANCELLED,
    ("flights", "09-12"): CANCELLED,
    ("flights", "09-19"): "flights of AA without an arrival",
    ("weather", "10-05"): "fog",
    ("flights", "10-07"): "thunderstorms: late and cancelled flights",
    ("flights", "10-10"): "flights of EV from EWR cancelled",
    ("flights", "10-11"): CANCELLED,
    ("weather", "10-23"): "a cold front: fifteen degrees colder than in the weeks before",
    ("flights", "11-01"): CANCELLED,
    ("flights", "11-03"): CLOCK,
    ("weather", "11-03"): CLOCK,
    ("weather", "11-04"): "pressure higher than in all of the four weeks before",
    ("flights", "11-07"): "flights to LGA turned away: heavy rain",
    ("flights", "11-17"): CANCELLED,
    ("weather", "11-17"): "fog",
    ("flights", "11-18"): CANCELLED,
    ("flights", "11-24"): CANCELLED,
    ("weather", "11-26"): "heavy rain",
    ("flights", "11-27"): CANCELLED,
    ("flights", "11-28"): "Thanksgiving's timetable",
    ("weather", "12-03"): "fog",
    ("flights", "12-05"): CANCELLED,
    ("flights", "12-06"): CANCELLED,
    ("weather", "12-06"): "heavy rain",
    ("flights", "12-07"): CANCELLED,
    ("flights", "12-08"): CANCELLED,
    ("flights", "12-09"): CANCELLED,
    ("flights", "12-10"): CANCELLED,
    ("flights", "12-14"): CANCELLED,
    ("flights", "12-15"): CANCELLED,
    ("flights", "12-17"): CANCELLED,
    ("weather", "12-29"): "heavy rain",
    ("flights", "12-31"): "flights of UA cancelled",
}
FALSE = {
    ("flights", "03-18"): "few evening arrivals, one day in March",
    ("flights", "04-27"): "longer in the air from JFK, just over the bound",
    ("flights", "06-10"): "hours of 9E, just over the bound",
    ("weather", "07-12"): "wind from one side all day",
    ("flights", "10-19"): "longer in the air than usual, just over the bound",
}
GOING_ON = {
    "flights": (
        "04-03",
        *("06-14", "06-15", "06-16", "06-17", "06-19", "06-21", "06-22", "06-23"),
        *("09-04", "09-05", "09-06", "09-07", "09-08", "09-09", "09-10"),
        *("11-04", "11-05", "11-06", "11-08", "11-09", "11-10", "11-11", "11-12"),
    ),
    "weather": ("10-06", "10-24", "10-25", "11-05", "11-18", "11-27", "12-04"),
}
"""The days on which a level that was told before stayed, and nothing new came: no alarms."""

_HOURS = "the last hours of the day were not observed"
REAL_SIZES = {
    ("flights", "05-26"): ("rows, bytes", "Memorial Day weekend"),
    ("flights", "07-04"): ("rows, bytes", "Independence Day"),
    ("flights", "07-05"): ("rows, bytes", "the day after Independence Day"),
    ("flights", "08-31"): ("rows, bytes", "Labor Day weekend"),
    ("flights", "09-01"): ("rows, bytes", "Labor Day weekend"),
    ("weather", "10-25"): ("rows", _HOURS),
    ("weather", "11-02"): ("rows, bytes", _HOURS),
    ("flights", "11-28"): ("rows, bytes", "Thanksgiving"),
    ("flights", "11-29"): ("rows, bytes", "the day after Thanksgiving"),
    ("flights", "11-30"): ("rows, bytes", "more flights than on other Saturdays: the way home after Thanksgiving"),
    ("flights", "12-21"): ("bytes", "more flights than on other Saturdays: the way home before Christmas"),
    ("flights", "12-24"): ("rows, bytes", "Christmas"),
    ("flights", "12-25"): ("rows, bytes", "Christmas"),
    ("flights", "12-28"): ("rows, bytes", "more flights than on other Saturdays: between Christmas and New Year"),
    ("weather", "12-30"): ("rows", _HOURS),
    ("flights", "12-31"): ("rows, bytes", "New Year's Eve"),
}
FALSE_SIZES = {("flights", "09-14"): ("rows", "Saturday after the summer, a single flight below the bound")}


def false_by_month() -> Counter[str]:
    """How many false alarms of any check there are in each month, by its two digits."""
    return Counter(day[:2] for _, day in (*FALSE, *FALSE_SIZES))
