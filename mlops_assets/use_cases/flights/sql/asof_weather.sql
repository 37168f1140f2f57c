-- One row per airport and hour: the weather observed there, at New York wall time. Of the two hours called 01:00 when
-- clocks go back the later one stays; with an hour's delay it is never used before it was observed.
SELECT
    origin,
    (time_hour AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York' AS observed_at,
    temp,
    dewp,
    humid,
    wind_dir,
    wind_speed,
    wind_gust,
    precip,
    pressure,
    visib
FROM weather
QUALIFY row_number() OVER (PARTITION BY origin, observed_at ORDER BY time_hour DESC) = 1
