-- One row per depot and observation: the snow on the road.
SELECT depot, observed_at, snow
FROM roads
