-- One row per flight scheduled for one day of the seed: what a caller knows before departure, in order of departure.
SELECT
    carrier,
    flight::INTEGER AS flight,
    nullif(tailnum, 'NA') AS tailnum,
    origin,
    dest,
    printf('%04d-%02d-%02dT%02d:%02d:00', year::INTEGER, month::INTEGER, day::INTEGER, hour::INTEGER, minute::INTEGER)
        AS sched_dep_at,
    sched_arr_time::INTEGER AS sched_arr_time,
    distance::INTEGER AS distance
FROM read_parquet($seed)
WHERE printf('%04d-%02d-%02d', year::INTEGER, month::INTEGER, day::INTEGER) = $day
ORDER BY sched_dep_at, carrier, flight, origin
