-- One row per aircraft on record.
SELECT tailnum, year, seats, engines
FROM planes
