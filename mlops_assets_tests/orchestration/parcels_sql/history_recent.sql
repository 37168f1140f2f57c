-- One row per batch, depot and moment: parcels, known when they are sent.
SELECT batch, depot, sent_at AS known_at, count(*) AS parcels, CAST(sum(weight * 10) AS BIGINT) AS hectograms
FROM parcels
GROUP BY ALL
