-- One row per letter: what is computed from the request.
SELECT id, CAST(abroad AND grams > 20 AS INTEGER) AS heavy_abroad
FROM examples
