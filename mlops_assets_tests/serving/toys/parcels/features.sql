-- One row per parcel: what is computed from the request.
SELECT id, CAST(weight > 10 AS INTEGER) AS is_heavy
FROM examples
