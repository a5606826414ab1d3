-- One row per run. A stopped one breaks the rule `fair` of the port, and so is set aside and told.
select
    _cause,
    run_id,
    as_of,
    outcome,
    reason,
    model_version,
    code_hash,
    seed,
    libraries,
    inputs,
    count_read,
    count_examples,
    count_scores,
    equalized_odds_difference,
    equal_opportunity_difference,
    demographic_parity_difference,
    auc,
    brier,
    figures
from new_run_records
