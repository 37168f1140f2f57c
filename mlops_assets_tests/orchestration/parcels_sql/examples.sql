-- One row per parcel: what is known when it is sent, and its label (NULL if it never arrived).
SELECT
    strftime(day, '%Y-%m-%d') || '-' || depot || '-' || number AS id,
    sent_at AS event_time,
    sent_at + INTERVAL 8 HOUR AS outcome_known_at,
    CAST(minutes_late > 15 AS INTEGER) AS label,
    CAST(number AS BIGINT) AS number,
    depot,
    weight
FROM parcels
