//! The listener on real sockets: TLS with certificates that change, a graceful stop, and what it refuses on the wire.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "tests fail by panicking, and run the server as a task of their own"
)]

mod frames;
mod http2;
mod patience;
mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use frontdesk::config::{Listen, ListenAddress};
use frontdesk::http::server::Server;
use tokio::net::TcpStream;

use support::{Files, PATIENCE, config, exchange, keep_log, logged, start, until};

#[tokio::test]
async fn tls_serves_http_2_and_takes_new_certificates_but_no_broken_ones() {
    keep_log();
    let files = Files::new();
    let first = files.renew();
    let running = start(&files.config());
    let url = format!("https://localhost:{}/", running.address().port());
    let response = first.get(&url).send().await.unwrap();
    assert_eq!(response.version(), reqwest::Version::HTTP_2);
    assert!(response.headers().contains_key("strict-transport-security"));
    assert_eq!(response.text().await.unwrap(), "hello");

    let second = files.renew();
    until(async || second.get(&url).send().await.is_ok()).await;
    assert!(first.get(&url).send().await.is_err(), "the former certificate is gone");

    let key = fs::read(files.key()).unwrap();
    fs::write(files.certificate(), "no certificate").unwrap();
    until(async || logged("cannot be used")).await;
    assert_eq!(second.get(&url).send().await.unwrap().status(), 200);
    fs::remove_file(files.key()).unwrap();
    until(async || logged("No such file")).await;
    assert_eq!(second.get(&url).send().await.unwrap().status(), 200);

    let third = files.renew();
    until(async || third.get(&url).send().await.is_ok()).await;
    let private = String::from_utf8(key).unwrap();
    assert!(!logged(private.lines().nth(1).unwrap()), "a private key in the log");
    running.end().await;
}

#[tokio::test]
async fn a_certificate_that_does_not_fit_its_key_stops_the_start() {
    let files = Files::new();
    files.renew();
    let certificate = fs::read(files.certificate()).unwrap();
    files.renew();
    fs::write(files.certificate(), certificate).unwrap();
    let error = Server::bind(&files.config()).unwrap_err().to_string();
    assert!(error.contains("certificate.pem"), "{error}");
}

#[tokio::test]
async fn a_key_that_others_can_read_stops_the_start_and_is_not_taken_later() {
    keep_log();
    let files = Files::new();
    let first = files.renew();
    for mode in [0o640, 0o604, 0o644] {
        files.set_mode_of_key(mode);
        let error = Server::bind(&files.config()).unwrap_err().to_string();
        assert!(error.contains("key.pem") && error.contains("chmod 600"), "{error}");
    }
    files.set_mode_of_key(0o600);
    let running = start(&files.config());
    let url = format!("https://localhost:{}/", running.address().port());
    let second = files.renew();
    files.set_mode_of_key(0o644);
    until(async || logged("can be read by others")).await;
    // Either the new pair was seen in the moment before, or the former one stays; it goes on in any case.
    let is_up = async || first.get(&url).send().await.is_ok() || second.get(&url).send().await.is_ok();
    assert!(is_up().await);
    files.set_mode_of_key(0o600);
    until(async || second.get(&url).send().await.is_ok()).await;
    running.end().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_after_the_handshake_is_ended() {
    let files = Files::new();
    files.renew();
    let running = start(&files.config());
    let pem = fs::read(files.certificate()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::pem::PemObject::from_pem_slice(&pem).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.alpn_protocols = vec![b"http/1.1".to_vec()];
    let address = running.address();
    // Reads to the end: returns only because the server closes.
    let silent = tokio::task::spawn_blocking(move || {
        let mut tcp = std::net::TcpStream::connect(address).unwrap();
        let name = "localhost".try_into().unwrap();
        let mut session = rustls::ClientConnection::new(Arc::new(client), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut tcp).unwrap();
        }
        std::io::copy(&mut tcp, &mut std::io::sink()).unwrap_or_default();
    });
    tokio::time::timeout(PATIENCE, silent).await.unwrap().unwrap();
    running.end().await;
}

#[tokio::test]
async fn localhost_is_both_loopback_addresses_on_one_port() {
    let running = start(&config());
    let port = running.address().port();
    assert!(running.addresses.iter().all(|address| address.port() == port && address.ip().is_loopback()));
    for address in &running.addresses {
        assert!(exchange(*address, "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.contains("hello"));
    }
    let mut taken = config();
    taken.server.listen = Listen(vec![ListenAddress::Localhost(port)]);
    let error = Server::bind(&taken).unwrap_err().to_string();
    assert!(error.contains("in use"), "{error}");
    running.end().await;
}

#[tokio::test]
async fn a_stop_takes_no_new_connections_and_lets_running_requests_finish() {
    let running = start(&config());
    let address = running.address();
    let slow = tokio::spawn(exchange(address, "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"));
    running.entered.notified().await;
    running.stop.cancel();
    until(async || TcpStream::connect(address).await.is_err()).await;
    assert!(!running.task.is_finished());
    running.release.notify_one();
    let answer = slow.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("finished"), "{answer}");
    running.end().await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let mut config = config();
    config.limits.graceful_stop = Duration::from_millis(200);
    let running = start(&config);
    let hanging = tokio::spawn(exchange(running.address(), "GET /slow HTTP/1.1\r\nhost: x\r\n\r\n"));
    running.entered.notified().await;
    running.end().await;
    assert!(!hanging.await.unwrap().contains("200"));
}

#[tokio::test]
async fn what_two_servers_could_read_differently_is_refused() {
    let running = start(&config());
    let address = running.address();
    let form = "content-type: application/x-www-form-urlencoded\r\n";
    let long = "x".repeat(40_000);
    for (request, status) in [
        ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: a\r\n b\r\n\r\n".to_owned(), "400"),
        ("GET / HTTP/1.1\r\nhost: a\r\nx: a\rb\r\n\r\n".to_owned(), "400"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\nx: {long}\r\n\r\n"), "431"),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{}\r\n", "x: y\r\n".repeat(200)), "431"),
        (format!("POST /form HTTP/1.1\r\nhost: a\r\n{form}content-length: 1\r\ncontent-length: 2\r\n\r\na="), "400"),
        (format!("POST /form HTTP/1.1\r\nhost: a\r\n{form}content-length: 1000000000\r\n\r\n"), "413"),
        (format!("POST /form HTTP/1.1\r\nhost: a\r\n{form}transfer-encoding: gzip\r\n\r\n"), "400"),
    ] {
        let answer = exchange(address, &request).await;
        let head: String = request.chars().take(60).collect();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{head:?}: {answer}");
    }
    // Chunked wins over Content-Length (RFC 9112 §6.3), and what follows on the connection is not read.
    let smuggled = format!(
        "POST /form HTTP/1.1\r\nhost: a\r\n{form}content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n"
    );
    let answer = exchange(address, &smuggled).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('b'), "{answer}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    let chunked = format!(
        "POST /form HTTP/1.1\r\nhost: a\r\n{form}transfer-encoding: chunked\r\n\r\n20000\r\na={}\r\n0\r\n\r\n",
        "x".repeat(131_070)
    );
    let answer = exchange(address, &chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert!(exchange(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.contains("hello"));
    running.end().await;
}

#[tokio::test]
async fn a_head_that_never_ends_is_ended() {
    let running = start(&config());
    for begun in ["", "GET / HT", "GET / HTTP/1.1\r\nhost: a\r\n", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
        // Reads to the end: returns only because the server closes.
        exchange(running.address(), begun).await;
    }
    running.end().await;
}

#[tokio::test]
async fn row_138_a_request_that_can_be_read_in_two_ways_is_refused_and_nothing_after_it_is_read() {
    let running = start(&config());
    let address = running.address();
    let form = "host: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    // What a proxy in front of us might take for the beginning of another request.
    let hidden = "GET /form-of-another HTTP/1.1\r\nhost: a\r\n\r\n";
    let lengths = ["+3", "-3", "3a", "0x3", "3 3", "3,4", "three", "99999999999999999999999"];
    let codings = ["identity", "xchunked", "chunked, identity", "chunked gzip", "\u{b}chunked", "chunked\r\n\tx"];
    let chunks = ["z\r\na=b\r\n", "-3\r\na=b\r\n", "3\r\na=bGET\r\n", "fffffffffffffffff\r\na=b\r\n", "3 3\r\na=b\r\n"];
    let lines = [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 x",
        "GET / HTTP/3.7",
        "GET / http/1.1",
        "GET\t/\tHTTP/1.1",
        "GET /\0 HTTP/1.1",
        "G(T / HTTP/1.1",
        "/ HTTP/1.1",
    ];
    let heads = [
        "host : a",
        "host: a\r\nx\0: b",
        "host: a\r\nx: b\0c",
        "host: a\r\n: x",
        "host: a\r\nx y: z",
        "host: a\r\nno colon",
    ];
    let mut requests: Vec<String> = Vec::new();
    requests
        .extend(lengths.map(|own| format!("POST /form HTTP/1.1\r\n{form}content-length: {own}\r\n\r\na=b{hidden}")));
    requests.extend(codings.map(|own| {
        format!("POST /form HTTP/1.1\r\n{form}transfer-encoding: {own}\r\n\r\n3\r\na=b\r\n0\r\n\r\n{hidden}")
    }));
    requests.extend(
        chunks.map(|own| {
            format!("POST /form HTTP/1.1\r\n{form}transfer-encoding: chunked\r\n\r\n{own}0\r\n\r\n{hidden}")
        }),
    );
    requests
        .push(format!("POST /form HTTP/1.0\r\n{form}transfer-encoding: chunked\r\n\r\n3\r\na=b\r\n0\r\n\r\n{hidden}"));
    requests.extend(lines.map(|own| format!("{own}\r\nhost: a\r\n\r\n{hidden}")));
    requests.extend(heads.map(|own| format!("GET / HTTP/1.1\r\n{own}\r\n\r\n{hidden}")));
    assert!(requests.len() >= 30);
    for request in requests {
        // Reads to the end: returns only because the server closes.
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 4") || answer.is_empty(), "{request:?}: {answer}");
        assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{request:?}: {answer}");
    }
    assert!(exchange(address, "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.contains("hello"));
    running.end().await;
}

#[tokio::test]
async fn row_138_a_handler_that_panics_costs_one_answer_and_not_the_process() {
    let running = start(&config());
    for _ in 0..20 {
        let request = "GET /panic HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answer = exchange(running.address(), request).await;
        assert!(answer.starts_with("HTTP/1.1 500") && !answer.contains("on purpose"), "{answer}");
        let id = answer.lines().find_map(|line| line.strip_prefix("request-id: ")).unwrap();
        assert!(id.len() == 22 && answer.matches(id).count() == 2, "the page names it as well: {answer}");
    }
    let request = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(exchange(running.address(), request).await.contains("hello"));
    running.end().await;
}

#[tokio::test]
async fn row_138_a_body_that_never_ends_is_ended() {
    let mut config = config();
    config.limits.request_timeout = Duration::from_secs(1);
    let running = start(&config);
    let form = "host: a\r\ncontent-type: application/x-www-form-urlencoded\r\n";
    for begun in [
        "content-length: 10\r\n\r\na=",
        "transfer-encoding: chunked\r\n\r\n5\r\na=",
        "transfer-encoding: chunked\r\n\r\n2\r\na=\r\n",
    ] {
        let answer = exchange(running.address(), &format!("POST /form HTTP/1.1\r\n{form}{begun}")).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{begun:?}: {answer}");
    }
    running.end().await;
}
