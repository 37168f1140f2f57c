-- One row per day of a seed file: the day and the lines of its CSV file, values and order exactly as in the seed.
-- Seed columns are text, and no value holds a delimiter, a quote or a line end.
WITH lines AS (
    SELECT
        printf('%04d-%02d-%02d', year::INTEGER, month::INTEGER, day::INTEGER) AS batch,
        concat_ws(',', *COLUMNS(* EXCLUDE (file_row_number))) AS line,
        file_row_number
    FROM read_parquet($seed, file_row_number = true)
)

SELECT
    batch,
    string_agg(line, chr(10) ORDER BY file_row_number) AS lines
FROM lines
WHERE batch BETWEEN $first AND $last
GROUP BY batch
ORDER BY batch
