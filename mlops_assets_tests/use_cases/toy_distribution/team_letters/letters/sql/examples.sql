-- One row per letter: what is known before it is sent, and whether it came back.
SELECT
    'letter-' || number AS id,
    returned AS label,
    number,
    grams,
    abroad = 1 AS abroad
FROM letters
