//! The cases, and the order in which they are measured: rounds, in each round every case, in each case both sides in turn.

mod durable;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::generator::{Measured, Repeat, Talk, drive};
use crate::machine::postgres::Cluster;
use crate::machine::probes;
use crate::machine::process::resident_kib;
use crate::model::{Algorithm, Signatures, Specification};
use crate::report::{Report, Round};
use crate::side::Side;
use crate::subject::{
    Browser, CHALLENGE, Installation, REDIRECT_URI, SECRET, SERVICE_ES256, SERVICE_RS256, Server, WEB,
};
use crate::{Options, Result, failure, requests, samples, say, wear};
use durable::Kind;

/// What can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum Case {
    Jwks,
    StatusList,
    Discovery,
    ClientCredentialsEs256,
    ClientCredentialsRs256,
    CodeExchangeSqlite,
    RefreshSqlite,
    IntrospectionSqlite,
    RevocationSqlite,
    CodeExchangePostgres,
    RefreshPostgres,
    IntrospectionPostgres,
    RevocationPostgres,
    SignIn,
    Memory,
    Ready,
    Size,
}

impl Case {
    /// The name on the command line and in the table.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// On which database it rests and what it does there.
    fn durable(self) -> Option<(Database, Kind)> {
        Some(match self {
            Self::CodeExchangeSqlite => (Database::Sqlite, Kind::CodeExchange),
            Self::RefreshSqlite => (Database::Sqlite, Kind::Refresh),
            Self::IntrospectionSqlite => (Database::Sqlite, Kind::Introspection),
            Self::RevocationSqlite => (Database::Sqlite, Kind::Revocation),
            Self::CodeExchangePostgres => (Database::Postgres, Kind::CodeExchange),
            Self::RefreshPostgres => (Database::Postgres, Kind::Refresh),
            Self::IntrospectionPostgres => (Database::Postgres, Kind::Introspection),
            Self::RevocationPostgres => (Database::Postgres, Kind::Revocation),
            _ => return None,
        })
    }

    /// Whether its figures depend on how fast the disk syncs.
    pub(crate) fn syncs(self) -> bool {
        self.durable().is_some_and(|(_, kind)| kind != Kind::Introspection)
    }
}

/// The two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Database {
    Sqlite,
    Postgres,
}

/// How much is done of each.
#[derive(Debug, Clone, Copy)]
struct Scale {
    rounds: usize,
    /// Time of a case without a database on one side.
    plain: Duration,
    /// Codes in a round, and with them exchanges and revocations.
    codes: usize,
    refreshes: usize,
    introspections: usize,
    sign_ins: Duration,
    hashes: u32,
    signatures: Duration,
    syncs: usize,
    starts: usize,
    idle: Duration,
}

impl Scale {
    /// As little as shows that everything works.
    fn smoke() -> Self {
        Self {
            rounds: 1,
            plain: Duration::from_millis(200),
            codes: 64,
            refreshes: 128,
            introspections: 128,
            sign_ins: Duration::from_millis(300),
            hashes: 3,
            signatures: Duration::from_millis(50),
            syncs: 10,
            starts: 1,
            idle: Duration::from_millis(200),
        }
    }

    fn of(options: &Options) -> Self {
        if options.smoke {
            return Self::smoke();
        }
        Self {
            rounds: options.rounds.max(1),
            plain: Duration::from_secs(2),
            codes: 4_000,
            refreshes: 8_000,
            introspections: 12_000,
            sign_ins: Duration::from_secs(2),
            hashes: 40,
            signatures: Duration::from_millis(400),
            syncs: 200,
            starts: 5,
            idle: Duration::from_secs(5),
        }
    }
}

const CONNECTIONS: usize = 32;
const CONNECTIONS_TO_DATABASES: usize = 64;
/// Sign-ins at once: enough to keep the hashing threads busy, few enough never to fill their queue.
const SIGN_INS: usize = 4;

/// Measures what was asked for.
pub(crate) async fn measure(options: &Options) -> Result<Report> {
    let cases = chosen(options);
    let scale = Scale::of(options);
    let binary = options.server.canonicalize().map_err(|error| {
        failure(format!("{}: {error}; build it with: cargo build --release", options.server.display()))
    })?;
    let parent = options.folder.clone().unwrap_or_else(std::env::temp_dir);
    let folder = tempfile::Builder::new().prefix("frontdesk-load-").tempdir_in(&parent)?;
    let mut report = Report::default();
    if cases.contains(&Case::Size) {
        report.size = Some(wear::megabytes(&binary)?);
    }
    if cases.contains(&Case::Ready) || cases.contains(&Case::Memory) {
        say("starting the server, again and again");
        report.starts = Some(wear::starts(&binary, folder.path(), scale.starts, scale.idle).await?);
    }
    let databases = databases(&cases);
    if databases.is_empty() {
        return Ok(report);
    }
    let cluster = if databases.contains(&Database::Postgres) { Some(Cluster::start(&parent)?) } else { None };
    let mut pairs = BTreeMap::new();
    for database in &databases {
        say(&format!("setting up {database:?}"));
        let urls = match (&cluster, database) {
            (Some(cluster), Database::Postgres) => Some((cluster.database("product")?, cluster.database("model")?)),
            _ => None,
        };
        let pair = pair(&binary, &folder.path().join(format!("{database:?}")), urls, &mut report).await?;
        pairs.insert(*database, pair);
    }
    let house = House { scale, cases, pairs, keys: Signatures::generate()?, folder: folder.path().to_owned() };
    for round in 0..scale.rounds {
        say(&format!("round {} of {}", round + 1, scale.rounds));
        let measured = house.round(round).await?;
        report.rounds.push(measured);
    }
    if let Some((product, _)) = house.pairs.get(&Database::Sqlite) {
        report.memory_after = Some(wear::mebibytes(resident_kib(product.pid)?));
    }
    for (product, model) in house.pairs.into_values() {
        product.stop()?;
        drop(model);
    }
    Ok(report)
}

fn chosen(options: &Options) -> BTreeSet<Case> {
    let all = <Case as clap::ValueEnum>::value_variants();
    let asked = if options.cases.is_empty() { all } else { &options.cases };
    let left_out = |case: &Case| options.no_postgres && matches!(case.durable(), Some((Database::Postgres, _)));
    asked.iter().copied().filter(|case| !left_out(case)).collect()
}

fn databases(cases: &BTreeSet<Case>) -> BTreeSet<Database> {
    let needed = |case: &Case| match case {
        Case::Memory | Case::Ready | Case::Size => None,
        // What touches no database is measured where one has to be chosen: with SQLite.
        case => Some(case.durable().map_or(Database::Sqlite, |(database, _)| database)),
    };
    cases.iter().filter_map(needed).collect()
}

/// Product and model on one database.
async fn pair(
    binary: &Path,
    folder: &Path,
    urls: Option<(String, String)>,
    report: &mut Report,
) -> Result<(Side, Side)> {
    let (ours, theirs) = urls.unzip();
    let installation = Installation::new(binary, folder, ours.as_deref())?;
    let server = installation.serve()?;
    installation.apply()?;
    samples::wait_for_clients(server.address).await?;
    let product = Side::product(server).await?;
    let taken = samples::take(&product).await?;
    let database = theirs.unwrap_or_else(|| format!("sqlite://{}", folder.join("model.db").display()));
    let specification = specification(database, taken.clone());
    let model = Side::model(Server::model(&specification, folder)?);
    report.differences.extend(samples::differences(&taken, &samples::take(&model).await?));
    Ok((product, model))
}

fn specification(database: String, samples: samples::Samples) -> Specification {
    Specification {
        database,
        secret: SECRET.to_owned(),
        client: WEB.to_owned(),
        redirect_uri: REDIRECT_URI.to_owned(),
        challenge: CHALLENGE.to_owned(),
        services: [(SERVICE_ES256, "client_credentials_es256"), (SERVICE_RS256, "client_credentials_rs256")]
            .map(|(client, sample)| (client.to_owned(), sample.to_owned()))
            .into(),
        samples,
    }
}

/// Everything that is running.
struct House {
    scale: Scale,
    cases: BTreeSet<Case>,
    pairs: BTreeMap<Database, (Side, Side)>,
    keys: Signatures,
    folder: PathBuf,
}

impl House {
    async fn round(&self, number: usize) -> Result<Round> {
        let scale = &self.scale;
        let mut round = Round {
            es256: probes::signatures(&self.keys, Algorithm::Es256, scale.signatures)?,
            rs256: probes::signatures(&self.keys, Algorithm::Rs256, scale.signatures)?,
            sync: probes::sync(&self.folder, scale.syncs)?,
            hash: None,
            sign_in: None,
            compared: BTreeMap::new(),
        };
        // Who goes first changes from round to round.
        let swapped = number % 2 == 1;
        if let Some(pair) = self.pairs.get(&Database::Sqlite) {
            for case in [
                Case::Jwks,
                Case::StatusList,
                Case::Discovery,
                Case::ClientCredentialsEs256,
                Case::ClientCredentialsRs256,
            ] {
                if self.cases.contains(&case) {
                    round.compared.insert(case, self.plain(case, pair, swapped).await?);
                }
            }
        }
        for (database, pair) in &self.pairs {
            let wanted: BTreeMap<Kind, Case> = self
                .cases
                .iter()
                .filter_map(|case| case.durable().filter(|(own, _)| own == database).map(|(_, kind)| (kind, *case)))
                .collect();
            if !wanted.is_empty() {
                round.compared.extend(durable::round(scale, pair, &wanted, swapped).await?);
            }
        }
        if self.cases.contains(&Case::SignIn)
            && let Some((product, _)) = self.pairs.get(&Database::Sqlite)
        {
            round.hash = Some(probes::hashes(scale.hashes)?);
            round.sign_in = Some(sign_ins(product, scale.sign_ins).await?);
        }
        Ok(round)
    }

    async fn plain(&self, case: Case, pair: &(Side, Side), swapped: bool) -> Result<(Measured, Measured)> {
        let list = match (case, pair) {
            (Case::StatusList, (product, _)) => samples::status_list(product.address).await?,
            _ => String::new(),
        };
        let request = |side: &Side| -> Rc<[u8]> {
            match case {
                Case::Jwks => requests::get(side.address, "/.well-known/jwks.json"),
                Case::StatusList => requests::get(side.address, &list),
                Case::Discovery => requests::get(side.address, "/.well-known/openid-configuration"),
                Case::ClientCredentialsRs256 => requests::client_credentials(side.address, SERVICE_RS256),
                _ => requests::client_credentials(side.address, SERVICE_ES256),
            }
            .into()
        };
        let mut measured = Vec::new();
        for side in in_turn(pair, swapped) {
            // Warm-up, not counted.
            repeat(side, request(side), 200, CONNECTIONS, self.scale.plain / 10).await?;
            measured.push(repeat(side, request(side), 200, CONNECTIONS, self.scale.plain).await?);
        }
        both(&measured, swapped)
    }
}

/// The sides in the order of this round.
fn in_turn((product, model): &(Side, Side), swapped: bool) -> [&Side; 2] {
    if swapped { [model, product] } else { [product, model] }
}

/// The product's figures first.
fn both(measured: &[Measured], swapped: bool) -> Result<(Measured, Measured)> {
    match (measured, swapped) {
        ([product, model], false) | ([model, product], true) => Ok((*product, *model)),
        _ => Err(failure("a side was not measured")),
    }
}

async fn repeat(side: &Side, request: Rc<[u8]>, status: u16, connections: usize, during: Duration) -> Result<Measured> {
    let until = Instant::now() + during;
    let talks = (0..connections).map(|_| Box::new(Repeat { request: request.clone(), status, until }) as Box<dyn Talk>);
    drive(side.address, side.pid, talks.collect()).await
}

async fn sign_ins(product: &Side, during: Duration) -> Result<Measured> {
    let mut browser = Browser::open(product.address).await?;
    let request: Rc<[u8]> = browser.sign_in_request().await?.into();
    repeat(product, request, 303, SIGN_INS, during).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{self, Sample};

    /// Answers as the product gives them, as far as the model reads them.
    fn handmade() -> samples::Samples {
        use base64::Engine as _;
        let b64 = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let token = |alg: &str, claims: &str| {
            format!("{}.{}.c2ln", b64(&format!(r#"{{"typ":"at+jwt","alg":"{alg}","kid":"k"}}"#)), b64(claims))
        };
        let own = r#"{"iss":"i","sub":"load","iat":1,"exp":901,"jti":"j"}"#;
        let hers = r#"{"iss":"i","sub":"s","iat":1,"exp":901,"jti":"j","gid":"g"}"#;
        let id = r#"{"iss":"i","sub":"s","iat":1,"exp":901,"at_hash":"h","nonce":"n"}"#;
        let granted = format!(
            r#"{{"access_token":"{}","token_type":"Bearer","expires_in":900,"id_token":"{}","refresh_token":"r"}}"#,
            token("ES256", hers),
            token("ES256", id)
        );
        let own_answer =
            |alg: &str| format!(r#"{{"access_token":"{}","token_type":"Bearer","expires_in":900}}"#, token(alg, own));
        let introspected = r#"{"active":true,"sub":"s","iat":1,"exp":901,"jti":"j"}"#.to_owned();
        [
            ("jwks", r#"{"keys":[]}"#.to_owned()),
            ("status_lists", r#"{"status_lists":["http://i/status/7"]}"#.to_owned()),
            ("status_list", "a.b.c".to_owned()),
            ("discovery", r#"{"issuer":"i"}"#.to_owned()),
            ("client_credentials_es256", own_answer("ES256")),
            ("client_credentials_rs256", own_answer("RS256")),
            ("code", granted.clone()),
            ("refresh", granted),
            ("introspection", introspected),
            ("revocation", String::new()),
        ]
        .map(|(name, body)| {
            let headers = [("content-type", "application/json"), ("cache-control", "no-store")];
            let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
            (name.to_owned(), Sample { status: 200, headers, body })
        })
        .into()
    }

    /// A model on a thread of its own, as long as the test runs.
    fn model_here(folder: &Path) -> Side {
        let specification = specification(format!("sqlite://{}", folder.join("model.db").display()), handmade());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                model::run(specification, tokio::net::TcpListener::from_std(listener).unwrap()).await.unwrap();
            });
        });
        Side::here(address)
    }

    #[test]
    fn generator_and_model_understand_each_other() {
        let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
        let pair = (model_here(folders[0].path()), model_here(folders[1].path()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let scale = Scale { rounds: 1, codes: 70, refreshes: 640, introspections: 640, ..Scale::smoke() };
        let local = tokio::task::LocalSet::new();
        runtime.block_on(local.run_until(async {
            let (first, second) = (samples::take(&pair.0).await.unwrap(), samples::take(&pair.1).await.unwrap());
            assert_eq!(samples::differences(&first, &second), Vec::<String>::new());
            let wanted = BTreeMap::from([
                (Kind::CodeExchange, Case::CodeExchangeSqlite),
                (Kind::Refresh, Case::RefreshSqlite),
                (Kind::Introspection, Case::IntrospectionSqlite),
                (Kind::Revocation, Case::RevocationSqlite),
            ]);
            let figures = durable::round(&scale, &pair, &wanted, false).await.unwrap();
            assert_eq!(figures.len(), 4);
            let spent = pair.0.codes(1, 1).await.unwrap();
            let mut connection = crate::generator::Connection::open(pair.0.address).await.unwrap();
            let redeem = requests::redeem(pair.0.address).with(&spent[0]);
            assert_eq!(connection.send(&redeem).await.unwrap().status, 200);
            assert_eq!(connection.send(&redeem).await.unwrap().status, 400, "a code works once");
            let wrong = requests::client_credentials(pair.0.address, "nobody");
            assert_eq!(connection.send(&wrong).await.unwrap().status, 401);
        }));
    }
}
