-- One row per person: what is computed from the answers. The answers themselves are taken as they stand.
SELECT
    id,
    capital_gain - capital_loss AS capital_net,
    marital_status LIKE 'Married-%' AND marital_status != 'Married-spouse-absent' AS lives_with_spouse
FROM examples
