-- One row per batch, carrier and day on which outcomes became known: sums that can be added up over days.
SELECT
    batch,
    carrier,
    known_on,
    count(*) AS flights,
    count(arr_delay) AS landed,
    count(*) - count(arr_delay) AS cancelled,
    CAST(sum(late) AS BIGINT) AS late,
    CAST(sum(arr_delay) AS BIGINT) AS arr_delay,
    CAST(sum(arr_delay * arr_delay) AS BIGINT) AS arr_delay_squares,
    CAST(sum(dep_delay) AS BIGINT) AS dep_delay,
    CAST(sum(dep_delay * dep_delay) AS BIGINT) AS dep_delay_squares
FROM outcomes
GROUP BY ALL
