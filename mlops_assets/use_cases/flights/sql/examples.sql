-- One row per scheduled flight: what is known of it before departure, and its label (NULL if it never arrived there).
SELECT
    id,
    event_time,
    outcome_known_at,
    late AS label,
    carrier,
    flight,
    tailnum,
    origin,
    dest,
    sched_arr_time,
    distance,
    hour_of_day
FROM outcomes
