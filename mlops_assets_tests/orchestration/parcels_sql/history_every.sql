-- One row per batch and day on which outcomes became known: all depots together.
SELECT
    batch,
    CAST(sent_at + INTERVAL 8 HOUR AS DATE) AS known_on,
    count(*) AS parcels,
    CAST(sum(CAST(minutes_late > 15 AS INTEGER)) AS BIGINT) AS late
FROM parcels
GROUP BY ALL
