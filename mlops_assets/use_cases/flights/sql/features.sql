-- One row per example: what is computed from the request and its side data. Declared features that are columns of
-- `examples` already (history, weather, carrier ...) need no mention here.
SELECT
    id,
    dayofweek(event_time) AS day_of_week,
    month(event_time) AS month,
    sin(2 * pi() * dayofyear(event_time) / 365.25) AS year_sin,
    cos(2 * pi() * dayofyear(event_time) / 365.25) AS year_cos,
    sin(2 * pi() * (hour(event_time) * 60 + minute(event_time)) / 1440) AS clock_sin,
    cos(2 * pi() * (hour(event_time) * 60 + minute(event_time)) / 1440) AS clock_cos,
    hour(event_time) * 60 + minute(event_time) AS minute_of_day,
    ((sched_arr_time // 100) * 60 + sched_arr_time % 100 - minute_of_day + 1440) % 1440 AS sched_clock_minutes,
    year(event_time) - plane__year AS plane_age
FROM examples
