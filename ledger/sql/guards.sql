-- name: catalog
-- everything in the schema, by name: whatever the release of the server, the owner, or the roles that there are
WITH tables AS (SELECT * FROM pg_class WHERE relnamespace = to_regnamespace('ledger'))
SELECT 'relation ' || relname AS name,
    CASE relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' WHEN 'S' THEN 'sequence' ELSE relkind::text END
    || CASE relpersistence WHEN 'p' THEN '' ELSE ', not kept over a crash' END
    || CASE WHEN relrowsecurity THEN ', rows hidden by policies' ELSE '' END AS made
FROM tables WHERE relkind NOT IN ('i', 'I', 't')
UNION ALL
SELECT 'column ' || relname || '.' || attname, concat_ws(' ', format_type(atttypid, atttypmod),
    CASE WHEN attnotnull THEN 'not null' END, 'identity ' || nullif(attidentity::text, ''),
    'generated ' || nullif(attgenerated::text, ''),
    'default ' || pg_get_expr(adbin, adrelid))
FROM tables JOIN pg_attribute ON attrelid = tables.oid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
WHERE relkind <> 'S' AND relkind NOT IN ('i', 'I', 't') AND attnum > 0 AND NOT attisdropped
UNION ALL
SELECT 'constraint ' || conname || ' of ' || relname, pg_get_constraintdef(con.oid)
    || CASE WHEN EXISTS (SELECT FROM pg_trigger WHERE tgconstraint = con.oid AND tgenabled NOT IN ('O', 'A'))
        THEN ', switched off' ELSE '' END
FROM tables JOIN pg_constraint con ON conrelid = tables.oid WHERE contype NOT IN ('n', 't')
UNION ALL
SELECT 'unique index ' || relname, pg_get_indexdef(indexrelid) || CASE WHEN indisvalid THEN '' ELSE ', not valid' END
FROM tables JOIN pg_index ON indexrelid = tables.oid WHERE indisunique
UNION ALL
SELECT 'trigger ' || tgname || ' of ' || relname, pg_get_triggerdef(pg_trigger.oid)
    || CASE WHEN tgenabled IN ('O', 'A') THEN '' ELSE ', switched off' END
FROM tables JOIN pg_trigger ON tgrelid = tables.oid WHERE NOT tgisinternal
UNION ALL
SELECT 'rule ' || rulename || ' of ' || relname, pg_get_ruledef(pg_rewrite.oid)
FROM tables JOIN pg_rewrite ON ev_class = tables.oid
UNION ALL
SELECT 'policy ' || polname || ' of ' || relname, concat_ws(' ', polcmd, pg_get_expr(polqual, polrelid),
    pg_get_expr(polwithcheck, polrelid)) FROM tables JOIN pg_policy ON polrelid = tables.oid
UNION ALL
SELECT 'inheritance of ' || inhrelid::regclass || ' from ' || relname, 'rows'
FROM tables JOIN pg_inherits ON inhparent = tables.oid
WHERE relkind NOT IN ('i', 'I')
UNION ALL
SELECT 'function ' || proname || '(' || pg_get_function_identity_arguments(pg_proc.oid) || ')',
    encode(sha256(convert_to(concat_ws(chr(10), pg_get_function_arguments(pg_proc.oid), pg_get_function_result(pg_proc.oid),
        lanname, prokind, prosecdef, provolatile, proisstrict, proleakproof, array_to_string(proconfig, ','), prosrc,
        pg_get_function_sqlbody(pg_proc.oid)), 'UTF8')), 'hex')
FROM pg_proc JOIN pg_language ON pg_language.oid = prolang WHERE pronamespace = to_regnamespace('ledger')

-- name: grants
-- who may do what, besides owners: what is granted to whom, on what, and whether it may be handed on
WITH granted AS (
    SELECT 'table' AS kind, relname::text AS name, '' AS part, relowner AS owner, relacl AS acl FROM pg_class
    WHERE relnamespace = to_regnamespace('ledger') AND relkind NOT IN ('i', 'I', 't', 'S')
    UNION ALL SELECT 'sequence', relname, '', relowner, relacl FROM pg_class
    WHERE relnamespace = to_regnamespace('ledger') AND relkind = 'S'
    UNION ALL SELECT 'table', relname, attname, relowner, attacl FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = to_regnamespace('ledger') AND attacl IS NOT NULL
    UNION ALL SELECT CASE WHEN prorettype = 'trigger'::regtype THEN 'trigger function' ELSE 'function' END,
        proname || '(' || oidvectortypes(proargtypes) || ')', '', proowner, coalesce(proacl, acldefault('f', proowner))
    FROM pg_proc WHERE pronamespace = to_regnamespace('ledger')
    UNION ALL SELECT 'schema', nspname, '', nspowner, nspacl FROM pg_namespace WHERE nspname = 'ledger'
)
SELECT kind, name, part, privilege_type AS privilege, is_grantable AS on_to_others,
    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END AS grantee,
    coalesce((SELECT rolsuper FROM pg_roles WHERE pg_roles.oid = grantee), false)
        OR grantee = (SELECT nspowner FROM pg_namespace WHERE nspname = 'ledger') AS owns
FROM granted, aclexplode(acl) WHERE grantee <> owner ORDER BY 1, 2, 3, 6, 4

-- name: roles
-- sentences about roles, owners and settings; `parts` are the roles of the parts of a process
WITH part AS (SELECT * FROM pg_roles WHERE rolname = ANY (:parts)),
owner AS (SELECT nspowner AS oid FROM pg_namespace WHERE nspname = 'ledger'),
owned AS (
    SELECT 'relation ' || relname AS name, relowner AS owner FROM pg_class
    WHERE relnamespace = to_regnamespace('ledger') AND relkind NOT IN ('i', 'I', 't')
    UNION ALL SELECT 'function ' || proname, proowner FROM pg_proc WHERE pronamespace = to_regnamespace('ledger')
    UNION ALL SELECT 'schema ' || nspname, nspowner FROM pg_namespace WHERE nspname = 'ledger'
)
SELECT 'The role ' || rolname || ' may do what no part of a process needs (' || concat_ws(', ',
    CASE WHEN rolsuper THEN 'superuser' END, CASE WHEN rolcreaterole THEN 'create roles' END,
    CASE WHEN rolcreatedb THEN 'create databases' END, CASE WHEN rolreplication THEN 'replication' END,
    CASE WHEN rolbypassrls THEN 'bypass row security' END) || ')' AS said
FROM part WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls
UNION ALL
SELECT 'The role ' || part.rolname || ' may act as ' || pg_get_userbyid(roleid)
FROM part JOIN pg_auth_members ON member = part.oid
UNION ALL
SELECT DISTINCT pg_get_userbyid(member) || ' may act in the role ' || part.rolname
FROM part JOIN pg_auth_members ON roleid = part.oid JOIN pg_roles AS other ON other.oid = member
WHERE NOT other.rolsuper AND member <> ALL (SELECT oid FROM part) AND member <> (SELECT oid FROM owner)
    AND other.rolname <> session_user
UNION ALL
SELECT 'The ' || name || ' belongs to ' || pg_get_userbyid(owned.owner) FROM owned JOIN pg_roles ON pg_roles.oid = owned.owner
WHERE owned.owner IN (SELECT oid FROM part) OR NOT rolsuper AND owned.owner <> (SELECT oid FROM owner)
UNION ALL
SELECT 'By default, ' || CASE grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(grantee) END || ' may ' || privilege_type
    || ' whatever ' || pg_get_userbyid(defaclrole) || ' makes'
FROM pg_default_acl, aclexplode(defaclacl)
WHERE defaclnamespace IN (0, to_regnamespace('ledger')) AND grantee <> defaclrole
    AND (grantee IN (SELECT oid FROM part) OR grantee = 0 AND defaclnamespace <> 0)
UNION ALL
SELECT 'Triggers are switched off for ' || coalesce(nullif(concat_ws(' in ',
    (SELECT rolname FROM pg_roles WHERE oid = setrole), (SELECT datname FROM pg_database WHERE oid = setdatabase)
), ''), 'everybody')
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE setting ILIKE 'session_replication_role=%' AND setting NOT ILIKE '%=origin'
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
UNION ALL
SELECT 'Triggers are switched off for this server' FROM pg_settings
WHERE name = 'session_replication_role' AND reset_val <> 'origin'

-- name: powers
WITH owner AS (
    SELECT nspowner AS oid FROM pg_namespace WHERE nspname = 'ledger'
    UNION SELECT datdba FROM pg_database WHERE datname = current_database()
), above AS (
    SELECT oid, 'acts as ' || pg_get_userbyid(oid) || ', who owns the ledger or its database' AS how FROM owner
    UNION ALL SELECT oid, 'acts as ' || rolname FROM pg_roles
    WHERE rolname IN ('pg_write_all_data', 'pg_write_server_files', 'pg_execute_server_program')
)
SELECT rolname || ' (superuser)' AS power FROM pg_roles WHERE rolsuper
UNION SELECT rolname || ' (' || how || ')' FROM pg_roles CROSS JOIN above
WHERE NOT rolsuper AND rolname NOT LIKE 'pg\_%' AND pg_has_role(pg_roles.oid, above.oid, 'MEMBER')
UNION SELECT 'the event trigger ' || evtname || ' (' || evtfoid::regprocedure || ')' FROM pg_event_trigger WHERE evtenabled <> 'D'
UNION SELECT 'the setting ' || setting || ' (' || coalesce(nullif(concat_ws(' in ',
    (SELECT rolname FROM pg_roles WHERE oid = setrole), (SELECT datname FROM pg_database WHERE oid = setdatabase)
), ''), 'everybody') || ')'
FROM pg_db_role_setting, unnest(setconfig) AS setting
WHERE (setting ~* '^(search_path|session_preload_libraries|local_preload_libraries|row_security)='
        OR setrole IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'missions\_%'))
    AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY 1
