-- One row per scheduled flight: when it was to leave and from when on its outcome is known, in New York wall time.
-- arr_time is a clock at the destination: with the destination's time zone it gives the moment of landing, as no flight
-- takes 24 hours. Where that cannot be told (no time zone on record, cancelled, diverted) the outcome counts 24 hours
-- after departure: later than true is safe, earlier would be leakage.
WITH timed AS (
    SELECT
        flights.*,
        time_hour + to_minutes(CAST(minute AS BIGINT)) AS sched_dep_utc,
        sched_dep_utc + to_minutes(CAST(coalesce(dep_delay, 0) AS BIGINT)) AS departed_utc,
        (departed_utc AT TIME ZONE 'UTC') AT TIME ZONE airports.tzone AS departed_at_destination,
        (arr_time // 100) * 60 + arr_time % 100 AS arr_minute,
        hour(departed_at_destination) * 60 + minute(departed_at_destination) AS dep_minute
    FROM flights
    LEFT JOIN airports ON airports.faa = flights.dest
),

known AS (
    SELECT
        *,
        CASE WHEN arr_delay IS NOT NULL THEN (arr_minute - dep_minute + 1440) % 1440 END AS minutes_to_landing,
        departed_utc + to_minutes(CAST(coalesce(minutes_to_landing, 1440) AS BIGINT)) AS known_utc
    FROM timed
)

SELECT
    batch,
    strftime(make_date(year, month, day), '%Y-%m-%d') || '-' || carrier || flight || '-' || origin AS id,
    (sched_dep_utc AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York' AS event_time,
    (known_utc AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York' AS outcome_known_at,
    CAST(outcome_known_at AS DATE) AS known_on,
    carrier,
    CAST(flight AS BIGINT) AS flight,
    tailnum,
    origin,
    dest,
    CAST(sched_arr_time AS BIGINT) AS sched_arr_time,
    CAST(distance AS BIGINT) AS distance,
    CAST(hour AS BIGINT) AS hour_of_day,
    CAST(arr_delay AS BIGINT) AS arr_delay,
    CASE WHEN arr_delay IS NOT NULL THEN CAST(dep_delay AS BIGINT) END AS dep_delay,
    CAST(arr_delay > 15 AS INTEGER) AS late
FROM known
