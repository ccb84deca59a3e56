//! The HTTP client against a server on loopback that says what it is told to.

use std::net::Ipv4Addr;
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::*;
use crate::issuer::Issuer;

/// Answers one connection and gives what it was asked, in lower case.
async fn asked(listener: &TcpListener, answer: &[u8]) -> (String, TcpStream) {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = vec![0; 4096];
    let mut read = 0;
    // Head and body may come apart.
    while !request[..read].ends_with(b"\r\n\r\n") && !request[..read].ends_with(b"=end") {
        read += stream.read(&mut request[read..]).await.unwrap();
    }
    stream.write_all(answer).await.unwrap();
    (String::from_utf8_lossy(&request[..read]).to_lowercase(), stream)
}

async fn listener() -> (TcpListener, Url, HttpFetch) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/document", listener.local_addr().unwrap())).unwrap();
    let fetch = client(&url);
    (listener, url, fetch)
}

/// Answers every connection with the same bytes, as long as the returned set lives.
async fn server(answer: impl Into<Vec<u8>>) -> (Url, JoinSet<()>) {
    let answer = answer.into();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let read = stream.read(&mut request).await.unwrap();
            assert!(request[..read].starts_with(b"GET /document HTTP/1.1\r\n"));
            // The client may hang up before it has read everything.
            let _ = stream.write_all(&answer).await;
        }
    });
    (Url::parse(&format!("http://id.demo.localhost:{port}/document")).unwrap(), tasks)
}

fn client(url: &Url) -> HttpFetch {
    let issuer = Issuer::parse(url.origin().ascii_serialization()).unwrap();
    HttpFetch::for_issuer(&issuer, None).unwrap()
}

#[tokio::test]
async fn reads_a_document_with_its_headers() {
    let (url, _tasks) = server(
        "HTTP/1.1 200 OK\r\nCache-Control: public\r\nCache-Control: max-age=300\r\nAge: 100\r\n\
         Content-Length: 2\r\n\r\n{}",
    )
    .await;
    let document = client(&url).get(&url, 2).await.unwrap();
    assert_eq!(document.accept(2).unwrap(), b"{}");
    assert_eq!(document.freshness(), Duration::from_secs(200));
}

#[tokio::test]
async fn stops_at_the_limit() {
    let declared = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc".to_owned();
    let chunked =
        format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", "1\r\na\r\n".repeat(3) + "0\r\n\r\n");
    for answer in [declared, chunked] {
        let (url, _tasks) = server(answer).await;
        assert!(client(&url).get(&url, 2).await.is_err());
        assert!(client(&url).get(&url, 3).await.is_ok());
    }
}

#[tokio::test]
async fn does_not_follow_redirects() {
    let (elsewhere, _other) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n");
    let (url, _tasks) = server(redirect).await;
    let document = client(&url).get(&url, 10).await.unwrap();
    assert!(document.accept(10).is_err());
    // A client that somebody configured to follow is caught.
    let following =
        reqwest::Client::builder().resolve("id.demo.localhost", (Ipv4Addr::LOCALHOST, 0).into()).build().unwrap();
    assert!(HttpFetch::with_client(following).get(&url, 10).await.is_err());
}

#[tokio::test]
async fn an_https_issuer_is_never_asked_in_the_clear() {
    let (mut url, _tasks) = server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
    url.set_host(Some("127.0.0.1")).unwrap();
    assert!(client(&url).get(&url, 10).await.is_ok());
    let issuer = Issuer::parse("https://id.example.com".to_owned()).unwrap();
    let fetch = HttpFetch::for_issuer(&issuer, None).unwrap();
    assert!(fetch.get(&url, 10).await.is_err());
}

#[tokio::test]
async fn it_says_which_app_it_works_for() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let issuer = Issuer::parse(format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let url = Url::parse(&format!("http://{}/document", listener.local_addr().unwrap())).unwrap();
    let fetch = HttpFetch::for_issuer(&issuer, Some(HeaderValue::from_static("shop"))).unwrap();
    let asked = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 4096];
        let read = stream.read(&mut request).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        String::from_utf8_lossy(&request[..read]).to_lowercase()
    };
    let (request, document) = tokio::join!(asked, fetch.get(&url, 10));
    document.unwrap();
    assert!(request.contains("\r\nfrontdesk-app: shop\r\n"), "{request}");
}

#[tokio::test]
async fn a_closed_port_is_an_error_with_its_cause() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let url = Url::parse(&format!("http://127.0.0.1:{port}/document")).unwrap();
    let error = client(&url).get(&url, 10).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn an_unchanged_document_is_304() {
    let (listener, url, fetch) = listener().await;
    let request = Request::new(&url, 10).with_accept("application/statuslist+jwt").with_etag(Some("\"v1\""));
    let answer = b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n";
    let ((request, _), document) = tokio::join!(asked(&listener, answer), fetch.send(request));
    let document = document.unwrap();
    assert_eq!((document.status(), document.tag()), (304, Some("\"v1\"")));
    assert!(request.contains("\r\nif-none-match: \"v1\"\r\n"), "{request}");
    assert!(request.contains("\r\naccept: application/statuslist+jwt\r\n"), "{request}");
}

#[tokio::test]
async fn a_form_is_posted_with_credentials() {
    let (listener, url, fetch) = listener().await;
    let request = Request::new(&url, 10).with_authorization("Basic abc").with_form("a=end");
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let ((request, _), document) = tokio::join!(asked(&listener, answer), fetch.send(request));
    assert_eq!(document.unwrap().accept(10).unwrap(), b"{}");
    assert!(request.starts_with("post /document http/1.1\r\n") && request.ends_with("\r\n\r\na=end"), "{request}");
    assert!(request.contains("\r\nauthorization: basic abc\r\n"), "{request}");
    assert!(request.contains("\r\ncontent-type: application/x-www-form-urlencoded\r\n"), "{request}");
    let broken = Request::new(&url, 10).with_authorization("Basic a\nb");
    assert!(fetch.send(broken).await.is_err(), "nothing escapes from the header");
    assert!(!format!("{broken:?}").contains("Basic"));
}

#[tokio::test]
async fn a_stream_is_read_as_it_comes() {
    let (listener, url, fetch) = listener().await;
    let request = Request::new(&url, 10).with_accept("text/event-stream").with_last_event_id(Some("id-7"));
    let answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let ((request, mut stream), opened) = tokio::join!(asked(&listener, answer), fetch.open(request));
    let mut opened = opened.unwrap();
    assert_eq!((opened.status, opened.content_type.as_str()), (200, "text/event-stream"));
    assert!(request.contains("\r\nlast-event-id: id-7\r\n"), "{request}");
    for piece in ["data: 1\n\n", "data: 2\n\n"] {
        stream.write_all(format!("{:x}\r\n{piece}\r\n", piece.len()).as_bytes()).await.unwrap();
        assert_eq!(opened.body.chunk().await.unwrap().as_deref(), Some(piece.as_bytes()));
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    assert_eq!(opened.body.chunk().await.unwrap(), None);
}

/// Implements no more than it must.
struct Plain;

impl Fetch for Plain {
    fn get<'f>(&'f self, _: &'f Url, _: usize) -> FetchFuture<'f> {
        Box::pin(async { Ok(Document::new(200, "{}")) })
    }
}

#[tokio::test]
async fn a_client_of_your_own_may_do_no_more_than_get() {
    let url = Url::parse("https://id.example.com/status/7").unwrap();
    let plain = Request::new(&url, 10);
    assert!(Plain.send(plain.with_etag(Some("x"))).await.is_ok());
    assert!(Plain.send(plain.with_authorization("Bearer x")).await.is_err(), "no secret is lost on the way");
    assert!(Plain.send(plain.with_form("a=b")).await.is_err());
    assert!(Plain.open(plain).await.is_err());
}

#[test]
fn only_status_200_and_small_bodies_are_accepted() {
    for status in [100, 201, 204, 206, 301, 302, 304, 307, 400, 401, 403, 404, 500, 503] {
        assert!(Document::new(status, "{}").accept(10).is_err(), "{status}");
    }
    assert!(Document::new(200, "{}").accept(2).is_ok());
    assert!(Document::new(200, "{}").accept(1).is_err());
}

#[test]
fn freshness_follows_cache_control() {
    for (cache_control, age, seconds) in [
        ("", 0, 300),
        ("public", 0, 300),
        ("max-age=60", 0, 60),
        ("public, max-age=60", 0, 60),
        ("Public,Max-Age=60", 0, 60),
        ("max-age=\"60\"", 0, 60),
        ("s-maxage=9, max-age=60", 0, 60),
        ("max-age=60", 20, 40),
        ("max-age=60", 60, 0),
        ("max-age=60", 99, 0),
        ("", 100, 200),
        ("max-age=0", 0, 0),
        ("max-age=-1", 0, 0),
        ("max-age=soon", 0, 0),
        ("max-age=99999999999999999999", 0, 0),
        ("no-store", 0, 0),
        ("no-cache", 0, 0),
        ("max-age=60, no-store", 0, 0),
        ("must-revalidate, max-age=600", 0, 600),
        ("x-max-age=60", 0, 300),
    ] {
        let document = Document::new(200, "").cache_control(cache_control).age(Duration::from_secs(age));
        assert_eq!(document.freshness().as_secs(), seconds, "{cache_control}");
    }
}
