/** What was stopped among the things that something rests on, as every part looks it up. */

/**
 * For a `from`: the stops of any of these, as `stopped`. No two kinds of thing share an id, so that is all it
 * takes. Each is looked up by its own, and `offset 0` keeps it so: without it, a plan made while there were few
 * stops would read all of the tenant's, time and again, until the server looks at the table anew.
 *
 * @param tenant as SQL, a text
 * @param ids as SQL, an array of texts; what is null there was not stopped
 */
export const stopsOf = (tenant: string, ids: string) => `unnest(${ids}) rests_on (id), lateral (
    select kind, id, epoch, revocation from procura.stop
    where tenant = ${tenant} and id = rests_on.id offset 0) stopped`
