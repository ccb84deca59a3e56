//! What must hold of the rows at any moment, whatever happened before.

use crate::support::TestProvider;

/// Nothing lives under what has ended, nothing is there twice, and the audit tells what the rows tell.
pub(crate) async fn hold(provider: &TestProvider) {
    for (what, query) in [
        (
            "families that outlive their grant",
            "SELECT COUNT(*) FROM refresh_families f JOIN grants g ON g.id = f.grant_id \
             WHERE f.ended_at IS NULL AND g.ended_at IS NOT NULL",
        ),
        (
            "grants that outlive their session",
            "SELECT COUNT(*) FROM grants g JOIN sessions s ON s.id = g.session_id \
             WHERE g.session_linked AND g.ended_at IS NULL AND s.ended_at IS NOT NULL",
        ),
        (
            "grants with two families",
            "SELECT COUNT(*) FROM (SELECT grant_id FROM refresh_families GROUP BY grant_id HAVING COUNT(*) > 1) twice",
        ),
        (
            "sessions with two living families of one browser app",
            "SELECT COUNT(*) FROM (SELECT session_id FROM refresh_families WHERE delivery = 'cookie' AND ended_at IS NULL \
             GROUP BY session_id, client_id HAVING COUNT(*) > 1) twice",
        ),
        (
            "used codes without a family",
            "SELECT COUNT(*) FROM codes c WHERE c.used_at IS NOT NULL \
             AND NOT EXISTS (SELECT 1 FROM refresh_families f WHERE f.grant_id = c.grant_id)",
        ),
        (
            "families without a used code",
            "SELECT COUNT(*) FROM refresh_families f WHERE NOT EXISTS \
             (SELECT 1 FROM codes c WHERE c.grant_id = f.grant_id AND c.used_at IS NOT NULL)",
        ),
        (
            "grants without their one code",
            "SELECT COUNT(*) FROM grants g WHERE (SELECT COUNT(*) FROM codes c WHERE c.grant_id = g.id) <> 1",
        ),
        (
            "endings of grants that are not audited",
            "SELECT COUNT(*) FROM grants g WHERE g.ended_at IS NOT NULL AND g.reason <> 'signed_out' \
             AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.action = 'grant.end' AND a.subject = g.id)",
        ),
        (
            "revocations that are not audited once",
            "SELECT (SELECT COUNT(*) FROM audit WHERE action = 'grant.end' AND data LIKE '%\"reason\":\"revoked\"%') \
             - (SELECT COUNT(*) FROM grants WHERE reason = 'revoked')",
        ),
        (
            "audited endings of grants that stand",
            "SELECT COUNT(*) FROM audit a JOIN grants g ON g.id = a.subject WHERE a.action = 'grant.end' AND g.ended_at IS NULL",
        ),
        (
            "endings of sessions that are not audited once",
            "SELECT COUNT(*) FROM sessions s WHERE s.ended_at IS NOT NULL AND \
             (SELECT COUNT(*) FROM audit a WHERE a.action = 'session.end' AND a.subject = s.id) <> 1",
        ),
        (
            "audited endings of sessions that stand",
            "SELECT COUNT(*) FROM audit a JOIN sessions s ON s.id = a.subject \
             WHERE a.action = 'session.end' AND s.ended_at IS NULL",
        ),
        (
            "refresh tokens the database had not heard of",
            "SELECT COUNT(*) FROM audit WHERE action = 'refresh.store_went_back'",
        ),
    ] {
        assert_eq!(provider.number(query).await, 0, "{what}");
    }
    // What was sealed before a kill fits what was sealed after it.
    provider.place().ok(&["audit", "verify"]);
    if provider.database_file().is_some() {
        assert_eq!(provider.texts("PRAGMA integrity_check").await, ["ok"]);
        assert_eq!(provider.texts("SELECT 'x' FROM pragma_foreign_key_check").await, Vec::<String>::new());
    }
}
