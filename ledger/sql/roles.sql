-- what takes something from all that a server has once: places for locks, and connections; nobody here needs the former

-- name: locks
DO $$ DECLARE one regprocedure; BEGIN
    FOR one IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
        AND (proname ~ '^pg_(try_)?advisory_' OR proname ~ '^(lo_|loread|lowrite|be_lo)') LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one);
    END LOOP;
END $$

-- name: temporary_tables
DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); END $$

-- name: connections
DO $$ DECLARE one name; left_over integer := current_setting('max_connections')::integer
    - current_setting('superuser_reserved_connections')::integer; BEGIN
    FOREACH one IN ARRAY ARRAY['missions_reasoner', 'missions_executor', 'missions_dashboard', 'missions_shadow']::name[] LOOP
        EXECUTE format('ALTER ROLE %I CONNECTION LIMIT %s', one, greatest(left_over / 5, 5));
    END LOOP;
END $$
