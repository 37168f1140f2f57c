-- One row per example: what is computed from the request.
SELECT id, CAST(hour(event_time) < 12 AS INTEGER) AS is_morning
FROM examples
