"""The SQL functions that a plugin's query may call: they only compute.

None of them writes, waits, reads files or opens connections. It is an allow-list because no parser
knows what `pg_read_file`, `lo_import` or `load_extension` do, and every database and extension adds
functions of that kind. A connection can name more in `read_only_functions`.
"""

from typing import Final

__all__ = ["ALLOWED"]

AGGREGATES: Final = """
    any_value array_agg avg bit_and bit_or bool_and bool_or corr count count_if covar_pop covar_samp
    every group_concat json_agg json_arrayagg json_group_array json_group_object json_object_agg
    json_objectagg jsonb_agg jsonb_object_agg listagg logical_and logical_or max median min mode
    percentile_cont percentile_disc quantile regr_intercept regr_slope stddev stddev_pop stddev_samp
    string_agg sum total var_pop var_samp variance variance_pop
"""
WINDOWS: Final = """
    cume_dist dense_rank first first_value lag last last_value lead nth_value ntile percent_rank
    rank row_number
"""
TEXTS: Final = """
    ascii btrim char char_length character_length chr concat concat_ws contains ends_with field
    find_in_set format hex initcap instr lcase left len length levenshtein locate lower lpad ltrim
    md5 normalize octet_length position printf quote_literal regexp_extract regexp_instr regexp_like
    regexp_replace regexp_substr replace reverse right rpad rtrim soundex split_part starts_with
    str_position strpos strtrim substr substring substring_index translate trim ucase unicode upper
"""
NUMBERS: Final = """
    abs acos asin atan atan2 ceil ceiling cos cot degrees div exp floor greatest least ln log log10
    log2 mod pi pow power radians rand random round safe_divide sign sin sqrt tan to_number trunc
    truncate width_bucket
"""
DATES: Final = """
    add_months adddate age curdate current_date current_datetime current_time current_timestamp
    curtime date date_add date_bin date_diff date_format date_part date_sub date_to_date_str
    date_trunc datediff datetime datetime_add datetime_diff datetime_sub datetime_trunc day
    day_of_month day_of_week day_of_year dayname dayofmonth dayofweek dayofyear extract from_days
    from_unixtime getdate hour interval julianday last_day localtime localtimestamp make_date
    make_timestamp microsecond minute month monthname months_between now period_diff quarter second
    str_to_date str_to_time strftime sysdate time time_format time_str_to_time time_sub time_to_str
    time_to_unix timediff timestamp timestamp_add timestamp_diff timestamp_sub timestamp_trunc
    timestampadd timestampdiff to_char to_date to_days to_timestamp ts_or_ds_add ts_or_ds_to_date
    ts_or_ds_to_timestamp unix_timestamp unix_to_time unixepoch utc_date utc_time utc_timestamp week
    week_of_year weekday weekofyear year yearweek
"""
CHOICES: Final = (
    "case cast coalesce convert decode exists if ifnull iif isnull nullif nvl nvl2 try_cast typeof"
)
DATA: Final = """
    all any array array_contains array_length array_position array_size array_to_string cardinality
    exploding_generate_series generate_series json json_array json_array_length json_build_array
    json_build_object json_contains json_extract json_extract_array json_extract_path
    json_extract_path_text json_extract_scalar json_length json_object json_quote json_type
    json_typeof json_unquote json_valid json_value jsonb_array_length jsonb_build_array
    jsonb_build_object jsonb_extract jsonb_extract_path jsonb_extract_path_text jsonb_extract_scalar
    jsonb_typeof match_against plainto_tsquery struct to_json to_jsonb to_tsvector ts_rank unnest
    websearch_to_tsquery
"""

ALLOWED: Final = frozenset(
    f"{AGGREGATES} {WINDOWS} {TEXTS} {NUMBERS} {DATES} {CHOICES} {DATA}".split()
)
"""Names in lower case, including the names that sqlglot gives to functions it translates."""
