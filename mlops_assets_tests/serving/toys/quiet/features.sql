-- One row per person: what is computed from the request.
SELECT id, CAST(age AS DOUBLE) * age AS age_squared
FROM examples
