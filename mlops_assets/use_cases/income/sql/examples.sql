-- One row per person: what the census asked, how many people the person stands for, and whether income is over 50,000.
SELECT
    'person-' || person AS id,
    (income = '>50K')::INTEGER AS label,
    population,
    age,
    workclass,
    education,
    education_num,
    marital_status,
    occupation,
    relationship,
    race,
    sex,
    capital_gain,
    capital_loss,
    hours_per_week,
    native_country
FROM people
